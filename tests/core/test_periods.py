"""Proof that calendar periods are those of UTC and follow each other without a gap."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.periods import PERIODS, Period, period_at

_SPAN = st.datetimes(datetime(1970, 1, 5), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def ms(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1000  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("name", "at_ms", "start_ms", "end_ms"),
    [
        ("day", ms(2026, 1, 1), ms(2026, 1, 1), ms(2026, 1, 2)),
        ("day", ms(2026, 1, 2) - 1, ms(2026, 1, 1), ms(2026, 1, 2)),
        # A Sunday and the Monday after it, across the end of a year.
        ("week", ms(2027, 1, 4) - 1, ms(2026, 12, 28), ms(2027, 1, 4)),
        ("week", ms(2027, 1, 4), ms(2027, 1, 4), ms(2027, 1, 11)),
        ("week", ms(1970, 1, 1), ms(1970, 1, 5) - 7 * 86_400_000, ms(1970, 1, 5)),
        ("month", ms(2026, 12, 31, 23, 59, 59), ms(2026, 12, 1), ms(2027, 1, 1)),
        ("month", ms(2028, 2, 29), ms(2028, 2, 1), ms(2028, 3, 1)),
        ("month", ms(2027, 2, 28, 23), ms(2027, 2, 1), ms(2027, 3, 1)),
        ("month", ms(2000, 3, 1) - 1, ms(2000, 2, 1), ms(2000, 3, 1)),
        ("month", ms(2100, 3, 1) - 1, ms(2100, 2, 1), ms(2100, 3, 1)),
    ],
)
def test_known_periods(name: str, at_ms: int, start_ms: int, end_ms: int):
    assert period_at(name, at_ms) == Period(start_ms, end_ms)


@given(_SPAN)
def test_periods_are_the_calendars(moment: datetime):
    at_ms = int(moment.timestamp()) * 1000
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    monday = midnight - timedelta(days=midnight.weekday())
    first = midnight.replace(day=1)
    length = monthrange(first.year, first.month)[1]
    expected = {"day": (midnight, 1), "week": (monday, 7), "month": (first, length)}
    for name, (start, days) in expected.items():
        end = start + timedelta(days=days)
        assert period_at(name, at_ms) == (ms(*start.timetuple()[:3]), ms(*end.timetuple()[:3]))


@given(_SPAN, st.sampled_from(PERIODS))
def test_every_moment_is_in_exactly_one_period(moment: datetime, name: str):
    at_ms = int(moment.timestamp() * 1000)
    now = period_at(name, at_ms)
    assert now.start_ms <= at_ms < now.end_ms
    assert period_at(name, now.start_ms) == period_at(name, now.end_ms - 1) == now
    assert period_at(name, now.end_ms).start_ms == now.end_ms
    assert period_at(name, now.start_ms - 1).end_ms == now.start_ms


def test_there_are_no_other_periods():
    with pytest.raises(ValueError, match="a day, a week or a month"):
        period_at("year", 0)
