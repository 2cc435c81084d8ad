"""Owns the first filling of views: slots that had rows before there were views, the latest first.

After an upgrade and a restore. Until a slot's turn has come questions that reach so far back are
answered from its own rows. Must not know when it runs. Why so: docs/decisions/0042.
"""

import asyncio
from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.storage.query_tables import rollup, rollup_dirty, rollup_view, rollup_view_floor
from tollbridge.storage.rollup_marks import Slot, mark
from tollbridge.storage.rollup_sums import Row, stored
from tollbridge.storage.rollup_views import (
    SPANS_OF_VIEWS,
    apply,
    differences,
    stored_views,
    view_floors,
    views_of,
)
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.upsert import upsert

_NEVER: Final = 1 << 62
_ROWS_AT_ONCE = 1000
_SLOTS_AT_ONCE = 16
# Nobody marks a slot, and no other one fills, until this transaction has ended.
_NO_MARKS = text("LOCK TABLE rollup_dirty IN SHARE ROW EXCLUSIVE MODE")


async def fill_views(engine: AsyncEngine) -> int:
    """Make the views of some slots that may have none; return how many, 0 where all have theirs."""
    async with reading(engine) as connection:
        floors = await view_floors(connection)
        span = next((span for span in SPANS_OF_VIEWS if floors.get(span, _NEVER)), None)
        if span is None:
            return 0
        found = await _older(connection, span, floors.get(span, _NEVER))
    # Many groups must not keep the calls of this process waiting.
    made = [(slot, rows, await asyncio.to_thread(views_of, rows)) for slot, rows in found]
    async with working(engine) as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(_NO_MARKS)
        for slot, rows, views in made:
            if sorted(await stored(connection, slot)) != sorted(rows):
                # It was made anew meanwhile; what there is now is looked at next time.
                return 1
            await _fill(connection, slot, rows, views)
        await _lower(connection, span, found[-1][0].start_ms if found else 0)
    return max(len(found), 1)


async def _older(
    connection: AsyncConnection, span: int, before_ms: int
) -> list[tuple[Slot, list[Row]]]:
    """Return the latest slots before a moment, with their rows, as many as are filled at once."""
    found: list[tuple[Slot, list[Row]]] = []
    count = 0
    while count < _ROWS_AT_ONCE and len(found) < _SLOTS_AT_ONCE:
        query = select(func.max(rollup.c.start_ms))
        query = query.where(rollup.c.span == span, rollup.c.start_ms < before_ms)
        latest = (await connection.execute(query)).scalar()
        if latest is None:
            break
        before_ms = latest
        slot = Slot(span, latest)
        found.append((slot, await stored(connection, slot)))
        count += len(found[-1][1])
    return found


async def _fill(connection: AsyncConnection, slot: Slot, rows: list[Row], views: list[Row]) -> None:
    before = await stored_views(connection, slot, {row[0] for row in rows})
    for edits in differences(rollup_view, slot, before, views):
        await apply(connection, edits)
    marks = select(rollup_dirty.c.mark).where(
        rollup_dirty.c.span == slot.span, rollup_dirty.c.start_ms == slot.start_ms
    )
    if (await connection.execute(marks)).first():
        # Whoever is making it anew has not seen these rows and must look again.
        await mark(connection, [slot])


async def _lower(connection: AsyncConnection, span: int, start_ms: int) -> None:
    query = upsert(connection, rollup_view_floor).values(span=span, start_ms=start_ms)
    query = query.on_conflict_do_update(
        index_elements=["span"],
        set_={"start_ms": query.excluded.start_ms},
        where=rollup_view_floor.c.start_ms > query.excluded.start_ms,
    )
    await connection.execute(query)
