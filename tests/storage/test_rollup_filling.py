"""Proof that views are filled from roll-ups that were there before, whoever works beside."""

import asyncio

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.rollup_oracle import (
    call,
    catch_up,
    in_the_table,
    views_by_hand,
    views_in_the_table,
    views_right,
)
from tests.storage.usage_writer import recharge
from tollbridge.core.clock import now_ms
from tollbridge.core.periods import period_at
from tollbridge.storage import rollup_filling as module
from tollbridge.storage import rollups
from tollbridge.storage.call_index import index_chunk
from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.query_tables import rollup, rollup_dirty, rollup_view, rollup_view_floor
from tollbridge.storage.rollup_filling import fill_views
from tollbridge.storage.rollup_marks import DAY, HOUR, due_marks, mark, slot_at, standing_marks
from tollbridge.storage.rollup_views import view_floors
from tollbridge.storage.rollups import FOREVER, begin
from tollbridge.storage.unit_of_work import reading, working

_DAY_MS = 86_400_000
NOW = now_ms()
TODAY = period_at("day", NOW).start_ms


async def before_there_were_views(engine: AsyncEngine) -> list[str]:
    """Make roll-ups of some days as an earlier version left them."""
    await begin(engine, NOW)
    tids = [
        await call(engine, TODAY - ago * _DAY_MS + hour * 3_600_000, user_id=ago)
        for ago in (0, 1, 30)
        for hour in range(3)
    ]
    await catch_up(engine)
    async with working(engine) as connection:
        await connection.execute(delete(rollup_view))
    return tids


async def is_filled(engine: AsyncEngine) -> None:
    assert await views_right(engine)
    async with reading(engine) as connection:
        assert await view_floors(connection) == {HOUR: 0, DAY: 0}


@pytest.mark.parametrize("at_once", [1, 16])
async def test_the_latest_slots_come_first(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch, at_once: int
):
    monkeypatch.setattr(module, "_SLOTS_AT_ONCE", at_once)
    await before_there_were_views(engine)
    assert await fill_views(engine) == min(at_once, 3)
    filled = await views_in_the_table(engine)
    async with reading(engine) as connection:
        [(span, since)] = (await view_floors(connection)).items()
    assert filled == {
        slot: rows
        for slot, rows in views_by_hand(await in_the_table(engine)).items()
        if slot[0] == span == DAY and slot[1] >= since
    }
    while await fill_views(engine):
        pass
    await is_filled(engine)
    assert await fill_views(engine) == 0


async def test_without_calls_views_are_complete_at_once(engine: AsyncEngine):
    assert [await fill_views(engine) for _ in range(3)] == [1, 1, 0]
    await is_filled(engine)
    await begin(engine, NOW)
    await call(engine, TODAY)
    await catch_up(engine)
    await is_filled(engine)


async def test_days_whose_calls_are_gone_are_filled(engine: AsyncEngine):
    await before_there_were_views(engine)
    async with working(engine) as connection:
        await connection.execute(delete(usage))
        # What stands in views and is of nothing is mended too.
        await connection.execute(update(rollup).values(status_class=5))
    while await fill_views(engine):
        pass
    await is_filled(engine)


async def test_who_was_paused_meanwhile_looks_again(engine: AsyncEngine):
    """It saw a slot without views; they were filled, and then it would write what it lacked."""
    tids = await before_there_were_views(engine)
    async with working(engine) as connection:
        await connection.execute(update(usage).where(usage.c.tid == tids[0]).values(user_id=77))
        await recharge(connection, tids[0], 5)
    await index_chunk(engine)
    for _ in range(3):
        _, changes, floors = await rollups._look(engine, FOREVER)
        while await fill_views(engine):
            pass
        async with working(engine) as connection:
            await connection.execute(delete(rollup_view_floor))
            for batch in rollups._batches(changes):
                await rollups._write(connection, batch, floors)
    await catch_up(engine)
    while await fill_views(engine):
        pass
    await is_filled(engine)


async def test_a_slot_that_is_being_made_gets_another_mark(engine: AsyncEngine):
    await before_there_were_views(engine)
    slots = [slot_at(span, TODAY) for span in (HOUR, DAY)]
    marks = select(rollup_dirty.c.span, rollup_dirty.c.mark, rollup_dirty.c.due_ms)
    async with working(engine) as connection:
        await mark(connection, slots)
        before = (await connection.execute(marks.order_by("span"))).all()
    while await fill_views(engine):
        pass
    async with reading(engine) as connection:
        after = (await connection.execute(marks.order_by("span"))).all()
    assert [(span, due) for span, _, due in after] == [(span, due) for span, _, due in before]
    assert not {number for _, number, _ in after} & {number for _, number, _ in before}


async def test_who_makes_a_slot_anew_and_who_fills_it_never_wait_for_each_other(
    engine: AsyncEngine,
):
    await before_there_were_views(engine)
    day, hour = (slot_at(span, TODAY) for span in (DAY, HOUR))
    async with working(engine) as connection:
        await mark(connection, [day])
    async with reading(engine) as connection:
        marks = set(await due_marks(connection, FOREVER, 1))
    async with working(engine) as connection:
        assert await standing_marks(connection, marks) == marks
        filling = asyncio.create_task(fill_views(engine))
        await asyncio.wait([filling], timeout=0.3)
        await mark(connection, [hour])
    assert await filling > 0


async def test_filling_beside_those_who_add_up(engine: AsyncEngine):
    tids = await before_there_were_views(engine)

    async def change() -> None:
        for number, tid in enumerate(tids):
            async with working(engine) as connection:
                await recharge(connection, tid, number)
            await catch_up(engine)

    async def fill() -> None:
        while await fill_views(engine):
            pass

    await asyncio.gather(change(), fill(), fill())
    await fill()
    await is_filled(engine)
