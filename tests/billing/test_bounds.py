"""Tests of bounds: nothing costs more than its hold, and nothing is sent without a limit."""

import dataclasses

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.billing.price_strategies import QUALITIES, SERVICES, SIZES, multipliers, prices
from tollbridge.billing.bounds import Ask, Bound, Unaffordable, bound, counted_cost, input_bound
from tollbridge.billing.pricing import Unpriced, charge
from tollbridge.catalog.prices import ImagePrice, Price, Rates, Service, Tier
from tollbridge.core.money import NANO, Multiplier
from tollbridge.protocols.blobs import BlobScan
from tollbridge.protocols.media_usage import Counted
from tollbridge.protocols.usage import ImageCount, Usage

ONE = Multiplier(1, 1)
# $1 a million in, $10 a million out: 1,000 and 10,000 nano-dollars a token.
PRICE = Price(id=1, model="a-model", rates=Rates.filled({"input": NANO, "output": 10 * NANO}))
ASK = Ask(input_tokens=100, limit=None, copies=1, max_output=8_000, floor_tokens=1_000, share=4)
WORST = 100 * 1_000 + 8_000 * 10_000
FLOOR = 100 * 1_000 + 1_000 * 10_000

_small = st.integers(min_value=0, max_value=200_000)
asks = st.builds(
    Ask,
    input_tokens=_small,
    limit=st.none() | st.integers(min_value=1, max_value=130_000),
    copies=st.integers(min_value=1, max_value=128),
    max_output=st.integers(min_value=1, max_value=130_000),
    floor_tokens=st.integers(min_value=1, max_value=10_000),
    share=st.integers(min_value=1, max_value=8),
    media_in=st.booleans(),
    media_out=st.booleans(),
    searches=st.integers(min_value=0, max_value=3),
)
tiers_named = st.sampled_from(["", *SERVICES, "unheard-of"])
money = st.integers(min_value=0, max_value=10**13)
# Free money in thousandths of the least that the call needs: from exactly enough to plenty.
wealth = st.integers(min_value=1_000, max_value=40_000)


def held(ask: Ask, available: int, price: Price = PRICE, multiplier: Multiplier = ONE) -> Bound:
    outcome = bound(ask, price, multiplier, available)
    assert isinstance(outcome, Bound)
    return outcome


@pytest.mark.parametrize(
    ("size", "blobs", "tokens"),
    [
        (1_001, BlobScan(), 501),
        (0, BlobScan(), 0),
        (10_000_000, BlobScan(), 128_000),
        (5_000, BlobScan(count=2, bytes=4_000), 500 + 2 * 3_000),
        (5_000, BlobScan(count=200, bytes=4_000), 128_000),
        (10, BlobScan(opaque=True), 128_000),
    ],
)
def test_input_bound(size: int, blobs: BlobScan, tokens: int) -> None:
    assert input_bound(size, blobs, context=128_000, blob_tokens=3_000) == tokens


def test_worst_is_held_when_a_share_of_the_money_covers_it() -> None:
    assert held(ASK, 4 * WORST) == Bound(amount=WORST, output_limit=None, worst=WORST)


def test_the_clients_own_limit_is_left_alone_when_it_fits() -> None:
    own = msgspec.structs.replace(ASK, limit=500)
    assert held(own, 4 * FLOOR) == Bound(5_100_000, None, 5_100_000)


def test_less_money_writes_the_limit_that_a_share_of_it_pays_for() -> None:
    # A quarter of $0.08 is $0.02: less 100 input tokens, 1,990 output tokens.
    assert held(ASK, 80_000_000) == Bound(20_000_000, 1_990, WORST)
    own = msgspec.structs.replace(ASK, limit=5_000)
    assert held(own, 80_000_000) == Bound(20_000_000, 1_990, 50_100_000)


def test_the_floor_is_held_even_when_it_is_more_than_a_share() -> None:
    assert held(ASK, FLOOR) == Bound(FLOOR, 1_000, WORST)


def test_without_money_for_the_floor_the_affordable_limit_is_named() -> None:
    assert bound(ASK, PRICE, ONE, FLOOR - 1) == Unaffordable(999)
    assert bound(ASK, PRICE, ONE, 110_000) == Unaffordable(1)
    assert bound(ASK, PRICE, ONE, 50_000) == Unaffordable(0)
    assert bound(ASK, PRICE, ONE, 0) == Unaffordable(0)
    assert bound(ASK, PRICE, ONE, -1) == Unaffordable(0)


def test_the_affordable_limit_works_when_the_client_asks_for_it() -> None:
    refused = bound(ASK, PRICE, ONE, FLOOR // 2)
    assert isinstance(refused, Unaffordable)
    retried = held(msgspec.structs.replace(ASK, limit=refused.affordable_tokens), FLOOR // 2)
    assert retried.output_limit is None


def test_a_small_own_limit_needs_only_itself() -> None:
    own = msgspec.structs.replace(ASK, limit=10)
    assert held(own, 200_000) == Bound(200_000, None, 200_000)
    assert bound(own, PRICE, ONE, 199_999) == Unaffordable(9)


def test_the_floor_is_shared_by_the_copies() -> None:
    four = msgspec.structs.replace(ASK, copies=4)
    assert held(four, FLOOR) == Bound(FLOOR, 250, 100_000 + 4 * 80_000_000)
    many = msgspec.structs.replace(ASK, copies=128, floor_tokens=100)
    assert held(many, 100_000 + 128 * 10_000).output_limit == 1


def test_media_and_searches_are_bounded_at_their_own_prices() -> None:
    rates = Rates.filled(
        {"input": NANO, "output": NANO, "audio_input": 3 * NANO, "image_output": 5 * NANO}
    )
    price = dataclasses.replace(PRICE, rates=rates, web_search=7, request=2)
    own = msgspec.structs.replace(ASK, limit=10, media_in=False)
    assert held(own, NANO, price).amount == 110_000 + 2
    assert held(msgspec.structs.replace(own, media_in=True), NANO, price).amount == 310_002
    assert held(msgspec.structs.replace(own, media_out=True), NANO, price).amount == 150_002
    assert held(msgspec.structs.replace(own, searches=3), NANO, price).amount == 110_002 + 21


def test_the_dearest_service_tier_is_held() -> None:
    fast = Service("priority", Rates.filled({"input": 2 * NANO, "output": 15 * NANO}))
    # Above 50 input tokens 3,000 and 20,000 nano-dollars a token.
    long = Tier(50, Rates.filled({"input": 3 * NANO, "output": 20 * NANO}))
    all_used = Usage(input=100, output=8_000)
    for service in (fast, dataclasses.replace(fast, tiers=(long,))):
        price = dataclasses.replace(PRICE, services=(service,))
        worst = charge(all_used, price.served("priority"), ONE)
        assert held(ASK, 10**12, price).amount == worst > WORST


def test_a_model_without_output_gets_no_limit_written() -> None:
    embedding = msgspec.structs.replace(ASK, max_output=0)
    assert held(embedding, 4 * NANO) == Bound(100_000, None, 100_000)
    assert held(embedding, 100_000) == Bound(100_000, None, 100_000)
    assert bound(embedding, PRICE, ONE, 99_999) == Unaffordable(0)


def test_a_free_channel_still_holds_something() -> None:
    free = Multiplier(0, 1)
    assert held(ASK, 100, multiplier=free) == Bound(1, None, 1)
    assert held(ASK, 1, multiplier=free) == Bound(1, None, 1)
    assert bound(ASK, PRICE, free, 0) == Unaffordable(0)


def within(data: st.DataObject, ask: Ask, limit: int) -> Usage:
    """Draw a usage that uses no more than an ask and its limit allow."""
    names = ["input", "cache_read", "cache_write_5m", "cache_write_1h"]
    names += ["audio_input", "image_input"] if ask.media_in else []
    left, counts = ask.input_tokens, {}
    for name in names:
        counts[name] = data.draw(st.integers(0, left), name)
        left -= counts[name]
    left = limit * ask.copies
    for name in ["output", "audio_output", "image_output"] if ask.media_out else ["output"]:
        counts[name] = data.draw(st.integers(0, left) | st.just(left), name)
        left -= counts[name]
    searches = data.draw(st.integers(0, ask.searches))
    return Usage(**counts, request=data.draw(st.sampled_from([0, 1])), web_search=searches)


def least_of(ask: Ask, price: Price, multiplier: Multiplier) -> int:
    """Return the smallest hold with which an ask may be sent."""
    own = ask.max_output if ask.limit is None else ask.limit
    small = msgspec.structs.replace(ask, limit=min(own, max(ask.floor_tokens // ask.copies, 1)))
    return held(small, 10**30, price, multiplier).worst


@given(st.data(), asks, prices, multipliers, wealth)
def test_the_bound_is_true(
    data: st.DataObject, ask: Ask, price: Price, multiplier: Multiplier, thousandths: int
) -> None:
    available = least_of(ask, price, multiplier) * thousandths // 1_000
    outcome = held(ask, available, price, multiplier)
    assert 1 <= outcome.amount <= min(available, outcome.worst)
    own = ask.max_output if ask.limit is None else ask.limit
    limit = own if outcome.output_limit is None else outcome.output_limit
    assert 1 <= limit <= own
    # Whatever tier the answer names, asked for or not.
    served = price.served(data.draw(tiers_named))
    assert charge(within(data, ask, limit), served, multiplier) <= outcome.amount


@given(asks, prices, multipliers, wealth)
def test_a_written_limit_uses_what_the_hold_may_be(
    ask: Ask, price: Price, multiplier: Multiplier, thousandths: int
) -> None:
    least = least_of(ask, price, multiplier)
    available = least * thousandths // 1_000
    outcome = held(ask, available, price, multiplier)
    may_be = min(outcome.worst, max(least, available // ask.share))
    assert outcome.amount <= may_be
    if outcome.amount < outcome.worst:
        assert outcome.output_limit is not None
        longer = msgspec.structs.replace(ask, limit=outcome.output_limit + 1)
        assert held(longer, 10**30, price, multiplier).worst > may_be
    else:
        assert outcome.output_limit is None


@given(asks, prices, multipliers, money, money)
def test_more_money_never_buys_less(
    ask: Ask, price: Price, multiplier: Multiplier, some: int, more: int
) -> None:
    poor = bound(ask, price, multiplier, some)
    rich = bound(ask, price, multiplier, some + more)
    if isinstance(rich, Unaffordable):
        assert isinstance(poor, Unaffordable)
        assert poor.affordable_tokens <= rich.affordable_tokens
    elif isinstance(poor, Bound):
        assert poor.amount <= rich.amount
        assert poor.worst == rich.worst


@given(asks, prices, multipliers, st.integers(min_value=0, max_value=10**10))
def test_holds_one_after_another_leave_less_than_the_least_call(
    ask: Ask, price: Price, multiplier: Multiplier, available: int
) -> None:
    least = least_of(ask, price, multiplier)
    # Up to 64 holds first, then the rest as if all of it but less than two calls were held.
    for _ in range(64):
        outcome = bound(ask, price, multiplier, available)
        if isinstance(outcome, Unaffordable):
            break
        assert outcome.amount <= available
        available -= outcome.amount
    else:
        available %= 2 * least
        while isinstance(outcome := bound(ask, price, multiplier, available), Bound):
            available -= outcome.amount
    assert 0 <= available < least


SLICED = msgspec.structs.replace(ASK, slice_tokens=500)
SLICE = 100 * 1_000 + 500 * 10_000


def test_a_slice_is_held_whatever_the_share_and_no_limit_is_written() -> None:
    for available in (SLICE, 10**12):
        outcome = held(SLICED, available)
        assert (outcome.amount, outcome.output_limit, outcome.worst) == (SLICE, None, WORST)
        assert outcome.tariff is not None


def test_less_than_a_slice_is_held_down_to_the_floor() -> None:
    low = msgspec.structs.replace(SLICED, floor_tokens=200)
    least = 100 * 1_000 + 200 * 10_000
    assert held(low, SLICE - 1).amount == SLICE - 1
    assert held(low, least).amount == least
    assert bound(low, PRICE, ONE, least - 1) == Unaffordable(199)
    assert bound(SLICED, PRICE, ONE, SLICE - 1) == Unaffordable(499)


def test_what_a_slice_covers_anyway_is_held_as_a_whole() -> None:
    small = msgspec.structs.replace(SLICED, limit=500)
    assert held(small, 10**12) == Bound(SLICE, None, SLICE)


@given(asks, prices, multipliers, st.integers(1, 5_000), st.integers(0, 10**6), money, tiers_named)
def test_a_tariff_agrees_with_the_charge(
    ask: Ask,
    price: Price,
    multiplier: Multiplier,
    slice_tokens: int,
    tokens: int,
    available: int,
    tier: str,
) -> None:
    sliced = msgspec.structs.replace(ask, slice_tokens=slice_tokens, media_out=False)
    outcome = bound(sliced, price, multiplier, available)
    if isinstance(outcome, Unaffordable) or outcome.tariff is None:
        return
    tariff = outcome.tariff
    assert outcome.amount <= available and outcome.output_limit is None
    used = Usage(input=ask.input_tokens, output=tokens)
    cost = charge(used, price.served(tier), multiplier)
    assert min(cost, tariff.worst) <= tariff.cost(tokens)
    assert tariff.cost(tariff.tokens(outcome.amount)) <= outcome.amount <= tariff.worst


DRAWN = dataclasses.replace(
    PRICE,
    rates=Rates.filled({}),
    second=100_000,
    character=15_000,
    images=(
        ImagePrice("1024x1024", "standard", 40_000_000),
        ImagePrice("1024x1024", "hd", 80_000_000),
        ImagePrice("1792x1024", "*", 120_000_000),
    ),
)


@pytest.mark.parametrize(
    ("counted", "cost"),
    [
        (Counted(), 0),
        (Counted(images=2, size="1024x1024", quality="standard"), 80_000_000),
        (Counted(images=1, size="1024x1024"), 120_000_000),
        (Counted(images=1, quality="hd"), 120_000_000),
        (Counted(images=1, size="1792x1024", quality="low"), 120_000_000),
        (Counted(images=3), 360_000_000),
        (Counted(characters=22), 330_000),
        (Counted(seconds=37), 3_700_000),
    ],
)
def test_counted_items_cost_what_their_dearest_fitting_row_says(
    counted: Counted, cost: int
) -> None:
    assert counted_cost(counted, DRAWN) == cost


def test_a_price_of_counted_items_alone_is_held_without_tokens() -> None:
    own = msgspec.structs.replace(ASK, counted=7, max_output=0, whole=True)
    assert held(own, 100, DRAWN) == Bound(7, None, 7)
    assert held(own, 7, DRAWN, Multiplier(1, 2)) == Bound(4, None, 4)


@pytest.mark.parametrize("counted", [Counted(images=1), Counted(characters=1), Counted(seconds=1)])
def test_what_is_not_sold_is_unpriced(counted: Counted) -> None:
    with pytest.raises(Unpriced):
        counted_cost(counted, dataclasses.replace(PRICE, rates=Rates.filled({})))
    assert counted_cost(counted, PRICE) == 0


def test_what_cannot_be_limited_is_held_as_a_whole_or_not_at_all() -> None:
    own = msgspec.structs.replace(ASK, whole=True)
    assert held(own, WORST) == Bound(WORST, None, WORST)
    assert bound(own, PRICE, ONE, WORST - 1) == Unaffordable(0)


_sizes = st.sampled_from([*SIZES, "auto", "9x9"])
_qualities = st.sampled_from([*QUALITIES, "auto", "hd"])
counts = st.builds(
    Counted,
    images=st.integers(0, 5),
    size=st.none() | _sizes,
    quality=st.none() | _qualities,
    characters=st.integers(0, 5_000),
    seconds=st.integers(0, 5_000),
)


def items_within(data: st.DataObject, counted: Counted) -> Usage:
    """Draw counted items no more than a call may use."""
    left, images = counted.images, []
    while left:
        count = data.draw(st.integers(1, left))
        size = data.draw(_sizes) if counted.size is None else counted.size
        quality = data.draw(_qualities) if counted.quality is None else counted.quality
        images.append(ImageCount(size, quality, count))
        left -= count
    return Usage(
        second=data.draw(st.integers(0, counted.seconds) | st.just(counted.seconds)),
        character=counted.characters,
        images=tuple(images),
    )


@given(st.data(), asks, counts, prices, multipliers)
def test_the_bound_of_counted_items_is_true(
    data: st.DataObject, ask: Ask, counted: Counted, price: Price, multiplier: Multiplier
) -> None:
    items = items_within(data, counted)
    try:
        cost = counted_cost(counted, price)
    except Unpriced:
        whole = msgspec.structs.replace(items, second=counted.seconds)
        with pytest.raises(Unpriced):
            charge(whole, price, multiplier)
        return
    own = msgspec.structs.replace(ask, counted=cost, whole=data.draw(st.booleans()))
    available = least_of(own, price, multiplier) * data.draw(wealth) // 1_000
    outcome = bound(own, price, multiplier, available)
    if isinstance(outcome, Unaffordable):
        assert own.whole
        return
    assert outcome.amount <= available
    assert not own.whole or (outcome.output_limit is None and outcome.amount == outcome.worst)
    limit = ask.max_output if ask.limit is None else ask.limit
    limit = limit if outcome.output_limit is None else outcome.output_limit
    tokens = within(data, ask, limit)
    used = msgspec.structs.replace(
        tokens, second=items.second, character=items.character, images=items.images
    )
    assert charge(used, price, multiplier) <= outcome.amount
