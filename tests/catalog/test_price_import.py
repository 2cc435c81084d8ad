"""Proof that a published price becomes ours exactly, or not at all."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.catalog.plan import PricePlan, ServicePlan, TierPlan
from tollbridge.catalog.price_import import Unsayable, translated

AT = datetime(2027, 1, 15, 12, tzinfo=UTC)
USD = 10**9


def said(**values: Any) -> ModelPrice:
    return ModelPrice(
        **{
            name: value if isinstance(value, TieredPrices) else Decimal(value)
            for name, value in values.items()
        }
    )


def tiered(base: str, *tiers: tuple[int, str]) -> TieredPrices:
    return TieredPrices(Decimal(base), [Tier(start, Decimal(price)) for start, price in tiers])


def model(prices: Any, variants: list[PriceVariant] | None = None) -> ModelInfo:
    return ModelInfo("m", ClauseEquals("m"), prices=prices, price_variants=variants)


def plan(prices: Any, variants: list[PriceVariant] | None = None) -> PricePlan:
    return translated(model(prices, variants), AT).price


def test_tokens_become_nano_dollars_a_million() -> None:
    price = plan(
        said(
            input_mtok="2.5",
            cache_read_mtok="0.25",
            cache_write_mtok="3.125",
            cache_write_1h_mtok="5",
            output_mtok="10",
            input_audio_mtok="40",
            output_audio_mtok="80",
            input_image_mtok="8",
            output_image_mtok="32",
        )
    )
    assert price == PricePlan(
        {
            "input": 2_500_000_000,
            "cache_read": 250_000_000,
            "cache_write_5m": 3_125_000_000,
            "cache_write_1h": 5 * USD,
            "output": 10 * USD,
            "audio_input": 40 * USD,
            "audio_output": 80 * USD,
            "image_input": 8 * USD,
            "image_output": 32 * USD,
        },
        (),
        {},
        (),
    )


def test_one_price_of_cache_writes_is_for_both_lifetimes() -> None:
    rates = plan(said(input_mtok="1", cache_write_mtok="2", output_mtok="3")).rates
    assert (rates["cache_write_5m"], rates["cache_write_1h"]) == (2 * USD, 2 * USD)


@pytest.mark.parametrize(
    ("values", "item", "nano"),
    [
        ({"requests_kcount": "12"}, "request", 12_000_000),
        ({"web_searches_kcount": "10", "requests_kcount": "1"}, "web_search", 10_000_000),
        ({"input_mchars": "15"}, "character", 15_000),
        ({"audio_hours": "0.36", "input_audio_hours": "0.36"}, "second", 100_000),
        ({"output_audio_hours": "3.6"}, "second", 1_000_000),
    ],
)
def test_counted_things_become_nano_dollars_apiece(
    values: dict[str, str], item: str, nano: int
) -> None:
    price = plan(said(**values))
    assert (price.rates, price.items[item]) == ({}, nano)


def test_a_threshold_is_for_the_whole_call_in_every_bucket() -> None:
    price = plan(
        said(
            input_mtok=tiered("1", (1_000, "2"), (5_000, "4")),
            cache_read_mtok="0.5",
            output_mtok=tiered("10", (5_000, "15")),
        )
    )
    half = USD // 2
    assert price.rates == {"input": USD, "cache_read": half, "output": 10 * USD}
    assert price.tiers == (
        TierPlan(1_000, {"input": 2 * USD, "cache_read": half, "output": 10 * USD}),
        TierPlan(5_000, {"input": 4 * USD, "cache_read": half, "output": 15 * USD}),
    )


def test_service_tiers_price_all_that_the_model_does() -> None:
    price = plan(
        said(input_mtok="2", cache_read_mtok="1", output_mtok=tiered("8", (100, "12"))),
        [
            PriceVariant({"service_tier": "default"}, said()),
            PriceVariant({"service_tier": "priority"}, said(input_mtok="4", output_mtok="16")),
            PriceVariant({"service_tier": "priority"}, said(input_mtok="9", cache_read_mtok="3")),
            PriceVariant({"processing": "batch"}, said(input_mtok="1")),
            PriceVariant({"service_tier": "same"}, said(input_mtok="2")),
        ],
    )
    batch = {"input": USD, "cache_read": USD, "output": 8 * USD}
    assert price.services == (
        ServicePlan("batch", batch, (TierPlan(100, {**batch, "output": 12 * USD}),)),
        ServicePlan("priority", {"input": 4 * USD, "cache_read": 3 * USD, "output": 16 * USD}, ()),
    )


def test_days_to_come_are_later_prices() -> None:
    def begins(day: int, price: str) -> ConditionalPrice:
        constraint = StartDateConstraint(date(2027, 1, day))
        return ConditionalPrice(constraint, prices=said(input_mtok=price, output_mtok="9"))

    first = ConditionalPrice(prices=said(input_mtok="1", output_mtok="9"))
    flex = PriceVariant(
        {"service_tier": "flex"}, said(input_mtok="0.5"), StartDateConstraint(date(2027, 1, 20))
    )
    found = translated(
        model([first, begins(10, "2"), begins(15, "3"), begins(17, "4"), begins(20, "4")], [flex]),
        AT,
    )
    assert found.price.rates["input"] == 3 * USD
    assert found.price.services == ()
    assert [
        (datetime.fromtimestamp(one.from_ms // 1_000, UTC), one.price.rates["input"] // USD,
         [service.name for service in one.price.services])
        for one in found.later
    ] == [
        (datetime(2027, 1, 17, tzinfo=UTC), 4, []),
        (datetime(2027, 1, 20, tzinfo=UTC), 4, ["flex"]),
    ]  # fmt: skip


def test_a_day_is_one_of_utc() -> None:
    late = datetime.fromisoformat("2027-01-20T05:00:00+09:00")
    start = StartDateConstraint(date(2027, 1, 20))
    prices = [
        ConditionalPrice(prices=said(input_mtok="1", output_mtok="1")),
        ConditionalPrice(start, prices=said(input_mtok="2", output_mtok="2")),
    ]
    assert translated(model(prices), late).price.rates["input"] == USD


def test_hours_are_left_out_and_told() -> None:
    hours = TimeOfDateConstraint(time(16, 30), time(0, 30))
    prices = [
        ConditionalPrice(prices=said(input_mtok="2", output_mtok="4")),
        ConditionalPrice(hours, prices=said(input_mtok="1", output_mtok="2")),
    ]
    found = translated(model(prices), AT.replace(hour=20))
    assert found.price.rates["input"] == 2 * USD
    assert found.notes == (
        (
            "left out, from 16:30 to 00:30 UTC: input_mtok $1, output_mtok $2;"
            " a channel's peak can say a factor"
        ),
    )
    with pytest.raises(Unsayable, match="no price that holds today"):
        plan(prices[1:])


def test_what_has_no_word_here_is_told() -> None:
    prices = said(
        input_mtok="1",
        output_mtok="2",
        cache_read_mtok=tiered("0.1", (5, "0.2")),
        cache_audio_read_mtok="0.3",
        cache_image_read_mtok=tiered("0.1", (5, "0.2")),
        input_video_mtok="1",
        output_reasoning_mtok="3",
        storage_searches_kcount="2.5",
    )
    variants = [
        PriceVariant({"speed": "fast"}, said(input_mtok="6")),
        PriceVariant({"processing": "batch"}, said(input_mtok="0.5", web_searches_kcount="1")),
        PriceVariant(
            {"service_tier": "flex"}, said(input_mtok="6"), TimeOfDateConstraint(time(1), time(2))
        ),
    ]
    found = translated(model(prices, variants), AT)
    assert [one.name for one in found.price.services] == ["batch"]
    assert found.notes == (
        "left out: cache_audio_read_mtok $0.3; such tokens cost what cache_read does",
        "left out: output_reasoning_mtok $3; such tokens cost what output does",
        "left out: storage_searches_kcount $2.5, which is not counted here",
        "prices of speed fast are left out: no service tier",
        "of processing batch only token prices are taken, not web_searches_kcount",
        "prices of service_tier flex at hours of their own are left out",
    )


def test_output_without_a_price_is_not_free() -> None:
    found = translated(model(said(input_mtok="0.1")), AT)
    assert found.price.rates == {"input": USD // 10, "output": USD // 10}
    assert found.notes == ("the source prices no output: it costs what input does",)


@pytest.mark.parametrize(
    ("prices", "why"),
    [
        (said(input_mtok="0.0000000001", output_mtok="1"), "no whole number of nano-dollars"),
        (said(input_mtok="0.18000000000000002", output_mtok="1"), "no whole number"),
        (said(audio_hours="0.04"), "no whole number"),
        (said(requests_kcount="0.0000001"), "no whole number"),
        (said(input_mtok="100001", output_mtok="1"), "outside of what a price may be"),
        (said(input_mtok="-1", output_mtok="1"), "outside of what a price may be"),
        (said(output_mtok="1"), "does not price input"),
        (said(input_mtok="0", output_mtok="0"), "gives it away"),
        (said(input_document_kpages="4"), "none of what is counted here"),
        (said(), "none of what is counted here"),
        (said(audio_hours="3.6", input_audio_hours="7.2"), "two prices for one second"),
        (said(requests_kcount=tiered("1", (5, "2"))), "depends on the context"),
        (said(input_mtok=tiered("1", (0, "2")), output_mtok="1"), "begins where none can"),
        (said(input_mtok=tiered("1", (10**9, "2")), output_mtok="1"), "begins where none can"),
    ],
)
def test_what_cannot_be_said_is_refused(prices: ModelPrice, why: str) -> None:
    with pytest.raises(Unsayable, match=why):
        plan(prices)


@given(st.decimals(min_value=0, max_value=100_000, places=12, allow_nan=False))
def test_no_price_is_ever_rounded(dollars: Decimal) -> None:
    nano = dollars * USD
    try:
        rates = plan(said(input_mtok=dollars, output_mtok="1")).rates
    except Unsayable:
        assert nano != int(nano)
    else:
        assert rates["input"] == nano
