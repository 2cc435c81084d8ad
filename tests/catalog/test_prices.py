"""Proof that no bucket is free by omission and that the right tier is picked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.catalog.prices import ImagePrice, Price, Rates, Service, Tier
from tollbridge.protocols.usage import TOKEN_BUCKETS

RATES = Rates.filled({"input": 2, "output": 10})


def test_an_unpriced_bucket_costs_what_its_side_costs():
    for bucket in TOKEN_BUCKETS:
        expected = 10 if bucket in {"output", "audio_output", "image_output"} else 2
        assert RATES.of(bucket) == expected


def test_a_priced_bucket_keeps_its_price_even_zero():
    rates = Rates.filled({"input": 2, "output": 10, "cache_read": 0, "audio_output": 7})
    assert (rates.cache_read, rates.audio_output, rates.cache_write_5m) == (0, 7, 2)


def test_no_bucket_at_all_means_that_only_items_are_sold():
    assert {Rates.filled({}).of(bucket) for bucket in TOKEN_BUCKETS} == {0}


@pytest.mark.parametrize(
    ("given_prices", "reason"),
    [
        ({"input": 1}, "both"),
        ({"output": 1}, "both"),
        ({"cache_read": 1}, "both"),
        ({"input": 1, "output": 1, "reasoning": 1}, "not a token bucket"),
        ({"input": -1, "output": 1}, "negative"),
    ],
)
def test_half_a_price_is_refused(given_prices: dict[str, int], reason: str):
    with pytest.raises(ValueError, match=reason):
        Rates.filled(given_prices)


@given(
    st.dictionaries(st.sampled_from(TOKEN_BUCKETS), st.integers(1, 10**12)),
    st.integers(1, 10**12),
    st.integers(1, 10**12),
)
def test_no_token_is_ever_free_once_both_sides_are_priced(
    buckets: dict[str, int], price_in: int, price_out: int
):
    rates = Rates.filled({**buckets, "input": price_in, "output": price_out})
    assert all(rates.of(bucket) > 0 for bucket in TOKEN_BUCKETS)


@given(st.sets(st.integers(0, 1000), max_size=5), st.integers(0, 1001))
def test_the_highest_tier_below_the_tokens_applies(thresholds: set[int], tokens: int):
    tiers = tuple(
        Tier(above, Rates.filled({"input": above + 100, "output": 1})) for above in thresholds
    )
    passed = [above for above in thresholds if tokens > above]
    expected = max(passed) + 100 if passed else RATES.input
    assert Price(1, "m", RATES, tiers).rates_for(tokens).input == expected


FLEX, BATCH = Rates.filled({"input": 1, "output": 5}), Rates.filled({"input": 7, "output": 3})
LONG = Tier(100, Rates.filled({"input": 4, "output": 20}))
LONG_FLEX = Tier(50, Rates.filled({"input": 2, "output": 9}))
SERVED = Price(
    9, "m", RATES, (LONG,), request=5, second=6, character=7, web_search=8,
    images=(ImagePrice("*", "*", 9),),
    services=(Service("flex", FLEX, (LONG_FLEX,)), Service("batch", BATCH)),
)  # fmt: skip


def test_a_service_tier_has_rates_and_context_tiers_of_its_own():
    flex, batch = SERVED.served("flex"), SERVED.served("batch")
    assert [flex.rates_for(tokens) for tokens in (50, 51, 101)] == [
        *(FLEX, LONG_FLEX.rates, LONG_FLEX.rates),
    ]
    # The model's own context tiers are no part of a service tier's price.
    assert [batch.rates_for(tokens) for tokens in (50, 101)] == [BATCH, BATCH]


def test_what_is_counted_apiece_costs_the_same_in_every_tier():
    for name in ("flex", "batch"):
        one = SERVED.served(name)
        assert (one.request, one.second, one.character, one.web_search) == (5, 6, 7, 8)
        assert (one.images, one.id, one.model) == (SERVED.images, 9, "m")


@pytest.mark.parametrize("name", ["", "priority", "FLEX", "flex "])
def test_a_tier_without_prices_costs_the_usual(name: str):
    assert SERVED.served(name) is SERVED
    # Who is served already is served the same again.
    assert SERVED.served("flex").served("batch") is SERVED.served("flex")


def test_every_rate_that_a_call_may_come_to_is_named():
    assert list(SERVED.every_rates()) == [RATES, LONG.rates, FLEX, LONG_FLEX.rates, BATCH]


RATE = st.integers(0, 10**6)
SOME_RATES = st.builds(Rates, *[RATE] * 9)


@given(
    base=SOME_RATES,
    tiers=st.lists(SOME_RATES, max_size=2),
    service=st.none() | SOME_RATES,
    media_in=st.booleans(),
    media_out=st.booleans(),
)
def test_nothing_is_dearer_than_the_dearest(base, tiers, service, media_in, media_out):
    steps = tuple(Tier(100 * at, rates) for at, rates in enumerate(tiers, 1))
    services = () if service is None else (Service("flex", service, steps),)
    price = Price(1, "m", base, steps, services=services)
    ins = ["input", "cache_read", "cache_write_5m", "cache_write_1h"]
    outs = ["output"]
    if media_in:
        ins += ["audio_input", "image_input"]
    if media_out:
        outs += ["audio_output", "image_output"]
    every = list(price.every_rates())
    assert price.dearest(media_in=media_in, media_out=media_out) == (
        max(rates.of(name) for rates in every for name in ins),
        max(rates.of(name) for rates in every for name in outs),
    )
