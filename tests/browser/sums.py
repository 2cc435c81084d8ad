"""Owns working a receipt out again from what a person sees of it: counts, prices, factors, nothing else."""

import re
from decimal import ROUND_CEILING, Decimal

from playwright.sync_api import Locator

NANO = Decimal("0.000000001")
_AMOUNT = re.compile(r"\$([0-9,]+(?:\.[0-9]+)?)")
_NUMBER = re.compile(r"[0-9,]+(?:\.[0-9]+)?")
_OF_ALL = ("subtotal", "factor", "cost", "adjustment", "charge")


def amount_in(text: str) -> Decimal:
    """Return the dollars that stand in a text."""
    found = _AMOUNT.search(text)
    assert found, f"no amount in {text!r}"
    return Decimal(found[1].replace(",", ""))


def number_in(text: str) -> Decimal:
    """Return the number that stands in a text."""
    found = _NUMBER.search(text)
    assert found, f"no number in {text!r}"
    return Decimal(found[0].replace(",", ""))


def recomputed(receipt: Locator) -> tuple[Decimal, Decimal]:
    """Return what the figures of a receipt come to, and the charge that it names.

    Every line is checked on the way; one without a token would prove nothing.
    """
    total, factor, rounded, charge, tokens = Decimal(), Decimal(1), None, None, Decimal()
    for row in receipt.locator("tr[data-line]").all():
        kind, cells = row.get_attribute("data-line"), row.locator("td").all_inner_texts()
        if kind not in _OF_ALL:
            count, price, amount = number_in(cells[0]), amount_in(cells[1]), amount_in(cells[2])
            assert count * price / 1_000_000 == amount
            total, tokens = total + amount, tokens + count
        elif kind == "subtotal":
            assert amount_in(cells[0]) == total
        elif kind == "factor":
            factor *= number_in(cells[0])
        elif kind == "cost":
            rounded = amount_in(cells[0])
        elif kind == "charge":
            charge = amount_in(cells[0])
    assert tokens and charge is not None
    made = (total * factor).quantize(NANO, ROUND_CEILING)
    assert made == rounded
    return made, charge
