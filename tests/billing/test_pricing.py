"""Tests of prices: one exact sum, one rounding, nothing free by accident."""

import dataclasses
from fractions import Fraction
from math import ceil

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.billing.price_strategies import QUALITIES, SIZES, multipliers, prices, usages
from tollbridge.billing.pricing import (
    AmountTooLarge,
    Explanation,
    Unpriced,
    charge,
    completed,
    dearest_image,
    explain,
    is_priced,
    list_cost,
    own_cost,
)
from tollbridge.catalog.prices import ImagePrice, Price, Rates, Tier
from tollbridge.core.money import MAX_AMOUNT, NANO, Multiplier
from tollbridge.protocols.usage import TOKEN_BUCKETS, ImageCount, Usage

ONE = Multiplier(1, 1)
FREE = Rates.filled({})
RATES = Rates.filled({"input": 2_500_000_000, "cache_read": 250_000_000, "output": 10_000_000_000})


def price(**fields: object) -> Price:
    return dataclasses.replace(Price(id=1, model="a-model", rates=FREE), **fields)  # type: ignore[arg-type]


def tier(above: int, rate: int) -> Tier:
    return Tier(above, Rates(**dict.fromkeys(TOKEN_BUCKETS, rate)))


def test_a_usual_call_by_hand() -> None:
    # 800 x $2.50 + 1,024 x $0.25 + 300 x $10 a million = $0.005256; times 0.15 = $0.0007884.
    usage = Usage(input=800, cache_read=1024, output=300, reasoning=200)
    assert list_cost(usage, price(rates=RATES)) == 5_256_000
    assert charge(usage, price(rates=RATES), Multiplier(3, 20)) == 788_400


def test_every_bucket_has_its_own_price() -> None:
    ladder = Rates(**{name: 10**place for place, name in enumerate(TOKEN_BUCKETS)})
    for place, name in enumerate(TOKEN_BUCKETS):
        assert list_cost(Usage(**{name: 3_000_000}), price(rates=ladder)) == 3 * 10**place


def test_reasoning_is_inside_output_and_costs_nothing_more() -> None:
    with_reasoning = Usage(output=100, reasoning=90)
    assert list_cost(with_reasoning, price(rates=RATES)) == list_cost(
        Usage(output=100), price(rates=RATES)
    )


def test_rounds_up_once() -> None:
    thin = price(rates=Rates(**dict.fromkeys(TOKEN_BUCKETS, 1)))
    usage = Usage(input=1, output=1, cache_read=1)
    assert list_cost(usage, thin) == 1
    assert charge(usage, thin, Multiplier(1, 3)) == 1
    assert list_cost(Usage(), thin) == 0


def test_the_whole_call_is_charged_in_the_tier_of_its_total_input() -> None:
    tiered = price(rates=RATES, tiers=(tier(1_000, 7_000_000), tier(2_000, 9_000_000)))
    assert list_cost(Usage(input=1_000), tiered) == 2_500_000
    assert list_cost(Usage(input=1, cache_read=1_000, output=10), tiered) == 7 * 1_011
    assert list_cost(Usage(cache_write_1h=2_001, output=10), tiered) == 9 * 2_011


def test_counted_items_pass_through_the_multiplier_too() -> None:
    items = price(request=10, web_search=100, second=1_000, character=10_000)
    usage = Usage(request=1, web_search=2, second=3, character=4)
    assert list_cost(usage, items) == 43_210
    assert charge(usage, items, Multiplier(1, 2)) == 21_605


@pytest.mark.parametrize(
    ("size", "quality", "each"),
    [
        ("1024x1024", "high", 40),
        ("1024x1024", "low", 10),
        ("1024x1024", "ultra", 30),
        ("512x512", "low", 20),
        ("512x512", "ultra", 40),
        ("", "", 40),
    ],
)
def test_images_take_the_closest_row_and_never_less_than_the_dearest(
    size: str, quality: str, each: int
) -> None:
    rows = (
        ImagePrice("1024x1024", "low", 10),
        ImagePrice("*", "low", 20),
        ImagePrice("1024x1024", "*", 30),
        ImagePrice("1024x1024", "high", 40),
    )
    usage = Usage(images=(ImageCount(size, quality, 3),))
    assert list_cost(usage, price(images=rows)) == 3 * each


def test_images_without_an_image_price_are_priced_by_their_tokens() -> None:
    usage = Usage(images=(ImageCount("1024x1024", "high", 1),), image_output=1_000)
    assert list_cost(usage, price(rates=RATES)) == 10_000_000


@pytest.mark.parametrize(
    "usage",
    [Usage(images=(ImageCount("a", "b", 1),)), Usage(second=1), Usage(character=1)],
    ids=["image", "second", "character"],
)
def test_items_that_the_price_does_not_sell_are_not_free(usage: Usage) -> None:
    with pytest.raises(Unpriced, match="a-model"):
        charge(usage, price(web_search=5), ONE)
    with pytest.raises(Unpriced):
        explain(usage, price(web_search=5), ONE)
    assert charge(msgspec.structs.replace(usage, request=1), price(request=7), ONE) == 7
    assert charge(usage, price(rates=RATES), ONE) == 0


def test_an_unpriced_item_that_was_not_used_raises_nothing() -> None:
    assert charge(Usage(images=(ImageCount("a", "b", 0),)), price(), ONE) == 0


def test_what_does_not_fit_64_bits_is_refused() -> None:
    dear = price(request=MAX_AMOUNT)
    assert charge(Usage(request=1), dear, ONE) == MAX_AMOUNT
    with pytest.raises(AmountTooLarge):
        charge(Usage(request=2), dear, ONE)


def test_a_billion_tokens_at_the_highest_price_fit() -> None:
    dear = price(rates=Rates(**dict.fromkeys(TOKEN_BUCKETS, 10**12)))
    assert charge(Usage(input=10**9, output=10**9), dear, ONE) == 2 * 10**15


@pytest.mark.parametrize(
    ("one", "sold"),
    [
        (price(), False),
        (price(web_search=1), False),
        (price(images=(ImagePrice("*", "*", 0),)), False),
        (price(images=(ImagePrice("*", "*", 1),)), True),
        (price(request=1), True),
        (price(second=1), True),
        (price(character=1), True),
        (price(rates=RATES), True),
        (price(tiers=(tier(10, 1),)), True),
    ],
)
def test_is_priced(one: Price, sold: bool) -> None:
    assert is_priced(one) is sold


def test_explanation_names_tier_multiplier_and_lines() -> None:
    tiered = price(rates=RATES, tiers=(tier(1_000, 7_000_000),), web_search=5, request=1)
    usage = Usage(
        input=1_500, output=10, request=1, web_search=2, images=(ImageCount("1k", "low", 3),)
    )
    receipt = explain(usage, tiered, Multiplier(1, 2))
    assert receipt.tier_above == 1_000
    assert receipt.multiplier == Multiplier(1, 2)
    assert [(line.item, line.count, line.unit, line.rate) for line in receipt.lines] == [
        ("input", 1_500, "per_million_tokens", 7_000_000),
        ("output", 10, "per_million_tokens", 7_000_000),
        ("request", 1, "each", 1),
        ("web_search", 2, "each", 5),
        ("image 1k low", 3, "each", 0),
    ]
    assert explain(Usage(input=1_000), tiered, ONE).tier_above is None


def by_hand(receipt: Explanation) -> int:
    """Recompute a receipt from its printed counts and rates alone."""
    million = {"per_million_tokens": 1_000_000, "each": 1}
    total = sum(
        (Fraction(line.count * line.rate, million[line.unit]) for line in receipt.lines),
        Fraction(0),
    )
    return ceil(total * receipt.multiplier.num / receipt.multiplier.den)


@given(usages, prices, multipliers)
def test_receipt_by_hand_equals_the_charge(
    usage: Usage, one: Price, multiplier: Multiplier
) -> None:
    assume(is_priced(one))
    receipt = explain(usage, one, multiplier)
    assert charge(usage, one, multiplier) == receipt.total == by_hand(receipt)
    assert receipt.total <= MAX_AMOUNT
    assert list_cost(usage, one) == charge(usage, one, ONE)


@given(usages, prices)
def test_rounding_costs_less_than_a_nano_dollar(usage: Usage, one: Price) -> None:
    assume(is_priced(one))
    receipt = explain(usage, one, ONE)
    exact = Fraction(sum(line.parts for line in receipt.lines), 1_000_000)
    assert 0 <= receipt.total - exact < 1
    assert receipt.total < 10**9 * NANO


@given(
    prices,
    st.none() | st.sampled_from(SIZES),
    st.none() | st.sampled_from(QUALITIES),
    st.sampled_from([*SIZES, "auto"]),
    st.sampled_from([*QUALITIES, "auto"]),
)
def test_no_image_costs_more_than_the_dearest(
    one: Price, size: str | None, quality: str | None, any_size: str, any_quality: str
) -> None:
    image = ImageCount(size or any_size, quality or any_quality, 1)
    try:
        dearest = dearest_image(one, size, quality)
    except Unpriced:
        assert not one.images
        return
    assert list_cost(Usage(images=(image,)), one) <= dearest
    assert dearest <= max((row.price for row in one.images), default=0)


GUESS = Usage(
    input=5, audio_output=50, second=9, character=22, images=(ImageCount("auto", "auto", 1),)
)


@pytest.mark.parametrize(
    ("sold", "told", "billed"),
    [
        # Everything that is sold was told.
        ({"rates": RATES}, Usage(input=7, second=3), None),
        ({"character": 15}, Usage(character=22), None),
        ({"second": 15}, Usage(second=3), None),
        ({"images": (ImagePrice("*", "*", 4),)}, Usage(images=GUESS.images), None),
        ({"request": 5}, Usage(character=22), None),
        # What was told is not what is sold.
        ({"rates": RATES}, Usage(character=22), Usage(input=5, audio_output=50, character=22)),
        ({"second": 15}, Usage(audio_input=37), Usage(audio_input=37, second=9)),
        ({"character": 15}, Usage(input=3), Usage(input=3, character=22)),
        ({"images": (ImagePrice("*", "*", 4),)}, Usage(), Usage(images=GUESS.images)),
    ],
)
def test_what_is_sold_but_was_not_told_is_estimated(
    sold: dict[str, object], told: Usage, billed: Usage | None
) -> None:
    assert completed(told, GUESS, price(**sold)) == (billed or told, billed is not None)


def test_nothing_is_estimated_from_nothing() -> None:
    assert completed(Usage(), Usage(), price(rates=RATES, second=1)) == (Usage(), False)


@given(usages, usages, prices)
def test_what_is_missing_is_filled_in_once(told: Usage, guess: Usage, one: Price) -> None:
    assume(is_priced(one))
    full, estimated = completed(told, guess, one)
    assert completed(full, guess, one) == (full, False)
    if not estimated:
        assert full == told
    for item in ("second", "character", "images"):
        assert getattr(full, item) in (getattr(told, item), getattr(guess, item))


@given(st.integers(0, 10**15), st.integers(0, 10**6), st.integers(1, 10**6))
def test_what_the_operator_pays_is_exact_and_rounded_up(nano: int, num: int, den: int):
    paid = own_cost(nano, Multiplier(num, den))
    assert (paid - 1) * den < nano * num <= paid * den


@given(st.integers(0, 10**15), st.integers(1, 10**6))
def test_list_price_is_list_price_however_it_is_written(nano: int, same: int):
    assert own_cost(nano, Multiplier(same, same)) == nano
