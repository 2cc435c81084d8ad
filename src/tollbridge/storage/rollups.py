"""Owns roll-ups: due slots are made anew from what they are made of, and old ones are removed.

Five minutes come from usage rows, an hour from its five minutes, a day from its hours; from usage
rows too where the smaller ones have been removed. A slot is always made as a whole, with its views, so
late and repeated changes come out right. Why so: docs/decisions/0027-roll-ups.md. Must not know when it runs,
nor who reads.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.core.clock import tid_ms
from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.query_tables import rollup, rollup_floor
from tollbridge.storage.rollup_marks import (
    DAY,
    FIVE_MINUTES,
    HOUR,
    SPANS,
    Mark,
    Slot,
    due_marks,
    first_tid,
    mark,
    remove_marks,
    slot_at,
    standing_marks,
)
from tollbridge.storage.rollup_sums import Row, from_smaller, from_usage, stored
from tollbridge.storage.rollup_views import (
    SPANS_OF_VIEWS,
    Edit,
    apply,
    differences,
    edits_of_views,
    remove_views_before,
)
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.upsert import upsert
from tollbridge.storage.usage_floor import usage_floor_ms

KEPT_DAYS: Final[Mapping[int, int]] = {FIVE_MINUTES: 9, HOUR: 401}
"""For how many days rows of a span are kept at least, today included; days are kept for ever."""

WRITTEN_AT_ONCE: Final = 1000
"""On SQLite the money writer waits for one transaction of so many rows at most."""

FOREVER: Final = 1 << 62
"""A moment at which every mark is due."""

_DAY_MS = DAY * 1000
_SLOTS_AT_ONCE = 32
# Waiters for SQLite's write lock look for it in growing steps; they need a moment to find it free.
_SQLITE_PAUSE_S = 0.02
# What one transaction removes of a span: all that a larger slot was made from.
_REMOVED_AT_ONCE = {FIVE_MINUTES: HOUR, HOUR: DAY}
_SMALLER = {HOUR: FIVE_MINUTES, DAY: HOUR}


class _Change(NamedTuple):
    """Some of what a slot lacks: rows that are gone, are new or are other than stored."""

    mark: Mark
    edits: Sequence[Edit]
    is_last: bool

    @property
    def size(self) -> int:
        return len(self.edits)

    def raised(self, floors: Mapping[int, int]) -> Slot | None:
        """Return the larger slot that is behind once this is written."""
        return self.mark.slot.parent if self.size or _is_removed(self.mark.slot, floors) else None


async def recompute(engine: AsyncEngine, now_ms: int) -> int:
    """Bring some slots up to date whose turn has come by `now_ms`; return how many were looked at.

    None means that nothing is due. `begin` must have been called on this database before.
    """
    seen, changes, floors = await _look(engine, now_ms)
    for number, batch in enumerate(_batches(changes)):
        if number and engine.dialect.name == "sqlite":
            await asyncio.sleep(_SQLITE_PAUSE_S)
        async with working(engine) as connection:
            await _write(connection, batch, floors)
    return seen


async def _look(engine: AsyncEngine, now_ms: int) -> tuple[int, list[_Change], Mapping[int, int]]:
    """Find what due slots lack, all of it in one state of the database, and lock nothing."""
    async with reading(engine) as connection:
        if connection.dialect.name == "postgresql":
            # Without statistics of a young month the planner would read all of it for each slot.
            await connection.execute(select(func.set_config("enable_seqscan", "off", True)))
        marks = await due_marks(connection, now_ms, _SLOTS_AT_ONCE)
        floors = await _closed(connection, await _floors(connection))
        changes: list[_Change] = []
        seen = 0
        for one in marks:
            changes += await _changes(connection, one, floors)
            seen += 1
            if sum(change.size for change in changes) >= WRITTEN_AT_ONCE:
                break
    return seen, changes, floors


async def _changes(
    connection: AsyncConnection, one: Mark, floors: Mapping[int, int]
) -> list[_Change]:
    slot = one.slot
    if _is_removed(slot, floors):
        return [_Change(one, (), is_last=True)]
    made, before = await _made(connection, slot, floors), await stored(connection, slot)
    gone, rows = differences(rollup, slot, before, made)
    gone_views, views = await edits_of_views(connection, slot, before, made)
    # Views go before and come after what they are made of: whoever stops between finds them again.
    return list(_parts(one, [*gone_views, *gone, *rows, *views]))


async def _made(connection: AsyncConnection, slot: Slot, floors: Mapping[int, int]) -> list[Row]:
    smaller = _SMALLER.get(slot.span)
    if smaller is None or slot.start_ms < floors[smaller]:
        return await from_usage(connection, slot)
    return await from_smaller(connection, slot, smaller)


def _is_removed(slot: Slot, floors: Mapping[int, int]) -> bool:
    return slot.start_ms < floors.get(slot.span, 0)


def _parts(one: Mark, edits: Sequence[Edit]) -> Iterator[_Change]:
    step = WRITTEN_AT_ONCE
    for at in range(0, max(len(edits), 1), step):
        yield _Change(one, edits[at : at + step], is_last=at + step >= len(edits))


def _batches(changes: Iterable[_Change]) -> Iterator[list[_Change]]:
    """Put small changes together: each transaction waits for the disk."""
    batch: list[_Change] = []
    for change in changes:
        if batch and sum(one.size for one in batch) + change.size > WRITTEN_AT_ONCE:
            yield batch
            batch = []
        batch.append(change)
    if batch:
        yield batch


async def _write(
    connection: AsyncConnection, batch: Sequence[_Change], floors: Mapping[int, int]
) -> None:
    """Write what still counts: a slot that was marked again since is left to its next turn."""
    standing = await standing_marks(connection, {change.mark for change in batch})
    batch = [change for change in batch if change.mark in standing]
    await apply(connection, (edit for change in batch for edit in change.edits))
    await mark(connection, filter(None, (change.raised(floors) for change in batch)))
    await remove_marks(connection, (change.mark for change in batch if change.is_last))


async def begin(engine: AsyncEngine, now_ms: int) -> None:
    """Make the tables of a database ready that has no roll-ups yet: mark all that it has calls of.

    Does nothing when that has been done. Whoever is stopped in the middle begins again.
    """
    async with reading(engine) as connection:
        if await _floors(connection):
            return
        floors = _floors_at(now_ms)
        slots = await _slots_with_calls(connection, 0, await _closed(connection, floors))
    await _mark_all(engine, slots)
    async with working(engine) as connection:
        await _raise_floors(connection, floors)


async def rebuild(engine: AsyncEngine, since_ms: int, now_ms: int) -> int:
    """Make every slot anew from usage rows, from the day of `since_ms` on; return how many.

    Days before the first usage row are left as they are: there is nothing to make them from. May
    run while calls are made, and beside a worker.
    """
    await begin(engine, now_ms)
    async with reading(engine) as connection:
        floors = await _closed(connection, await _floors(connection))
        slots = await _slots_with_calls(connection, slot_at(DAY, since_ms).start_ms, floors)
        if slots:
            since = slot_at(DAY, min(slot.start_ms for slot in slots)).start_ms
            slots |= await _slots_with_rows(connection, since, floors)
    await _mark_all(engine, slots)
    while await recompute(engine, FOREVER):
        pass
    return len(slots)


async def trim(engine: AsyncEngine, now_ms: int) -> bool:
    """Remove some rows of spans that are kept no longer; return whether there is more to remove.

    They count as removed from before the first of them goes, whatever a clock says later.
    """
    async with reading(engine) as connection:
        floors = await _floors(connection)
        wanted = {
            span: max(start, floors.get(span, 0)) for span, start in _floors_at(now_ms).items()
        }
        olds = [await _old(connection, span, floor) for span, floor in wanted.items()]
    if wanted != floors:
        async with working(engine) as connection:
            await _raise_floors(connection, wanted)
    for old, (span, floor) in zip(olds, wanted.items(), strict=True):
        if old is not None:
            upto = min(slot_at(_REMOVED_AT_ONCE[span], old).end_ms, floor)
            which = rollup.c.span == span, rollup.c.start_ms < upto
            async with working(engine) as connection:
                if span in SPANS_OF_VIEWS:
                    await remove_views_before(connection, span, upto)
                await connection.execute(delete(rollup).where(*which))
    return any(old is not None for old in olds)


async def _old(connection: AsyncConnection, span: int, floor: int) -> int | None:
    query = select(rollup.c.start_ms).where(rollup.c.span == span, rollup.c.start_ms < floor)
    return (await connection.execute(query.order_by(rollup.c.start_ms).limit(1))).scalar()


def _floors_at(now_ms: int) -> dict[int, int]:
    """Return where the rows that are kept begin, at the beginning of a day each."""
    today = slot_at(DAY, now_ms).start_ms
    return {span: max(today - (days - 1) * _DAY_MS, 0) for span, days in KEPT_DAYS.items()}


async def _floors(connection: AsyncConnection) -> dict[int, int]:
    rows = await connection.execute(select(rollup_floor.c.span, rollup_floor.c.start_ms))
    return dict(rows.all())


async def _closed(connection: AsyncConnection, floors: Mapping[int, int]) -> dict[int, int]:
    """Return where slots of each span begin that may be made: not where usage rows may be gone."""
    usage_ms = await usage_floor_ms(connection)
    return {span: max(floors.get(span, 0), usage_ms) for span in SPANS}


async def _raise_floors(connection: AsyncConnection, floors: Mapping[int, int]) -> None:
    query = upsert(connection, rollup_floor)
    query = query.on_conflict_do_update(
        index_elements=["span"],
        set_={"start_ms": query.excluded.start_ms},
        where=rollup_floor.c.start_ms < query.excluded.start_ms,
    )
    rows: list[dict[str, Any]] = [
        {"span": span, "start_ms": start} for span, start in sorted(floors.items())
    ]
    await connection.execute(query, rows)


async def _slots_with_calls(
    connection: AsyncConnection, since_ms: int, floors: Mapping[int, int]
) -> set[Slot]:
    """Return the slots of kept rows that calls were made in, and those that they lie in."""
    slots: set[Slot] = set()
    at_ms = max(since_ms, floors[DAY])
    while True:
        later = select(usage.c.tid).where(usage.c.tid >= first_tid(at_ms))
        found = (await connection.execute(later.order_by(usage.c.tid).limit(1))).scalar()
        if found is None:
            return slots
        kept = [slot for slot in _around(tid_ms(found)) if not _is_removed(slot, floors)]
        slots.update(kept)
        at_ms = kept[0].end_ms


def _around(at_ms: int) -> list[Slot]:
    return [slot_at(span, at_ms) for span in SPANS]


async def _slots_with_rows(
    connection: AsyncConnection, since_ms: int, floors: Mapping[int, int]
) -> set[Slot]:
    query = select(rollup.c.span, rollup.c.start_ms).distinct()
    rows = await connection.execute(query.where(rollup.c.start_ms >= since_ms))
    slots = {Slot(span, start) for span, start in rows}
    return {slot for slot in slots if not _is_removed(slot, floors)}


async def _mark_all(engine: AsyncEngine, slots: Iterable[Slot]) -> None:
    ordered = sorted(slots)
    for at in range(0, len(ordered), WRITTEN_AT_ONCE):
        async with working(engine) as connection:
            await mark(connection, ordered[at : at + WRITTEN_AT_ONCE], at_once=True)
