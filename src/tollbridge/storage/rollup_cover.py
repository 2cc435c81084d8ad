"""Owns which slots of roll-ups make up a span of time, and up to when they are complete.

The largest slots that lie within are taken, smaller ones at both ends, and smaller ones too in place
of one that is behind. Must not know what is in them. Why so: docs/decisions/0038.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.clock import tid_ms
from tollbridge.storage.ledger_tables import usage_feed
from tollbridge.storage.query_tables import rollup_dirty, rollup_floor
from tollbridge.storage.rollup_marks import DAY, FIVE_MINUTES, HOUR, Slot, slot_at

_SMALLER: Final = {DAY: HOUR, HOUR: FIVE_MINUTES}


class Piece(NamedTuple):
    """Slots in a row: all of a span (in seconds) that begin in [start_ms, end_ms)."""

    span: int
    start_ms: int
    end_ms: int


class NotKept(Exception):
    """A span of time begins or ends within slots of which no smaller ones are kept any more.

    `span` is the smallest that would be needed, `since_ms` from when on it is kept.
    """

    def __init__(self, span: int, since_ms: int) -> None:
        super().__init__("these slots are not kept any more")
        self.span = span
        self.since_ms = since_ms


@dataclass(frozen=True, slots=True)
class Kept:
    """What roll-ups there are: from when on each span is kept, and what is behind.

    All calls that had ended and that began before `complete_until_ms` are in the figures.
    """

    floors: Mapping[int, int]
    behind: frozenset[Slot]
    complete_until_ms: int

    def pieces(self, start_ms: int, end_ms: int) -> list[Piece]:
        """Return what [start_ms, end_ms) is made of, in order.

        Raises NotKept, and ValueError for ends that are no multiples of five minutes.
        """
        if start_ms % (FIVE_MINUTES * 1000) or end_ms % (FIVE_MINUTES * 1000):
            raise ValueError("five minutes are the smallest slot")
        return list(_joined(self._cover(DAY, start_ms, end_ms)))

    def _cover(self, span: int, start_ms: int, end_ms: int) -> Iterator[Piece]:
        size = span * 1000
        first, last = -(-start_ms // size) * size, end_ms // size * size
        if first >= last:
            if start_ms < end_ms:
                yield from self._smaller(span, start_ms, end_ms)
            return
        if start_ms < first:
            yield from self._smaller(span, start_ms, first)
        yield from self._whole(span, first, last)
        if last < end_ms:
            yield from self._smaller(span, last, end_ms)

    def _smaller(self, span: int, start_ms: int, end_ms: int) -> Iterator[Piece]:
        smaller = _SMALLER[span]
        if start_ms < self.floors.get(smaller, 0):
            raise NotKept(smaller, self.floors[smaller])
        yield from self._cover(smaller, start_ms, end_ms)

    def _whole(self, span: int, start_ms: int, end_ms: int) -> Iterator[Piece]:
        """Return whole slots; those behind are made of smaller ones where these are kept."""
        smaller = _SMALLER.get(span)
        late = sorted(
            slot.start_ms
            for slot in self.behind
            if slot.span == span and start_ms <= slot.start_ms < end_ms
        )
        for at_ms in late:
            if smaller is None or at_ms < self.floors.get(smaller, 0):
                continue
            if start_ms < at_ms:
                yield Piece(span, start_ms, at_ms)
            start_ms = at_ms + span * 1000
            yield from self._cover(smaller, at_ms, start_ms)
        if start_ms < end_ms:
            yield Piece(span, start_ms, end_ms)


def _joined(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Put neighbours of one span together."""
    before: Piece | None = None
    for piece in pieces:
        if before and (before.span, before.end_ms) == (piece.span, piece.start_ms):
            before = before._replace(end_ms=piece.end_ms)
            continue
        if before:
            yield before
        before = piece
    if before:
        yield before


async def read_kept(connection: AsyncConnection, now_ms: int) -> Kept:
    """Return what there is of roll-ups now; read the figures in the same state of the database."""
    begun = await connection.execute(select(rollup_floor.c.span, rollup_floor.c.start_ms))
    floors: dict[int, int] = dict(begun.all())
    marks = await connection.execute(select(rollup_dirty.c.span, rollup_dirty.c.start_ms))
    marked = {Slot(span, start) for span, start in marks}
    # A day is marked only when its hour has been made: until then it lacks what the hour lacks.
    days = {slot_at(DAY, slot.start_ms) for slot in marked if slot.span == HOUR}
    behind = frozenset(marked | days)
    fed = (await connection.execute(select(func.min(usage_feed.c.tid)))).scalar()
    late = [slot.start_ms for slot in behind if _is_stale(slot, floors)]
    waiting = [] if fed is None else [tid_ms(fed)]
    # Before the job's first run nothing has been added up.
    until = min([now_ms, *late, *waiting]) if floors else 0
    return Kept(floors, behind, until)


def _is_stale(slot: Slot, floors: Mapping[int, int]) -> bool:
    """Tell whether nothing smaller can stand in for a slot that is behind."""
    smaller = _SMALLER.get(slot.span)
    return smaller is None or slot.start_ms < floors.get(smaller, 0)
