"""Proof of peak hours: local ones, over midnight, on the days they began, whatever the clocks do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.catalog.peak import DAYS, MINUTES, Peak, clock_text, minutes_of, zone_of
from tollbridge.core.money import Multiplier

ALWAYS = frozenset(range(7))
ZONES = (
    *("UTC", "Asia/Shanghai", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe"),
    *("America/St_Johns", "Europe/Berlin", "Pacific/Chatham", "Pacific/Apia"),
)
# From 1970 to 2099, in milliseconds.
moments = st.integers(0, 4_102_444_800_000 - 1)
minutes = st.integers(0, MINUTES - 1)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def peak(start: str, end: str, zone: str = "UTC", days: str = " ".join(DAYS)) -> Peak:
    chosen = frozenset(DAYS.index(day) for day in days.split())
    return Peak(minutes_of(start), minutes_of(end), chosen, zone, Multiplier(2, 1))


@given(moments, st.sampled_from(ZONES))
def test_a_whole_day_covers_every_moment(at_ms: int, zone: str):
    assert peak("00:00", "24:00", zone).covers(at_ms)


@given(moments, minutes, minutes, st.sampled_from(ZONES))
def test_each_minute_is_in_the_hours_or_in_their_complement(
    at_ms: int, start: int, end: int, zone: str
):
    if start == end:
        return
    hours = Peak(start, end, ALWAYS, zone, Multiplier(2, 1))
    others = Peak(end, start, ALWAYS, zone, Multiplier(2, 1))
    assert hours.covers(at_ms) != others.covers(at_ms)


@given(
    moments, minutes, st.integers(1, MINUTES - 1), st.frozensets(st.integers(0, 6)),
    st.sampled_from(ZONES),
)  # fmt: skip
def test_the_day_is_the_one_on_which_the_hours_began(
    at_ms: int, start: int, lasts: int, days: frozenset[int], zone: str
):
    # Walls are compared, not instants: what the clock shows is what counts.
    wall = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone))
    wall = wall.replace(tzinfo=None)
    midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
    expected = any(
        begun.weekday() in days and begun <= wall < begun + timedelta(minutes=lasts)
        for begun in (midnight + timedelta(days=back, minutes=start) for back in (0, -1))
    )
    end = (start + lasts) % MINUTES or MINUTES
    assert Peak(start, end, days, zone, Multiplier(2, 1)).covers(at_ms) == expected


@pytest.mark.parametrize(
    ("hours", "at", "covered"),
    [
        # The edges: the first minute is inside, the last is not.
        (peak("09:00", "17:00"), "2026-01-05T08:59:59.999+00:00", False),
        (peak("09:00", "17:00"), "2026-01-05T09:00:00+00:00", True),
        (peak("09:00", "17:00"), "2026-01-05T16:59:59.999+00:00", True),
        (peak("09:00", "17:00"), "2026-01-05T17:00:00+00:00", False),
        # Friday night goes on into Saturday, Saturday night is nobody's; 2026-01-09 is a Friday.
        (peak("22:00", "02:00", days="fri"), "2026-01-09T01:30:00+00:00", False),
        (peak("22:00", "02:00", days="fri"), "2026-01-09T23:30:00+00:00", True),
        (peak("22:00", "02:00", days="fri"), "2026-01-10T01:30:00+00:00", True),
        (peak("22:00", "02:00", days="fri"), "2026-01-10T02:00:00+00:00", False),
        (peak("22:00", "02:00", days="fri"), "2026-01-10T23:30:00+00:00", False),
        # Sunday's night ends on Monday: the week is a circle.
        (peak("22:00", "02:00", days="sun"), "2026-01-12T01:59:00+00:00", True),
        (peak("22:00", "00:00", days="sun"), "2026-01-11T23:59:00+00:00", True),
        (peak("22:00", "00:00", days="sun"), "2026-01-12T00:00:00+00:00", False),
        # Zones of half and quarter hours: 09:00 in Kolkata is 03:30 UTC, in Kathmandu 03:15 UTC.
        (peak("09:00", "10:00", "Asia/Kolkata"), "2026-01-05T03:29:00+00:00", False),
        (peak("09:00", "10:00", "Asia/Kolkata"), "2026-01-05T03:30:00+00:00", True),
        (peak("09:00", "10:00", "Asia/Kathmandu"), "2026-01-05T03:14:59+00:00", False),
        (peak("09:00", "10:00", "Asia/Kathmandu"), "2026-01-05T03:15:00+00:00", True),
        # The local day counts: Monday 01:00 in Shanghai is still Sunday in UTC.
        (peak("00:00", "24:00", "Asia/Shanghai", "mon"), "2026-01-04T17:00:00+00:00", True),
        (peak("00:00", "24:00", "Asia/Shanghai", "sun"), "2026-01-04T17:00:00+00:00", False),
        # Clocks forward, Berlin 2026-03-29: 02:00 becomes 03:00, so the hour 02:00 is never there.
        (peak("02:00", "03:00", "Europe/Berlin"), "2026-03-29T00:59:59+00:00", False),
        (peak("02:00", "03:00", "Europe/Berlin"), "2026-03-29T01:00:00+00:00", False),
        (peak("02:30", "04:00", "Europe/Berlin"), "2026-03-29T01:00:00+00:00", True),
        # And it moves with the people: 09:00 is 08:00 UTC in winter, 07:00 UTC in summer.
        (peak("09:00", "10:00", "Europe/Berlin"), "2026-03-28T08:00:00+00:00", True),
        (peak("09:00", "10:00", "Europe/Berlin"), "2026-03-29T08:00:00+00:00", False),
        (peak("09:00", "10:00", "Europe/Berlin"), "2026-03-29T07:00:00+00:00", True),
        # Clocks back, 2026-10-25: the hour 02:00 comes twice and counts twice.
        (peak("02:00", "03:00", "Europe/Berlin"), "2026-10-24T23:59:59+00:00", False),
        (peak("02:00", "03:00", "Europe/Berlin"), "2026-10-25T00:30:00+00:00", True),
        (peak("02:00", "03:00", "Europe/Berlin"), "2026-10-25T01:30:00+00:00", True),
        (peak("02:00", "03:00", "Europe/Berlin"), "2026-10-25T02:00:00+00:00", False),
        # Lord Howe moves by half an hour: from 02:00 back to 01:30 on 2026-04-05 (15:00 UTC before).
        (peak("01:30", "02:00", "Australia/Lord_Howe"), "2026-04-04T14:45:00+00:00", True),
        (peak("01:30", "02:00", "Australia/Lord_Howe"), "2026-04-04T15:15:00+00:00", True),
        (peak("01:30", "02:00", "Australia/Lord_Howe"), "2026-04-04T15:30:00+00:00", False),
    ],
)
def test_hours_worked_out_by_hand(hours: Peak, at: str, covered: bool):
    assert hours.covers(ms(at)) is covered


@given(minutes, st.integers(1, MINUTES), st.frozensets(st.integers(0, 6)), st.sampled_from(ZONES),
       st.integers(1, 5_000))  # fmt: skip
def test_what_is_stored_comes_back(start: int, end: int, days: frozenset[int], zone: str, num: int):
    stored = Peak(start, end, days, zone, Multiplier(num, 1_000))
    assert Peak.of_text(stored.text()) == stored


def test_no_peak_is_stored_as_nothing():
    assert Peak.of_text("{}") is None


@pytest.mark.parametrize(
    "text",
    [
        '{"from":"09:00"}',
        "not json",
        "[1]",
        '{"from":540,"to":"10:00","days":[0],"zone":"UTC","num":1,"den":1}',
        '{"from":"09:00","to":"10:00","days":0,"zone":"UTC","num":1,"den":1}',
        '{"from":"09:00","to":"10:00","days":[0],"zone":"UTC","num":1,"den":0}',
        '{"from":"09:00","to":"10:00","days":[0],"zone":"UTC","num":"1","den":1}',
        # Found when the catalogue is read, not by the first call.
        '{"from":"09:00","to":"10:00","days":[0],"zone":"No/Where","num":1,"den":1}',
    ],
)
def test_damage_is_a_value_error(text: str):
    with pytest.raises(ValueError):  # each damage has its own words
        Peak.of_text(text)


@given(st.integers(0, MINUTES))
def test_a_minute_is_written_as_it_is_read(minute: int):
    assert minutes_of(clock_text(minute)) == minute


@pytest.mark.parametrize(
    "text", ["", ":", "9", "9:5", "09:60", "24:01", "25:00", "-1:00", "09:00:00", "9h30", " 9:00"]
)
def test_other_texts_are_no_time_of_day(text: str):
    with pytest.raises(ValueError, match="like 09:30"):
        minutes_of(text)


@pytest.mark.parametrize(
    "name", ["", "Mars/Base", "../../etc/passwd", "Asia", "/etc/passwd", "a\0b"]
)
def test_no_such_zone(name: str):
    with pytest.raises(ValueError, match="no such time zone"):
        zone_of(name)
