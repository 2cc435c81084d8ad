"""Owns peak hours: when a channel's prices carry a factor of their own. Pure values.

Hours are local ones of a named time zone, so that a change of the clocks moves them with the people.
They may cross midnight; the day is then the one on which they began.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

from tollbridge.core import zones
from tollbridge.core.money import Multiplier
from tollbridge.core.phrase import phrase

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES: Final = 1_440
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Peak:
    """The minutes of the day from `start` (included) to `end` (excluded) on some days of a zone."""

    start: int
    end: int
    days: frozenset[int]
    """Monday is 0."""
    zone: str
    factor: Multiplier

    def covers(self, at_ms: int) -> bool:
        """Say whether a moment, in milliseconds since 1970, is in peak hours."""
        local = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone_of(self.zone))
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        return (day in self.days and minute >= self.start) or (
            (day - 1) % 7 in self.days and minute < self.end
        )

    def text(self) -> str:
        """Return the JSON that is stored."""
        return json.dumps(
            {
                "from": clock_text(self.start),
                "to": clock_text(self.end),
                "days": sorted(self.days),
                "zone": self.zone,
                "num": self.factor.num,
                "den": self.factor.den,
            },
            separators=(",", ":"),
        )

    @classmethod
    def of_text(cls, text: str) -> Self | None:
        """Read what was stored; None where there are no peak hours. ValueError when it is damaged."""
        fields = json.loads(text)
        if not fields:
            return None
        try:
            # A zone that this machine does not know is found here, not by the first call.
            zone_of(fields["zone"])
            return cls(
                minutes_of(fields["from"]),
                minutes_of(fields["to"]),
                frozenset(fields["days"]),
                fields["zone"],
                Multiplier(fields["num"], fields["den"]),
            )
        except (KeyError, TypeError, AttributeError):
            raise ValueError("stored peak hours are damaged") from None


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name; ValueError when there is none."""
    try:
        return zones.zone_of(name)
    except ValueError:
        raise ValueError(phrase("there is no such time zone")) from None


def minutes_of(text: str) -> int:
    """Return the minute of the day of a text like 09:30; 24:00 is the end of it. Else ValueError."""
    hours, colon, minutes = text.partition(":")
    if not (colon and len(minutes) == 2 and hours.isdecimal() and minutes.isdecimal()):
        raise ValueError(phrase("a time of day is like 09:30"))
    value = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or value > MINUTES:
        raise ValueError(phrase("a time of day is like 09:30"))
    return value


def clock_text(minute: int) -> str:
    """Return a minute of the day as text."""
    return f"{minute // 60:02d}:{minute % 60:02d}"
