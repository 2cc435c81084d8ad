"""Owns text that is safe in a cell of a spreadsheet, which computes whatever looks like a formula. Pure."""

from typing import Final

# What a spreadsheet takes for the start of a formula; some forms are the wide ones of East Asia.
_FORMULA: Final = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def plain(cell: str) -> str:
    """Return a text that no spreadsheet computes: one that looks like a formula gets an apostrophe."""
    start = cell.lstrip(" \N{NO-BREAK SPACE}")[:1]
    return f"'{cell}" if start in _FORMULA else cell
