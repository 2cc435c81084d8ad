"""Owns how one price is written for people and programs: an exact decimal of dollars. Pure.

Must not know whose price it is, nor where it is shown.
"""

from typing import Final

from tollbridge.core.money import NANO, Multiplier, ceil_div

# Nine decimals of a price, six of a million tokens, nine of a multiplier.
PLACES: Final = 24
"""After so many decimals a multiplier that no decimal writes is rounded up."""


def price_text(nano: int, count: int, multiplier: Multiplier) -> str:
    """Return the dollars that one of `count` things costs which cost `nano` nano-dollars together."""
    one = 10**PLACES
    whole, rest = divmod(ceil_div(nano * multiplier.num * one, multiplier.den * count * NANO), one)
    decimals = f"{rest:0{PLACES}d}".rstrip("0")
    return f"{whole}.{decimals}" if decimals else str(whole)
