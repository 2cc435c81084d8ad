"""Owns random prices, multipliers and usages for the property tests of money."""

from hypothesis import strategies as st

from tollbridge.catalog.prices import ImagePrice, Price, Rates, Service, Tier
from tollbridge.core.money import Multiplier
from tollbridge.protocols.usage import TOKEN_BUCKETS, ImageCount, Usage

SIZES = ("1024x1024", "1536x1024", "*")
QUALITIES = ("low", "high", "*")
SERVICES = ("flex", "priority")

_money = st.integers(min_value=0, max_value=10**12)
_counts = st.integers(min_value=0, max_value=10**9)
_few = st.integers(min_value=0, max_value=20)

rates = st.builds(Rates, **dict.fromkeys(TOKEN_BUCKETS, _money))
tiers = st.builds(Tier, above=_counts, rates=rates)
image_prices = st.builds(
    ImagePrice, size=st.sampled_from(SIZES), quality=st.sampled_from(QUALITIES), price=_money
)
services = st.builds(
    Service,
    name=st.sampled_from(SERVICES),
    rates=rates,
    tiers=st.lists(tiers, max_size=1).map(tuple),
)
prices = st.builds(
    Price,
    id=st.just(1),
    model=st.just("a-model"),
    rates=rates,
    tiers=st.lists(tiers, max_size=2).map(tuple),
    request=_money,
    second=_money,
    character=st.integers(min_value=0, max_value=10**6),
    web_search=_money,
    images=st.lists(image_prices, max_size=3).map(tuple),
    services=st.lists(services, max_size=2, unique_by=lambda one: one.name).map(tuple),
)
multipliers = st.builds(
    Multiplier, num=st.integers(min_value=0, max_value=5000), den=st.sampled_from([1, 3, 20, 1000])
)
_images = st.builds(
    ImageCount, size=st.sampled_from(SIZES), quality=st.sampled_from(QUALITIES), count=_few
)
_tokens = st.one_of(st.just(0), st.integers(min_value=0, max_value=10**6))
usages = st.builds(
    Usage,
    **dict.fromkeys(TOKEN_BUCKETS, _tokens),
    request=st.sampled_from([0, 1]),
    web_search=_few,
    second=_few,
    character=_few,
    images=st.lists(_images, max_size=2).map(tuple),
)
