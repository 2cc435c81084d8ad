"""The twin of billing/terms.py: an orphan is worth what a call that ended by itself would be."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.billing.price_strategies import multipliers, prices, usages
from tests.storage import books, sold
from tollbridge.billing.bill import Bill
from tollbridge.billing.pricing import AmountTooLarge, Unpriced, list_cost, own_cost
from tollbridge.billing.terms import Terms
from tollbridge.catalog.prices import Price, Rates, Service
from tollbridge.core.money import MAX_AMOUNT, Multiplier
from tollbridge.protocols.usage import ImageCount, Usage

USED = Usage(input=7, output=8)


def bill(price_id: int = sold.PRICE, account_id: int | None = sold.ACCOUNT) -> Bill:
    return Bill(
        "a", 5, 6, 7, "key", 1, sold.CHANNEL, "channel", account_id, "asked", "sent", "chat",
        "openai", True, price_id, 3, 20, "client",
    )  # fmt: skip


@given(prices, usages, multipliers)
def test_the_rules_are_those_of_every_call(price: Price, usage: Usage, cost: Multiplier):
    terms = Terms({sold.PRICE: price}, {sold.ACCOUNT: cost})
    try:
        listed = list_cost(usage, price.served(usage.tier))
    except (AmountTooLarge, Unpriced):
        assert terms.worth(bill(), usage) is None
    else:
        assert terms.worth(bill(), usage) == (listed, own_cost(listed, cost))
        assert terms.worth(bill(account_id=None), usage) == (listed, 0)
        assert terms.worth(bill(account_id=1), usage) == (listed, 0)
    assert terms.worth(bill(price_id=1), usage) is None


def test_a_service_tier_has_its_own_price():
    plain = Price(sold.PRICE, "m", Rates.filled({"input": 2_000_000, "output": 0}))
    flex = replace(
        plain, services=(Service("flex", Rates.filled({"input": 1_000_000, "output": 0})),)
    )
    terms = Terms({sold.PRICE: flex})
    assert terms.worth(bill(), Usage(input=9)) == (18, 0)
    assert terms.worth(bill(), Usage(input=9, tier="flex")) == (9, 0)


@pytest.mark.parametrize(
    "usage", [Usage(input=MAX_AMOUNT), Usage(images=(ImageCount("1x1", "low", 1),))]
)
def test_what_no_sum_can_be_worked_out_for(usage: Usage):
    rates = Rates.filled({"input": 10**12, "output": 0} if usage.input else {})
    assert Terms({sold.PRICE: Price(sold.PRICE, "m", rates)}).worth(bill(), usage) is None


@given(st.sampled_from([0, -1, 2**63, 2**64, 99, sold.DAMAGED]))
def test_strange_ids_and_damaged_rows_are_unknown(tmp_path_factory, number: int):
    path = books.fresh(tmp_path_factory.mktemp("terms"))
    sold.sell(path)
    terms = Terms.of_file(path, [bill(number, number), bill()])
    assert terms.worth(bill(number), USED) is None
    assert terms.worth(bill(), USED) == (397, 265)
    assert terms.worth(bill(account_id=number), USED) == (397, 0)
