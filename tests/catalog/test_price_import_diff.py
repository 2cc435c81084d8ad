"""Proof that a diff of prices tells every number that changes."""

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.catalog.plan import ImagePlan, LaterPlan, PricePlan, ServicePlan, TierPlan
from tollbridge.catalog.price_import_diff import differences, flat
from tollbridge.protocols.usage import TOKEN_BUCKETS

USD = 10**9
RATES = {"input": USD, "output": 2 * USD}
DEARER = {"input": 3 * USD, "output": 2 * USD}
FULL = PricePlan(
    RATES,
    (TierPlan(200_000, DEARER),),
    {"web_search": USD // 100},
    (ImagePlan("1024x1024", "low", 11),),
    (ServicePlan("flex", RATES, (TierPlan(5, DEARER),)),),
)
PLAIN = PricePlan(DEARER, (), {}, ())


def test_every_number_has_a_line() -> None:
    assert differences(FULL, PLAIN) == (
        "input: $1.00 → $3.00",
        "above 200,000 input: $3.00 → none",
        "above 200,000 output: $2.00 → none",
        "flex input: $1.00 → none",
        "flex output: $2.00 → none",
        "flex above 5 input: $3.00 → none",
        "flex above 5 output: $2.00 → none",
        "each web_search: $0.01 → none",
        "each image 1024x1024 low: $0.000000011 → none",
    )
    assert differences(None, PLAIN) == ("input: none → $3.00", "output: none → $2.00")
    assert differences(FULL, FULL) == ()


def test_later_prices_are_told_by_what_they_change() -> None:
    soon, then = LaterPlan(1_800_014_400_000, PLAIN), LaterPlan(1_800_057_600_000, PLAIN)
    base = PricePlan(RATES, (), {}, ())
    assert differences(base, base, [soon], [then]) == (
        "from 2027-01-15 12:00 UTC: not to come any more",
        "from 2027-01-16 00:00 UTC: input: $1.00 → $3.00",
    )
    assert differences(base, base, [soon], [soon]) == ()


rates = st.fixed_dictionaries(
    {"input": st.integers(0, 3), "output": st.integers(0, 3)},
    optional=dict.fromkeys(TOKEN_BUCKETS[1:4], st.integers(0, 3)),
)
tiers = st.lists(
    st.builds(TierPlan, st.integers(1, 3), rates), max_size=2, unique_by=lambda one: one.above
).map(lambda made: tuple(sorted(made, key=lambda one: one.above)))
services = st.lists(
    st.builds(ServicePlan, st.sampled_from(["flex", "batch"]), rates, tiers),
    max_size=2,
    unique_by=lambda one: one.name,
).map(lambda made: tuple(sorted(made, key=lambda one: one.name)))
plans = st.builds(
    PricePlan,
    rates,
    tiers,
    st.dictionaries(st.sampled_from(["request", "web_search"]), st.integers(0, 3)),
    st.just(()),
    services,
)


@given(plans, plans)
def test_no_line_means_no_difference(old: PricePlan, new: PricePlan) -> None:
    lines = differences(old, new)
    assert bool(lines) is (old != new)
    assert len(lines) == len({name for name, _ in flat(old).items() ^ flat(new).items()})
