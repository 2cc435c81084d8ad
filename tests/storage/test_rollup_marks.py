"""Proof of slots and marks: borders, turns that are kept, and whoever comes late finds none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.rollup_oracle import tid_at
from tests.storage.usage_writer import make_calls
from tollbridge.core.clock import now_ms, tid_ms
from tollbridge.storage.call_index import index_chunk
from tollbridge.storage.rollup_marks import (
    DAY,
    FIVE_MINUTES,
    HOUR,
    SPANS,
    Slot,
    due_marks,
    first_tid,
    mark,
    mark_calls,
    remove_marks,
    slot_at,
    standing_marks,
)
from tollbridge.storage.unit_of_work import reading, working

FOREVER = 1 << 62
NEW_YEAR = 1_767_225_600_000


@given(ms=st.integers(0, 2**45))
def test_a_moment_lies_in_one_slot_of_each_span(ms: int):
    slots = [slot_at(span, ms) for span in SPANS]
    assert all(slot.start_ms <= ms < slot.end_ms for slot in slots)
    assert [slot.parent for slot in slots] == [*slots[1:], None]
    assert tid_ms(first_tid(ms)) == ms
    assert first_tid(ms) <= tid_at(ms) < first_tid(ms + 1)


def test_a_new_year_begins_all_three():
    assert {slot_at(span, NEW_YEAR) for span in SPANS} == {Slot(span, NEW_YEAR) for span in SPANS}
    assert slot_at(DAY, NEW_YEAR - 1) == Slot(DAY, NEW_YEAR - 86_400_000)


async def due(engine: AsyncEngine, now: int, limit: int = 9):
    async with reading(engine) as connection:
        return await due_marks(connection, now, limit)


async def put(engine: AsyncEngine, *slots: Slot, **how) -> None:
    async with working(engine) as connection:
        await mark(connection, slots, **how)


async def test_a_turn_comes_after_a_wait_and_is_kept_when_marked_again(engine: AsyncEngine):
    slot = slot_at(FIVE_MINUTES, now_ms())
    await put(engine, slot)
    assert await due(engine, now_ms()) == []
    turn = now_ms() + 10_000
    [first] = await due(engine, turn)
    await put(engine, slot, slot)
    [again] = await due(engine, turn)
    assert (again.slot, again.number != first.number) == (slot, True)
    await put(engine, slot, at_once=True)
    assert [one.slot for one in await due(engine, 0)] == [slot]
    await put(engine, slot)
    assert [one.slot for one in await due(engine, 0)] == [slot]


async def test_a_slot_that_gets_many_calls_is_made_when_it_is_over(engine: AsyncEngine):
    now = now_ms()
    busy, calm = slot_at(FIVE_MINUTES, now), slot_at(FIVE_MINUTES, now - 3_600_000)
    tids = [tid_at(busy.start_ms + n) for n in range(300)] + [tid_at(calm.start_ms)]
    async with working(engine) as connection:
        await mark_calls(connection, tids)
    async with reading(engine) as connection:
        soon = await due_marks(connection, now_ms() + 11_000, 10)
        late = await due_marks(connection, max(busy.end_ms + 5_000, now_ms() + 11_000), 10)
    assert calm in {one.slot for one in soon}
    if busy.end_ms + 5_000 > now_ms() + 12_000:
        assert busy not in {one.slot for one in soon}
    assert busy in {one.slot for one in late}


async def test_small_spans_come_first_and_the_latest_of_each(engine: AsyncEngine):
    slots = [Slot(span, at * 86_400_000) for span in SPANS for at in (1, 2)]
    await put(engine, *slots, at_once=True)
    found = [one.slot for one in await due(engine, 0)]
    assert found == [slot for pair in zip(slots[1::2], slots[::2], strict=True) for slot in pair]
    assert [one.slot for one in await due(engine, 0, 2)] == found[:2]


async def test_only_marks_that_nobody_touched_stand_and_go(engine: AsyncEngine):
    one, other = Slot(HOUR, 0), Slot(HOUR, 3_600_000)
    await put(engine, one, other)
    seen = await due(engine, FOREVER)
    await put(engine, one)
    async with working(engine) as connection:
        standing = await standing_marks(connection, seen)
        assert {mark.slot for mark in standing} == {other}
        await remove_marks(connection, seen)
        await remove_marks(connection, [])
    assert [mark.slot for mark in await due(engine, FOREVER)] == [one]


@pytest.mark.parametrize("apart", [1, 299_999, 300_000, 86_400_000])
async def test_the_feed_marks_exactly_the_slots_of_its_calls(engine: AsyncEngine, apart: int):
    moments = [NEW_YEAR - 1, NEW_YEAR - 1 + apart, NEW_YEAR + 40 * 86_400_000]
    async with working(engine) as connection:
        await make_calls(connection, [tid_at(ms) for ms in moments])
    await index_chunk(engine)
    marked = {one.slot for one in await due(engine, FOREVER)}
    assert marked == {slot_at(FIVE_MINUTES, ms) for ms in moments}
