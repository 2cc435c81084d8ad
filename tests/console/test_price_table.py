"""The twin of console/price_table.py: what is shown is what a call is charged, to the last digit."""

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tests.console.test_clients import channel
from tollbridge.billing.pricing import MILLION, charge
from tollbridge.catalog.peak import Peak
from tollbridge.catalog.prices import ImagePrice, Price, Rates, Service, Tier
from tollbridge.catalog.snapshot import Channel, Model, Site, Snapshot
from tollbridge.console.price_table import Line, dollars, lines_of, offers_of
from tollbridge.core.money import NANO, Multiplier
from tollbridge.protocols.usage import Usage

NOW = 1_767_225_600_000
AMOUNTS = st.integers(0, 10**12)


def sold(price: Price, name: str = "gpt-5.4") -> Model:
    return Model(1, name, 4000, 100, price)


def lines(snapshot: Snapshot, group: str = "default", wish: str = "") -> list[Line]:
    """Return the lines of the only channel."""
    [offer] = offers_of(snapshot, snapshot.channels.values(), group, NOW, wish)
    return lines_of(snapshot, offer, 100)


@given(AMOUNTS, st.integers(1, 10**6), st.integers(1, 5000))
def test_a_million_tokens_are_charged_what_is_shown(output: int, own: int, of_group: int) -> None:
    price = Price(1, "gpt-5.4", Rates.filled({"input": 1, "output": output}))
    own_factor, group_factor = Multiplier(own, 1000), Multiplier(of_group, 1000)
    snapshot = Snapshot.build(1, Site(), [_with(own_factor)], [sold(price)], {"vip": group_factor})
    [line] = lines(snapshot, "vip")
    assert line.output is not None
    shown = Fraction(line.output.replace("$", "").replace(",", ""))
    [offer] = offers_of(snapshot, snapshot.channels.values(), "vip", NOW)
    charged = charge(Usage(output=MILLION), price, offer.multiplier)
    assert charged - 1 < shown * NANO <= charged
    assert shown == Fraction(output * own * of_group, NANO * 10**6)


def test_peak_hours_count_while_they_last() -> None:
    every, double = frozenset(range(7)), Multiplier(2, 1)
    price = Price(1, "gpt-5.4", Rates.filled({"input": NANO, "output": 4 * NANO}))
    for start, end, shown in ((0, 60, "$8.00"), (60, 120, "$4.00")):
        peak = Peak(start, end, every, "UTC", double)
        snapshot = Snapshot.build(1, Site(), [_with(Multiplier(1, 1), peak)], [sold(price)])
        [offer] = offers_of(snapshot, snapshot.channels.values(), "default", NOW)
        assert offer.peak_now == (shown == "$8.00")
        assert [line.output for line in lines(snapshot)] == [shown]


def test_all_that_costs_is_told() -> None:
    rates = Rates.filled({"input": 100, "output": 200, "cache_read": 10, "audio_input": 300})
    tier = Tier(200_000, Rates.filled({"input": 150, "output": 250}))
    price = Price(
        1, "gpt-5.4", rates, tiers=(tier,), request=7, web_search=8,
        images=(ImagePrice("1024x1024", "high", 9), ImagePrice("*", "*", 3)),
        services=(Service("flex", Rates.filled({"input": 50, "output": 60})),),
    )  # fmt: skip
    found = lines(Snapshot.build(1, Site(), [_with(Multiplier(1, 1))], [sold(price)]))
    assert [(one.sort, one.name, one.above) for one in found] == [
        ("model", "gpt-5.4", 0), ("tier", "gpt-5.4", 200_000), ("service", "flex", 0),
    ]  # fmt: skip
    assert found[0].cached == "$0.00000001" and found[1].cached == "$0.00000015"
    extras = [(one.what, one.price) for one in found[0].extras]
    assert extras == [
        ("Audio in, a million tokens", "$0.0000003"),
        ("Each request", "$0.000000007"),
        ("Each web search", "$0.000000008"),
        ("1024x1024 high", "$0.000000009"),
        ("Each image", "$0.000000003"),
    ]


def test_what_has_no_price_is_not_shown_and_what_sells_no_tokens_shows_none() -> None:
    none = Price(1, "free", Rates.filled({}))
    by_call = Price(2, "by-call", Rates.filled({}), request=NANO)
    models = [sold(none, "free"), sold(by_call, "by-call"), Model(3, "unpriced", 1, 1, None)]
    found = lines(Snapshot.build(1, Site(), [_with(Multiplier(1, 2))], models))
    assert [one.name for one in found] == ["by-call"]
    assert (found[0].input, found[0].cached, found[0].output) == (None, None, None)
    assert found[0].extras[0].price == "$0.50"


def test_a_search_finds_parts_of_names_whatever_their_case() -> None:
    price = Price(1, "x", Rates.filled({"input": 1, "output": 1}))
    models = [sold(price, "gpt-5.4"), sold(price, "Claude-x")]
    snapshot = Snapshot.build(1, Site(), [_with(Multiplier(1, 1))], models)
    assert [one.name for one in lines(snapshot, wish="CLAUDE")] == ["Claude-x"]
    assert len(lines(snapshot, wish="c1")) == 2
    assert offers_of(snapshot, snapshot.channels.values(), "default", NOW, "other") == []


def test_dollars_have_cents_and_thousands() -> None:
    assert dollars(1_234_500 * NANO, Multiplier(1, 1)) == "$1,234,500.00"
    assert dollars(NANO // 2, Multiplier(1, 4)) == "$0.125"


def _with(multiplier: Multiplier, peak: Peak | None = None) -> Channel:
    return replace(channel(), multiplier=multiplier, peak=peak)
