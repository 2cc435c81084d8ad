"""Owns how figures look on a page: money, numbers, times, sizes. Pure; units of time are phrases.

Money is exact: every digit of a nano-dollar that is not zero. Must not know what is shown.
"""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from tollbridge.core.money import format_usd
from tollbridge.core.phrase import phrase

_MINUTE_S: Final = 60
_HOUR_S: Final = 3_600
_SECOND_MS: Final = 1_000
_PERCENT: Final = 100
DASH: Final = "\u2013"
"""What stands where there is nothing to show."""


def usd(nano: int | None) -> str:
    """Return nano-dollars as exact dollars, "$1.50", "-$0.000001"."""
    if nano is None:
        return DASH
    whole, _, rest = format_usd(abs(nano)).partition(".")
    return f"{'-' if nano < 0 else ''}${int(whole):,}.{rest}"


def count(number: int | None) -> str:
    """Return a whole number with its thousands apart: 12,345."""
    return DASH if number is None else f"{number:,}"


def share(part: int, whole: int, decimals: int = 1) -> str:
    """Return part ÷ whole in percent, rounded to nearest; a dash when there is no whole."""
    if whole == 0:
        return DASH
    scale = 10**decimals
    units = (2 * part * _PERCENT * scale + whole) // (2 * whole)
    return f"{units // scale}.{units % scale:0{decimals}d} %" if decimals else f"{units} %"


def duration(ms: int | None) -> str:
    """Return milliseconds as people say them, a phrase: 340 ms, 2.4 s, 3 min 20 s."""
    if ms is None:
        return DASH
    if ms < _SECOND_MS:
        return phrase("%(ms)s ms", ms=ms)
    seconds = ms // _SECOND_MS
    if seconds < _MINUTE_S:
        return phrase("%(s)s s", s=f"{seconds}.{ms % _SECOND_MS // 100}")
    if seconds < _HOUR_S:
        return phrase("%(min)s min %(s)s s", min=seconds // _MINUTE_S, s=seconds % _MINUTE_S)
    hours, minutes = seconds // _HOUR_S, seconds % _HOUR_S // _MINUTE_S
    return phrase("%(h)s h %(min)s min", h=hours, min=minutes)


def moment(ms: int | None, zone: ZoneInfo) -> str:
    """Return a time in milliseconds as 2026-01-31 14:05:09 in a zone."""
    return _shown(ms, zone, "%Y-%m-%d %H:%M:%S")


def day(ms: int | None, zone: ZoneInfo) -> str:
    """Return a time in milliseconds as its day in a zone: 2026-01-31."""
    return _shown(ms, zone, "%Y-%m-%d")


def iso(ms: int) -> str:
    """Return a time in milliseconds for a machine: 2026-01-31T14:05:09Z."""
    return datetime.fromtimestamp(ms // _SECOND_MS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _shown(ms: int | None, zone: ZoneInfo, form: str) -> str:
    if ms is None:
        return DASH
    return datetime.fromtimestamp(ms // _SECOND_MS, zone).strftime(form)
