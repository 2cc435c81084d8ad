"""Proof of prices by cases: amounts worked out by hand, and a second opinion on real prices."""

import pytest

from tests.billing.priced_by_hand import BY_HAND, Case
from tests.billing.priced_calls import factors, prices, receipt, recomputed
from tollbridge.billing.pricing import charge
from tollbridge.core.money import format_usd, parse_usd

PRICES = prices()


@pytest.mark.parametrize("case", BY_HAND, ids=lambda case: f"{case.model}-{case.dollars}")
def test_by_hand(case: Case) -> None:
    multiplier, parts = factors(case)
    price = PRICES[case.model]
    amount = charge(case.usage, price.served(case.usage.tier), multiplier)
    assert format_usd(amount) == format_usd(parse_usd(case.dollars))
    shown = receipt(case.usage, price, multiplier, parts)
    assert (shown["charge"], shown["adjustments"]) == (format_usd(amount), [])
    assert [one["of"] for one in shown["multipliers"]] == [
        "channel",
        *(["group"] if case.group else []),
        *(["peak"] if case.peak else []),
    ]
    status, words = recomputed(shown)
    assert status == 0, words


def test_there_are_enough_of_them() -> None:
    assert len(BY_HAND) >= 80
    assert {case.model for case in BY_HAND} == PRICES.keys()
