"""Proof of a call's multiplier: which factors apply, exactly their product, always in 64 bits."""

import json
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.catalog.sample import CHANNEL, ENVIRON, MODEL, SITE
from tollbridge.catalog.factors import FACTOR_MAX, lasting_multiplier, multiplier_of
from tollbridge.catalog.file import FileError, parse_file
from tollbridge.catalog.peak import Peak
from tollbridge.catalog.snapshot import Channel, Site, Snapshot
from tollbridge.core.money import MAX_AMOUNT, NANO, Multiplier

NINE = int(datetime(2026, 1, 5, 9, tzinfo=UTC).timestamp() * 1000)
NOON = NINE + 3 * 3_600_000
ONE = Multiplier(1, 1)
HALF_UP, LESS, TWICE = Multiplier(3, 2), Multiplier(9, 10), Multiplier(2, 1)
MORNING = Peak(540, 600, frozenset(range(7)), "UTC", TWICE)


def channel(multiplier: Multiplier, peak: Peak | None = None) -> Channel:
    return Channel(
        *(1, "main", "openai", frozenset(), frozenset(), multiplier, frozenset(), "any"),
        *(frozenset("*"), True, ()),
        peak=peak,
    )


def catalogue(only: Channel, groups: dict[str, Multiplier]) -> Snapshot:
    return Snapshot.build(1, Site(), [only], [], groups)


@pytest.mark.parametrize(
    ("groups", "peak", "group", "at_ms", "whole", "parts"),
    [
        ({}, None, "vip", NINE, HALF_UP, None),
        ({"vip": LESS}, None, "default", NINE, HALF_UP, None),
        ({}, MORNING, "vip", NOON, HALF_UP, None),
        # 3/2 x 9/10 = 27/20.
        ({"vip": LESS}, None, "vip", NINE, Multiplier(27, 20), ["channel", "group"]),
        ({"vip": LESS}, MORNING, "vip", NOON, Multiplier(27, 20), ["channel", "group"]),
        # 3/2 x 2 = 3.
        ({"vip": LESS}, MORNING, "default", NINE, Multiplier(3, 1), ["channel", "peak"]),
        # 3/2 x 9/10 x 2 = 27/10.
        ({"vip": LESS}, MORNING, "vip", NINE, Multiplier(27, 10), ["channel", "group", "peak"]),
    ],
)
def test_what_applies(groups, peak, group, at_ms, whole, parts):
    one = channel(HALF_UP, peak)
    found, text = multiplier_of(catalogue(one, groups), one, group, at_ms)
    assert found == whole
    if parts is None:
        # The usual call makes nothing: it has the channel's own object.
        assert text is None
        assert found is one.multiplier
    else:
        values = {"channel": [3, 2], "group": [9, 10], "peak": [2, 1]}
        assert json.loads(text) == [[name, *values[name]] for name in parts]


def test_what_lasts_is_without_the_hour():
    one = channel(HALF_UP, MORNING)
    view = catalogue(one, {"vip": LESS})
    assert lasting_multiplier(view, one, "vip") == Multiplier(27, 20)
    assert lasting_multiplier(view, one, "default") is one.multiplier


thousandths = st.integers(1, FACTOR_MAX * 1_000).map(
    lambda num: Multiplier.parse(f"{num / 1000:.3f}")
)
billionths = st.integers(1, 100 * NANO).map(
    lambda num: Multiplier.parse(f"{num // NANO}.{num % NANO:09d}")
)


@given(billionths, thousandths, thousandths)
@example(Multiplier.parse("99.999999999"), Multiplier(4_999, 1_000), Multiplier(4_999, 1_000))
@example(Multiplier.parse("0.000000001"), Multiplier(1, 1_000), Multiplier(1, 1_000))
def test_every_product_is_exact_and_fits(own: Multiplier, group: Multiplier, factor: Multiplier):
    always = Peak(0, 1_440, frozenset(range(7)), "Asia/Kolkata", factor)
    one = channel(own, always)
    whole, text = multiplier_of(catalogue(one, {"vip": group}), one, "vip", NINE)
    product = Fraction(own.num, own.den) * Fraction(group.num, group.den)
    product *= Fraction(factor.num, factor.den)
    assert Fraction(whole.num, whole.den) == product
    assert 0 < whole.num <= MAX_AMOUNT
    assert 0 < whole.den <= MAX_AMOUNT
    # Shown as a plain decimal: the receipt can say it without a fraction.
    assert Fraction(whole.text()) == product
    assert text is not None
    assert [Multiplier(num, den) for _, num, den in json.loads(text)] == [own, group, factor]


def test_the_limits_of_a_file_are_those_that_were_proved():
    def multiplier(text: str) -> Multiplier:
        file = SITE + MODEL + CHANNEL.replace('"0.15"', f'"{text}"')
        return parse_file(file, ENVIRON).channels[0].multiplier

    assert multiplier("100") == Multiplier(100, 1)
    assert multiplier("0.000000001") == Multiplier(1, NANO)
    for wrong in ("100.000000001", "0", "0.0000000001"):
        with pytest.raises(FileError, match="multiplier must"):
            multiplier(wrong)
