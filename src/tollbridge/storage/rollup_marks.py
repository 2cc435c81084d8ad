"""Owns slots of time, and which of them are behind: marked, due, done.

A slot is five minutes, an hour or a day of UTC. A mark says that its roll-up may be behind; it is
another number each time, so who works on a slot sees that it was marked again meanwhile. Must not
know what a roll-up has in it. Why so: docs/decisions/0027-roll-ups.md.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import case, delete, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.clock import new_id, now_ms, tid_ms
from tollbridge.storage.query_tables import rollup_dirty
from tollbridge.storage.upsert import upsert

FIVE_MINUTES: Final = 300
HOUR: Final = 3600
DAY: Final = 86_400
SPANS: Final = (FIVE_MINUTES, HOUR, DAY)

# A slot that changes all the time is made anew as often: it waits so long after its first mark.
_WAIT_MS = {FIVE_MINUTES: 10_000, HOUR: 60_000, DAY: 300_000}
# All calls of a slot are read each time, so one that gets many is made once, when it is over.
_BUSY_CALLS = 200
_OVER_MS = 5_000
_TID_TAIL = "0" * 20
# So many hex digits of a tid are 65.5 s: at most one end of a slot lies in between.
_NEAR = 8
_NEAR_SQL = (
    "SELECT min(tid), max(tid), count(*) FROM usage_feed WHERE id <= ?"
    f" GROUP BY substr(tid, 1, {_NEAR})"
)


# Whoever locks marks will make others: they wait for who lets nobody (`rollup_filling`) before that.
_WILL_MARK = text("LOCK TABLE rollup_dirty IN ROW EXCLUSIVE MODE")


class Slot(NamedTuple):
    """A span of time in seconds and where it begins, in milliseconds since 1970."""

    span: int
    start_ms: int

    @property
    def end_ms(self) -> int:
        """Where the next one begins."""
        return self.start_ms + self.span * 1000

    @property
    def parent(self) -> "Slot | None":
        """The next larger slot that this one lies in; a day has none."""
        above = SPANS.index(self.span) + 1
        return slot_at(SPANS[above], self.start_ms) if above < len(SPANS) else None


class Mark(NamedTuple):
    """A slot that is behind, and the number of the mark that says so."""

    slot: Slot
    number: int


def slot_at(span: int, at_ms: int) -> Slot:
    """Return the slot of a span that a moment lies in."""
    return Slot(span, at_ms - at_ms % (span * 1000))


def first_tid(at_ms: int) -> str:
    """Return the smallest tid of a millisecond: a slot is the tids between two of these."""
    return f"{at_ms:012x}{_TID_TAIL}"


async def mark(
    connection: AsyncConnection,
    slots: Iterable[Slot],
    *,
    at_once: bool = False,
    busy: Collection[Slot] = (),
) -> None:
    """Say that slots are behind, in the transaction of what put them there.

    A slot that is marked already keeps its turn, or gets an earlier one. `busy` ones wait for their
    end.
    """
    number, now = new_id(), now_ms()
    rows = [
        {
            "span": slot.span,
            "start_ms": slot.start_ms,
            "mark": number,
            "due_ms": 0 if at_once else _due_ms(slot, now, busy=slot in busy),
        }
        # In order: two that mark the same slots must not wait for one another.
        for slot in sorted(set(slots))
    ]
    if not rows:
        return
    query = upsert(connection, rollup_dirty)
    new, old = query.excluded, rollup_dirty.c
    sooner = case((new.due_ms < old.due_ms, new.due_ms), else_=old.due_ms)
    query = query.on_conflict_do_update(
        index_elements=["span", "start_ms"], set_={"mark": new.mark, "due_ms": sooner}
    )
    await connection.execute(query, rows)


def _due_ms(slot: Slot, now: int, *, busy: bool) -> int:
    soon = now + _WAIT_MS[slot.span]
    return max(soon, slot.end_ms + _OVER_MS) if busy else soon


async def mark_calls(connection: AsyncConnection, tids: Iterable[str]) -> None:
    """Mark the five minutes of calls that were made or changed."""
    counts = Counter(slot_at(FIVE_MINUTES, tid_ms(tid)) for tid in tids)
    await _mark_counted(connection, counts)


async def _mark_counted(connection: AsyncConnection, counts: Mapping[Slot, int]) -> None:
    busy = {slot for slot, count in counts.items() if count > _BUSY_CALLS}
    await mark(connection, counts, busy=busy)


async def mark_fed(connection: AsyncConnection, upto: int) -> None:
    """Mark the calls of the feed up to a row; only on SQLite, which reads the tids by itself."""
    near = await connection.exec_driver_sql(_NEAR_SQL, (upto,))
    counts: Counter[Slot] = Counter()
    # The first and the last tid of a minute tell every slot that has any of it.
    rows: list[tuple[Any, ...]] = [tuple(row) for row in near.all()]
    for first, last, count in rows:
        for slot in {slot_at(FIVE_MINUTES, tid_ms(tid)) for tid in (first, last)}:
            counts[slot] += count
    await _mark_counted(connection, counts)


async def due_marks(connection: AsyncConnection, now: int, limit: int) -> Sequence[Mark]:
    """Return marks whose turn has come, small spans first, of each the latest first."""
    table = rollup_dirty.c
    query = select(table.span, table.start_ms, table.mark).where(table.due_ms <= now)
    query = query.order_by(table.span, table.start_ms.desc()).limit(limit)
    return [
        Mark(Slot(span, start), number) for span, start, number in await connection.execute(query)
    ]


async def standing_marks(connection: AsyncConnection, marks: Collection[Mark]) -> set[Mark]:
    """Return those of `marks` that nobody has renewed or removed, and keep it so to the end.

    Whoever finds a mark standing knows that what was read since the mark was seen still counts.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(_WILL_MARK)
    table = rollup_dirty.c
    among = [(slot.span, slot.start_ms, number) for slot, number in marks]
    query = select(table.span, table.start_ms, table.mark).where(
        tuple_(table.span, table.start_ms, table.mark).in_(among)
    )
    query = query.order_by(table.span, table.start_ms).with_for_update()
    return {
        Mark(Slot(span, start), number) for span, start, number in await connection.execute(query)
    }


async def remove_marks(connection: AsyncConnection, marks: Iterable[Mark]) -> None:
    """Say that slots are up to date; those marked again since stay marked."""
    among = [(slot.span, slot.start_ms, number) for slot, number in marks]
    if among:
        table = rollup_dirty.c
        which = tuple_(table.span, table.start_ms, table.mark).in_(among)
        await connection.execute(delete(rollup_dirty).where(which))
