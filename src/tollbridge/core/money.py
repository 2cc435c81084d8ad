"""Owns the notation of money: nano-dollars to and from text, and exact rational multipliers.

All money is a signed 64-bit integer of nano-dollars (money.md). Must not know prices or purses.
"""

import re
from dataclasses import dataclass
from math import gcd
from typing import Self

from tollbridge.core.phrase import phrase

NANO = 10**9
"""Nano-dollars in a dollar."""

MAX_AMOUNT = 2**63 - 1
"""The largest amount that a BIGINT column holds, in nano-dollars."""

_DECIMAL = re.compile(r"([0-9]+)(?:\.([0-9]+))?", re.ASCII)
_DECIMALS = 9
_WHOLE_DIGITS = 10
_SHOWN_DECIMALS = 2


def parse_usd(text: str) -> int:
    """Return the nano-dollars that a decimal string like "0.000000123" means, exactly.

    ValueError with the reason for anything else: a sign, an exponent, a blank, more than nine
    decimals, or a sum that does not fit 64 bits. Nothing is ever rounded.
    """
    amount = _scaled(text)
    if amount > MAX_AMOUNT:
        raise ValueError(phrase("too large for an amount of money"))
    return amount


def format_usd(nano: int) -> str:
    """Return nano-dollars as an exact decimal string with at least two decimals, "-" if negative."""
    if nano < 0:
        return "-" + format_usd(-nano)
    decimals = f"{nano % NANO:09d}".rstrip("0")
    return (
        f"{nano // NANO}.{decimals if len(decimals) > 1 else decimals.ljust(_SHOWN_DECIMALS, '0')}"
    )


def ceil_div(a: int, b: int) -> int:
    """Return a / b rounded up (towards positive infinity); b must be positive."""
    return -(-a // b)


@dataclass(frozen=True, slots=True)
class Multiplier:
    """An exact factor num / den on list prices. ValueError when num is negative or den not positive."""

    num: int
    den: int

    def __post_init__(self) -> None:
        """Refuse a factor that could turn a charge into a credit or divide by zero."""
        if self.num < 0 or self.den <= 0:
            raise ValueError("a multiplier needs a numerator >= 0 and a denominator > 0")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the multiplier of a decimal string like "0.15", in lowest terms; else ValueError."""
        scaled = _scaled(text)
        shared = gcd(scaled, NANO)
        return cls(scaled // shared, NANO // shared)

    def text(self) -> str:
        """Return the exact decimal ("0.15", "1.0"), or "num/den" when no decimal is exact."""
        digits = _decimals_of(self.den // gcd(self.num, self.den))
        if digits is None:
            return f"{self.num}/{self.den}"
        scale: int = 10**digits
        whole, rest = divmod(self.num * scale // self.den, scale)
        return f"{whole}.{rest:0{digits}d}"


def _scaled(text: str) -> int:
    """Return a plain decimal number times 10^9; ValueError with the reason when it is not one."""
    if text[:1] in {"-", "+"}:
        raise ValueError(phrase("must not carry a sign"))
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError(phrase('must be a decimal number like "2.50"'))
    whole, decimals = match[1], match[2] or ""
    if len(decimals) > _DECIMALS:
        raise ValueError(phrase("must not have more than nine decimals"))
    if len(whole.lstrip("0")) > _WHOLE_DIGITS:
        raise ValueError(phrase("too large for an amount of money"))
    return int(whole.lstrip("0") or "0") * NANO + int(decimals.ljust(_DECIMALS, "0"))


def _decimals_of(den: int) -> int | None:
    """Return how many decimals (at least one) write n / den exactly; None when no number does."""
    twos = fives = 0
    while den % 2 == 0:
        den, twos = den // 2, twos + 1
    while den % 5 == 0:
        den, fives = den // 5, fives + 1
    return max(twos, fives, 1) if den == 1 else None
