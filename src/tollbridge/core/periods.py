"""Owns calendar periods in UTC: the day, week and month that a moment lies in. Pure.

Weeks begin on Monday. Times are milliseconds since 1970, for which every day has 86,400 seconds.
"""

from datetime import date
from typing import Final, NamedTuple

PERIODS: Final = ("day", "week", "month")

_DAY_MS = 86_400_000
_WEEK_DAYS = 7
# 1970-01-01 was a Thursday, three days after a Monday.
_MONDAY_OFFSET = 3
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MONTHS = 12


class Period(NamedTuple):
    """A span of time: from `start_ms` on, up to `end_ms`, which belongs to the next one."""

    start_ms: int
    end_ms: int


def period_at(name: str, at_ms: int) -> Period:
    """Return the day, week or month of a moment; ValueError when `name` is none of PERIODS."""
    day = at_ms // _DAY_MS
    if name == "day":
        return _days(day, 1)
    if name == "week":
        return _days(day - (day + _MONDAY_OFFSET) % _WEEK_DAYS, _WEEK_DAYS)
    if name == "month":
        first = date.fromordinal(_EPOCH_DAY + day).replace(day=1)
        year, month = divmod(first.year * _MONTHS + first.month, _MONTHS)
        length = date(year, month + 1, 1).toordinal() - first.toordinal()
        return _days(first.toordinal() - _EPOCH_DAY, length)
    raise ValueError("a period is a day, a week or a month")


def _days(first: int, count: int) -> Period:
    return Period(first * _DAY_MS, (first + count) * _DAY_MS)
