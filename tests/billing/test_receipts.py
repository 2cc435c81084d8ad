"""Proof that every receipt recomputes to its charge, whatever the usage row says."""

from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.billing.bill import Bill, Ending, usage_row
from tollbridge.billing.pricing import MILLION, charge
from tollbridge.billing.receipts import Receipt, receipt_of, usage_of
from tollbridge.catalog.prices import ImagePrice, Price, Rates, Service, Tier
from tollbridge.core.money import Multiplier
from tollbridge.protocols.usage import ImageCount, Usage
from tollbridge.storage.ledger_items import USAGE_COLUMNS

NOTHING = Usage()
TENTH = Multiplier(1, 10)
LOW = Rates.filled({"input": 2_500_000_000, "cache_read": 250_000_000, "output": 10_000_000_000})
HIGH = Rates.filled({"input": 5_000_000_000, "output": 20_000_000_000})
PRICE = Price(
    9,
    "gpt",
    LOW,
    (Tier(1000, HIGH),),
    request=3,
    web_search=10_000_000,
    images=(ImagePrice("*", "*", 40_000_000),),
)
COUNT = st.integers(0, 10**7)
USAGES = st.builds(
    Usage,
    input=COUNT,
    cache_read=COUNT,
    cache_write_1h=COUNT,
    output=COUNT,
    audio_output=COUNT,
    request=st.integers(0, 1),
    web_search=st.integers(0, 9),
    images=st.lists(st.builds(ImageCount, st.just("1024x1024"), st.just("high"), st.integers(0, 9)),
                    max_size=2).map(tuple),
)  # fmt: skip
MULTIPLIERS = st.builds(Multiplier, st.integers(0, 300), st.integers(1, 300))


def row(
    used: Usage = NOTHING,
    state: str = "complete",
    *,
    charged: int = 0,
    loss: int = 0,
    multiplier: Multiplier = TENTH,
    **ending: Any,
) -> dict[str, Any]:
    """Return a usage row as the books have it."""
    bill = Bill("0" * 32, 1, 2, 3, "key", 4, 5, "main", 6, "asked", "sent", "chat", "openai", True,
                9, multiplier.num, multiplier.den, "curl")  # fmt: skip
    columns = usage_row(bill, Ending(state, usage=used, **ending))
    return dict(zip(USAGE_COLUMNS, (*columns, charged, loss), strict=True))


def check(receipt: Receipt) -> None:
    """Recompute a receipt from its own lines."""
    parts = 0
    for line in receipt.lines:
        each = line.count * line.rate * (1 if line.unit == "per_million_tokens" else MILLION)
        assert each == line.parts
        parts += each
    assert parts == receipt.subtotal_parts
    factor = Fraction(receipt.multiplier.num, receipt.multiplier.den)
    assert ceil(parts * factor / MILLION) == receipt.cost
    assert receipt.cost + sum(one.amount for one in receipt.adjustments) == receipt.charge


@given(USAGES)
def test_the_usage_is_read_back_as_it_was_written(used: Usage):
    assert usage_of(row(used)) == used


@given(USAGES, MULTIPLIERS)
def test_an_exact_charge_needs_no_adjustment(used: Usage, multiplier: Multiplier):
    cost = charge(used, PRICE, multiplier)
    receipt = receipt_of(row(used, charged=cost, multiplier=multiplier), PRICE)
    check(receipt)
    assert (receipt.cost, receipt.adjustments) == (cost, ())


@given(
    USAGES,
    MULTIPLIERS,
    st.integers(0, 2**40),
    st.integers(0, 2**40),
    st.sampled_from(["complete", "partial", "reclaimed", "withheld", "refused", ""]),
    st.sampled_from([PRICE, Price(9, "nothing", Rates.filled({})), None]),
    st.sampled_from([0, 1, 2]),
)
def test_every_charge_is_explained(
    used: Usage,
    multiplier: Multiplier,
    charged: int,
    loss: int,
    state: str,
    price: Price | None,
    back: int,
):
    stored = row(used, state, charged=charged, loss=loss, multiplier=multiplier)
    # None of it, some of it (the rest came late), all of it.
    given_back = stored["reversed"] = charged * back // 2
    receipt = receipt_of(stored, price)
    check(receipt)
    assert (receipt.charge, receipt.given_back) == (charged - given_back, given_back)
    assert ("Given back" in (receipt.why or "")) is bool(given_back)
    assert all(one.amount and one.reason for one in receipt.adjustments)


def test_the_tier_is_named():
    assert receipt_of(row(Usage(input=1001)), PRICE).tier_above == 1000
    assert receipt_of(row(Usage(input=1000)), PRICE).tier_above is None


@pytest.mark.parametrize(
    ("state", "flags", "charged", "loss", "said"),
    [
        ("complete", ("estimated",), 200, 0, ["an estimate never costs more"]),
        ("complete", (), 200, 50, ["the operator bears it"]),
        ("complete", ("estimated",), 200, 20, ["an estimate", "the operator bears it"]),
        ("withheld", (), 0, 0, ["no answer was delivered"]),
        ("reclaimed", ("reclaimed",), 100, 0, ["as far as it was last recorded"]),
        ("reclaimed", ("reclaimed",), 300, 0, ["as far as it was last recorded"]),
        ("complete", (), 100, 0, ["Not charged."]),
        ("complete", (), 300, 0, ["Charged besides"]),
    ],
)
def test_the_reason_of_each_difference(
    state: str, flags: tuple[str, ...], charged: int, loss: int, said: list[str]
):
    # 1000 tokens at 2.5 dollars a million and a tenth: 250,000 nano-dollars. In thousands here.
    stored = row(Usage(input=1000), state, flags=flags, charged=charged * 1000, loss=loss * 1000)
    receipt = receipt_of(stored, PRICE)
    check(receipt)
    assert len(receipt.adjustments) == len(said)
    for words, one in zip(said, receipt.adjustments, strict=True):
        assert words in one.reason


@pytest.mark.parametrize(
    ("state", "flags", "said"),
    [
        ("complete", (), []),
        ("complete", ("estimated",), ["estimated from the text"]),
        ("complete", ("clamped",), ["put right"]),
        ("complete", ("client_disconnected",), ["the whole answer"]),
        ("client_gone", ("client_disconnected", "estimated"), ["The client left", "estimated"]),
        ("partial", ("partial", "estimated"), ["The provider broke off", "estimated"]),
        ("partial", ("partial",), ["The provider broke off"]),
        ("reclaimed", ("reclaimed",), ["as far as it was last recorded"]),
        ("limited", ("estimated", "balance_short"), ["was used up", "estimated"]),
    ],
)
def test_what_a_charge_counts_is_said(state: str, flags: tuple[str, ...], said: list[str]):
    receipt = receipt_of(row(Usage(input=1000), state, flags=flags, charged=250_000), PRICE)
    check(receipt)
    assert len(receipt.said) == len(said)
    for words, sentence in zip(said, receipt.said, strict=True):
        assert words in sentence
    # What cost nothing needs no words of what was counted.
    free = receipt_of(row(Usage(input=1000), state, flags=flags, charged=0), PRICE)
    assert [one for one in free.said if "estimated" in one or "left" in one] == []


def test_a_price_that_is_lost_is_said():
    receipt = receipt_of(row(Usage(input=1000), charged=250_000), None)
    check(receipt)
    assert receipt.lines == ()
    assert "not available any more" in receipt.adjustments[0].reason


@pytest.mark.parametrize(
    ("state", "kind", "said"),
    [
        ("complete", None, None),
        ("refused", "balance_insufficient", "The balance does not cover this call."),
        ("upstream_error", "upstream_failed", "Service temporarily unavailable. The provider"),
        ("upstream_error", "upstream_timeout", "The model did not answer in time."),
        ("refused", "model_unknown", "The model asked does not exist here."),
        ("empty", "no such kind", "The answer was empty"),
    ],
)
def test_why_a_call_cost_nothing(state: str, kind: str | None, said: str | None):
    receipt = receipt_of(row(state=state, error_kind=kind, status=500), PRICE)
    check(receipt)
    assert receipt.charge == 0
    if said is None:
        assert receipt.why is None
    else:
        assert receipt.why is not None
        assert receipt.why.startswith(said)
        assert "cost" in receipt.why


def test_flags_and_counts_are_lists_of_what_is_there():
    receipt = receipt_of(row(Usage(output=5, reasoning=3), flags=("late", "clamped")), PRICE)
    assert receipt.flags == ("late", "clamped")
    assert receipt.counts == {"output": 5, "reasoning": 3}
    assert receipt_of(row(), PRICE).flags == ()


FLEX = Rates.filled({"input": 1_250_000_000, "output": 5_000_000_000})
SERVED = replace(PRICE, services=(Service("flex", FLEX, (Tier(2000, LOW),)),))


@given(USAGES, MULTIPLIERS, st.sampled_from(["", "flex", "priority"]))
def test_a_receipt_is_priced_by_the_tier_that_the_answer_named(
    used: Usage, multiplier: Multiplier, tier: str
):
    used = msgspec.structs.replace(used, tier=tier)
    cost = charge(used, SERVED.served(tier), multiplier)
    receipt = receipt_of(row(used, charged=cost, multiplier=multiplier), SERVED)
    check(receipt)
    assert (receipt.cost, receipt.adjustments) == (cost, ())
    assert receipt.service_tier == (tier or None)
    above = 2000 if tier == "flex" else 1000
    assert receipt.tier_above == (above if used.tokens_in() > above else None)


def test_what_the_multiplier_is_made_of():
    assert receipt_of(row(), PRICE).factors == (("channel", TENTH),)
    # 3/2 x 9/10 x 2 = 27/10.
    stored = row(multiplier=Multiplier(27, 10))
    stored["factors"] = '[["channel",3,2],["group",9,10],["peak",2,1]]'
    assert receipt_of(stored, PRICE).factors == (
        ("channel", Multiplier(3, 2)),
        ("group", Multiplier(9, 10)),
        ("peak", Multiplier(2, 1)),
    )
