"""Owns how often channels answered: by day over ninety days, and in the last minutes.

Answered ÷ (calls less what clients caused), from the roll-ups, all of it in one question. Must not
know who is shown it, nor which channels there are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.rollup_cover import Kept, NotKept, Piece, read_kept
from tollbridge.storage.rollup_marks import DAY, FIVE_MINUTES
from tollbridge.storage.rollup_reads import read_numbers

DAYS: Final = 90
LATELY_SLOTS: Final = 3
"""So many times five minutes, the running ones included, are now."""

_DAY_MS = DAY * 1000
_WHOLE_EVERY_MS = 3_600_000
# Calls that began yesterday may end, and be counted, today.
_RECENT = 2
_SLOT_MS = FIVE_MINUTES * 1000
_NAMES = ("calls", "answered", "client_faults")
_PERCENT = 10_000


class Tally(NamedTuple):
    """Calls that were answered, of those that count: what clients caused does not."""

    answered: int = 0
    counted: int = 0

    def percent(self) -> str | None:
        """Return the share in percent, two decimals, never rounded up; None without a call."""
        if self.counted <= 0:
            return None
        share = min(self.answered, self.counted) * _PERCENT // self.counted
        return f"{share // 100}.{share % 100:02d}"


@dataclass(frozen=True, slots=True)
class Uptime:
    """How channels did, by their ids. `days` are days of UTC, the oldest first, the last is today.

    Of channels without any call there is nothing in the maps.
    """

    at_ms: int
    days: Sequence[date]
    by_day: Mapping[int, Sequence[Tally]]
    lately: Mapping[int, Tally]
    whole_ms: int = 0
    """When all of the days were read."""

    def days_of(self, channel_id: int) -> Sequence[Tally]:
        """Return a channel's days."""
        return self.by_day.get(channel_id) or (Tally(),) * len(self.days)

    def now_of(self, channel_id: int) -> Tally:
        """Return what a channel's calls of the last minutes came to."""
        return self.lately.get(channel_id, Tally())

    def whole_of(self, channel_id: int) -> Tally:
        """Return what a channel's calls of all the days came to."""
        days = self.days_of(channel_id)
        return Tally(sum(day.answered for day in days), sum(day.counted for day in days))


async def read_uptime(
    connection: AsyncConnection, at_ms: int, before: Uptime | None = None
) -> Uptime:
    """Return how all channels did until a moment, in milliseconds since 1970.

    Given what was read `before`, only the last days are read again, and the others once an hour.
    """
    today = at_ms // _DAY_MS
    starts = [day * _DAY_MS for day in range(today - DAYS + 1, today + 1)]
    days = [datetime.fromtimestamp(start // 1000, UTC).date() for start in starts]
    first, whole_ms, by_day = 0, at_ms, dict[int, list[Tally]]()
    if before is not None and before.days == days and at_ms - before.whole_ms < _WHOLE_EVERY_MS:
        first, whole_ms = DAYS - _RECENT, before.whole_ms
        by_day = {
            channel_id: [*its[:first], *[Tally()] * _RECENT]
            for channel_id, its in before.by_day.items()
        }
    lately: dict[int, Tally] = {}
    kept = await read_kept(connection, at_ms)
    pieces = list(_pieces(kept, starts, first, at_ms))
    found = await read_numbers(connection, pieces, ("channel_id",), {}, _NAMES)
    for bucket, (channel_id,), (calls, answered, faults) in found:
        tally = Tally(answered, calls - faults)
        if bucket == DAYS:
            lately[channel_id] = tally
        else:
            by_day.setdefault(channel_id, [Tally()] * DAYS)[bucket] = tally
    return Uptime(at_ms, days, by_day, lately, whole_ms)


def _pieces(
    kept: Kept, starts: Sequence[int], first: int, at_ms: int
) -> Iterator[tuple[int, Piece]]:
    for number, start_ms in enumerate(starts[first:], first):
        yield from ((number, piece) for piece in kept.pieces(start_ms, start_ms + _DAY_MS))
    until_ms = at_ms // _SLOT_MS * _SLOT_MS + _SLOT_MS
    try:
        minutes = kept.pieces(until_ms - LATELY_SLOTS * _SLOT_MS, until_ms)
    except NotKept:
        # Of a database this young there is no now yet.
        return
    yield from ((len(starts), piece) for piece in minutes)
