"""Owns what every database of ours can hold: texts without U+0000 and half characters, 64-bit integers.

Whatever a caller sends is held against it where it comes in. Must not know any table or surface.
"""

import re
from typing import Final

INT64_MAX: Final = 2**63 - 1
_ID_DIGITS: Final = 19
_NEVER: Final = re.compile("[\0\ud800-\udfff]")


def storable(text: str) -> bool:
    """Tell whether a text can be kept and looked for: PostgreSQL takes no U+0000, nobody half a character."""
    return _NEVER.search(text) is None


def id_in(text: str) -> int | None:
    """Return the id that a text is, None when no id is written so."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _ID_DIGITS):
        return None
    number = int(text)
    return number if number <= INT64_MAX else None
