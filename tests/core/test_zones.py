"""Proof that days and hours of a zone are what its clocks show, moment by moment."""

from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core import zones
from tollbridge.core.zones import (
    Span,
    day_at,
    day_of,
    days,
    exact_at,
    first_ms,
    hours,
    month,
    next_month,
    offset_text,
    text_at,
    zone_of,
)

_FIVE_MS = 300_000
NAMES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Pacific/Chatham",
    "Africa/Cairo",
    "America/Havana",
    "America/Sao_Paulo",
    "Pacific/Apia",
)
# Days around changes of clocks, the year's ends and a day that Samoa left out.
NEAR = [
    date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 5), date(2026, 4, 24), date(2026, 10, 4),
    date(2026, 10, 25), date(2026, 11, 1), date(2026, 1, 1), date(2018, 2, 18), date(2018, 11, 4),
    date(2011, 12, 30), date(2024, 2, 29),
]  # fmt: skip


def clock(zone: ZoneInfo, at_ms: int) -> datetime:
    """Return what the zone's clocks show, by the standard library alone."""
    return datetime.fromtimestamp(at_ms // 1000, zone)


@given(st.sampled_from(NAMES), st.sampled_from(NEAR), st.integers(-3, 3), st.integers(1, 4))
def test_spans_are_what_clocks_show(name: str, near: date, beside: int, count: int):
    zone = zone_of(name)
    first = near + timedelta(days=beside)
    until = first + timedelta(days=count)
    start = int(datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp()) * 1000
    moments = [
        at
        for at in range(start - 2 * 86_400_000, start + (count + 2) * 86_400_000, _FIVE_MS)
        if first <= clock(zone, at).date() < until
    ]
    for walk, label in (
        (days, lambda at: clock(zone, at).date()),
        (hours, lambda at: (clock(zone, at).hour, clock(zone, at).utcoffset())),
    ):
        expected = [(at[0], at[-1] + _FIVE_MS) for at in map(list, _runs(moments, label))]
        found = list(walk(zone, first, until))
        assert [span[:2] for span in found] == expected
        for span in found:
            shown = clock(zone, span.start_ms)
            assert span.text() == shown.isoformat()
            assert span.day == shown.date() == day_at(zone, span.start_ms)


def _runs(moments: list[int], label):
    return [list(group) for _, group in groupby(moments, label)]


def test_days_of_23_and_25_hours():
    zone = zone_of("Europe/Berlin")
    [spring] = days(zone, date(2026, 3, 29), date(2026, 3, 30))
    [autumn] = days(zone, date(2026, 10, 25), date(2026, 10, 26))
    assert [(one.end_ms - one.start_ms) // 3_600_000 for one in (spring, autumn)] == [23, 25]
    twice = [one.text() for one in hours(zone, autumn.day, date(2026, 10, 26))][2:4]
    assert twice == ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"]


def test_half_an_hour():
    zone = zone_of("Australia/Lord_Howe")
    found = list(hours(zone, date(2026, 4, 5), date(2026, 4, 6)))
    assert found[2].text() == "2026-04-05T01:30:00+10:30"
    assert found[2].end_ms - found[2].start_ms == 1_800_000


def test_a_day_left_out():
    zone = zone_of("Pacific/Apia")
    found = [one.day.day for one in days(zone, date(2011, 12, 28), date(2012, 1, 1))]
    assert found == [28, 29, 31]
    assert first_ms(zone, date(2011, 12, 30)) == first_ms(zone, date(2011, 12, 31))


def test_months():
    for name in NAMES:
        zone = zone_of(name)
        before = None
        for number in range(1, 13):
            span = month(zone, 2026, number)
            assert before in (None, span.start_ms)
            before = span.end_ms
            assert clock(zone, span.start_ms).month == number
            assert clock(zone, span.start_ms - 1000).month != number
    assert month(zone_of("UTC"), 2099, 12).end_ms == 4_102_444_800_000
    with pytest.raises(ValueError, match="between"):
        month(zone_of("UTC"), 1999, 12)
    assert next_month(date(2026, 12, 1)) == date(2027, 1, 1)


@pytest.mark.parametrize(
    "name", ["", "Mars/Base", "/etc/passwd", "../UTC", "Europe", "berlin/europe", "UTC\0", "x" * 99]
)
def test_what_is_no_zone(name: str):
    with pytest.raises(ValueError, match="IANA"):
        zone_of(name)


@pytest.mark.parametrize(
    "text", ["", "2026-3-29", "20260329", "2026-W13-7", "2026-02-30", "1999-12-31", "2100-01-01"]
)
def test_what_is_no_day(text: str):
    with pytest.raises(ValueError, match="like 2026-03-29"):
        day_of(text)


def test_texts():
    assert day_of("2026-03-29") == date(2026, 3, 29)
    assert [offset_text(at) for at in (0, 19_800, -34_200)] == ["+00:00", "+05:30", "-09:30"]
    assert text_at(zone_of("Asia/Kolkata"), 0) == "1970-01-01T05:30:00+05:30"
    assert exact_at(zone_of("Asia/Kolkata"), 7) == "1970-01-01T05:30:00.007+05:30"
    assert Span(0, 1, -3600).day == date(1969, 12, 31)
    assert zones.FIRST_DAY < zones.LAST_DAY
