"""Owns what a credit is to people and programs: the journal books all that nobody paid for as grants.

Whom a grant came of stands in its reference, and a lot has the same (money.md, "Money in and out").
Pure; must not know how it is shown.
"""

from typing import Final

_TOLD_BY_REFERENCE: Final = ("bonus", "code")


def kind_of(kind: str, ref: str) -> str:
    """Return what a line of the journal, or a lot, is by its kind and reference."""
    before, _, rest = ref.partition(":")
    return before if kind == "grant" and rest and before in _TOLD_BY_REFERENCE else kind
