"""Owns calendars of time zones: which moments the days, hours and months of a place are.

A zone is always named, as the IANA database names it; there is no zone of this machine. Days may
have 23 or 25 hours, and an hour of the clock may come twice or not at all: a span is moments, and
its offset tells two of the same clock apart. Moments are milliseconds since 1970. Must not know
what is counted in a span.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

FIRST_DAY: Final = date(2000, 1, 1)
"""Earlier days are refused: offsets had seconds once."""

LAST_DAY: Final = date(2099, 12, 31)

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9+_\-]{0,31}(?:/[A-Za-z0-9+_\-]{1,32}){0,2}", re.ASCII)
_HOUR_MS = 3_600_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DAY = timedelta(days=1)


class Span(NamedTuple):
    """The moments from `start_ms` on, up to `end_ms`, which belongs to the next span.

    `offset_s` is what the clocks of the zone are ahead of UTC at its start, in seconds.
    """

    start_ms: int
    end_ms: int
    offset_s: int

    @property
    def day(self) -> date:
        """The date that the zone's calendars show at the start."""
        return self._clock().date()

    def text(self) -> str:
        """Return the start as the zone's clocks show it: ISO 8601 with the offset."""
        return self._clock().isoformat(timespec="seconds") + offset_text(self.offset_s)

    def _clock(self) -> datetime:
        shown = _EPOCH + timedelta(milliseconds=self.start_ms, seconds=self.offset_s)
        return shown.replace(tzinfo=None)


def offset_text(offset_s: int) -> str:
    """Return an offset in seconds as ISO 8601 writes it: +05:30."""
    hours, rest = divmod(abs(offset_s), 3600)
    return f"{'-' if offset_s < 0 else '+'}{hours:02d}:{rest // 60:02d}"


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """Return the zone of a name like Europe/Berlin or UTC; ValueError when there is none."""
    if _NAME.fullmatch(name):
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, OSError, ValueError):
            pass
    raise ValueError("a time zone is an IANA name like UTC, Europe/Berlin or Asia/Kolkata")


def day_of(text: str) -> date:
    """Return the date of a text like 2026-03-29; ValueError for any other, and beyond 2000 to 2099."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text or not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError("a day is written like 2026-03-29, and lies between 2000 and 2099")
    return day


def first_ms(zone: ZoneInfo, day: date) -> int:
    """Return the first moment of a day; of one that the zone left out, that of the next."""
    # Where midnight comes twice the first is meant, where it is skipped the moment of the skip.
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return (midnight.astimezone(UTC) - _EPOCH) // _MILLISECOND


def days(zone: ZoneInfo, first: date, until: date) -> Iterator[Span]:
    """Return the days from `first` on, before `until`; a day that the zone left out is not there."""
    start = first_ms(zone, first)
    while first < until:
        first += _DAY
        end = first_ms(zone, first)
        if end > start:
            yield Span(start, end, _offset_s(zone, start))
        start = end


def hours(zone: ZoneInfo, first: date, until: date) -> Iterator[Span]:
    """Return the hours of the clock of these days; a change of the offset ends one and begins another."""
    at, end = first_ms(zone, first), first_ms(zone, until)
    while at < end:
        offset_s = _offset_s(zone, at)
        into = (at + offset_s * 1000) % _HOUR_MS
        full = min(at + _HOUR_MS - into, end)
        upto = full if _offset_s(zone, full - 1) == offset_s else _change(zone, at, full)
        yield Span(at, upto, offset_s)
        at = upto


def month(zone: ZoneInfo, year: int, number: int) -> Span:
    """Return a month; ValueError when there is none of this number, or beyond 2000 to 2099."""
    first = date(year, number, 1)
    if not FIRST_DAY <= first <= LAST_DAY:
        raise ValueError("a month lies between 2000 and 2099")
    start = first_ms(zone, first)
    return Span(start, first_ms(zone, next_month(first)), _offset_s(zone, start))


def next_month(first: date) -> date:
    """Return the first day of the month after that of `first`."""
    return (first.replace(day=28) + timedelta(days=4)).replace(day=1)


def day_at(zone: ZoneInfo, at_ms: int) -> date:
    """Return the date that the zone's calendars show at a moment."""
    return Span(at_ms, at_ms, _offset_s(zone, at_ms)).day


def text_at(zone: ZoneInfo, at_ms: int) -> str:
    """Return a moment as the zone's clocks show it: ISO 8601 with the offset, to the second."""
    return Span(at_ms, at_ms, _offset_s(zone, at_ms)).text()


def exact_at(zone: ZoneInfo, at_ms: int) -> str:
    """Return a moment as `text_at` does, to the millisecond."""
    moment = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone)
    return moment.isoformat(timespec="milliseconds")


def _offset_s(zone: ZoneInfo, at_ms: int) -> int:
    offset = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone).utcoffset()
    return (offset or timedelta()) // timedelta(seconds=1)


def _change(zone: ZoneInfo, low: int, high: int) -> int:
    """Return the moment between two at which the offset is another than at the first."""
    before = _offset_s(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_s(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high
