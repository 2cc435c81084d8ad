"""The twin of storage/audit_marks.py: marks are kept whole, by one at a time, in short steps."""

import pytest
from sqlalchemy import text

from tollbridge.core.clock import first_id, new_id
from tollbridge.storage.audit_marks import Kept, Marks, keep_marks, next_marks, read_marks
from tollbridge.storage.engine import BadData
from tollbridge.storage.unit_of_work import reading, working

HOUR = 3_600_000
NOW = 1_800_000_000_000
MARKS = Marks(5, "0" * 32, 1, 2, 3)
NOTHING = Kept(None, None, {})


async def stored(engine):
    async with reading(engine) as connection:
        return await read_marks(connection)


async def following(engine, before=None, margin_ms=HOUR):
    async with reading(engine) as connection:
        return await next_marks(connection, NOW, margin_ms, before)


async def write(engine, statement, **values):
    async with working(engine) as connection:
        await connection.execute(text(statement), values)


async def line(engine, at_ms):
    await write(
        engine,
        "INSERT INTO journal (id, at_ms, debit, credit, amount, kind, ref)"
        " VALUES (:id, 0, 'promo', 'revenue', 1, 'grant', :ref)",
        id=first_id(at_ms) + 7, ref=str(at_ms),
    )  # fmt: skip


async def hold(engine, tid, at_ms):
    await write(
        engine,
        "INSERT INTO hold (tid, wallet_id, amount, covered, node_id, epoch, at_ms, bill)"
        " VALUES (:tid, 1, 1, 0, 1, 1, :at_ms, '')",
        tid=tid, at_ms=at_ms,
    )  # fmt: skip


async def test_there_are_no_marks_at_first(engine):
    assert await stored(engine) == NOTHING


async def test_marks_and_sums_are_kept(engine):
    assert await keep_marks(engine, NOTHING, MARKS, {"wallet:1": 70, "revenue": -70})
    kept = await stored(engine)
    assert (kept.marks, kept.sums) == (MARKS, {"wallet:1": 70, "revenue": -70})


async def test_sums_follow_and_those_without_lines_go(engine):
    await keep_marks(engine, NOTHING, MARKS, {"a": 1, "b": 2, "c": 3})
    assert await keep_marks(engine, await stored(engine), MARKS, {"a": 1, "b": 5, "d": 2**62})
    assert (await stored(engine)).sums == {"a": 1, "b": 5, "d": 2**62}


async def test_who_read_before_another_wrote_keeps_nothing(engine):
    assert await keep_marks(engine, NOTHING, MARKS, {"a": 1})
    assert not await keep_marks(engine, NOTHING, MARKS, {"a": 2})
    kept = await stored(engine)
    later = Marks(6, "0" * 32, 1, 2, 3)
    assert await keep_marks(engine, kept, later, {"a": 3})
    assert not await keep_marks(engine, kept, later, {"a": 4})
    assert (await stored(engine)).sums == {"a": 3}


async def test_a_change_that_was_cut_off_leaves_no_marks(engine):
    await keep_marks(engine, NOTHING, MARKS, {"a": 1, "b": 1, "c": 1})
    before = await stored(engine)
    # A total that no column holds fails the second step.
    with pytest.raises(BadData):
        await keep_marks(engine, before, MARKS, {"a": 2, "b": 2, "c": 2**70}, at_once=2)
    broken = await stored(engine)
    assert broken.marks is None
    assert broken.sums == {"a": 2, "b": 2, "c": 1}
    assert await keep_marks(engine, broken, MARKS, at_once=1, sums={"a": 9, "b": 9, "c": 9})
    assert await stored(engine) == Kept(MARKS, before.stored, {"a": 9, "b": 9, "c": 9})


async def test_what_is_no_marks_counts_as_none(engine):
    await write(engine, "INSERT INTO audit_mark VALUES ('books', 'a scribble')")
    kept = await stored(engine)
    assert kept == Kept(None, "a scribble", {})
    assert await keep_marks(engine, kept, MARKS, {})


async def test_the_region_ends_a_margin_before_now_when_nothing_was_written(engine):
    marks = await following(engine)
    assert marks == Marks(
        first_id(NOW - HOUR), f"{NOW - HOUR:012x}" + "0" * 20, NOW - HOUR, NOW, NOW
    )


async def test_the_region_ends_a_margin_before_the_newest_line_when_that_is_older(engine):
    await line(engine, NOW - 5 * HOUR)
    await line(engine, NOW - 9 * HOUR)
    assert (await following(engine, margin_ms=7)).since_ms == NOW - 5 * HOUR - 7


async def test_the_call_of_an_open_hold_is_left_open(engine):
    tid = f"{NOW - 3 * HOUR:012x}" + "1" * 20
    await hold(engine, tid, NOW - 3 * HOUR)
    await hold(engine, f"{NOW - 2 * HOUR:012x}" + "2" * 20, NOW - 2 * HOUR)
    marks = await following(engine)
    assert (marks.line, marks.tid, marks.since_ms) == (first_id(NOW - HOUR), tid, NOW - 3 * HOUR)


async def test_sums_never_go_back_but_calls_are_looked_at_again(engine):
    before = Marks(new_id() + 2**60, "f" * 32, 1, 2, 3)
    marks = await following(engine, before)
    assert marks.line == before.line
    assert marks.tid < before.tid
    assert (marks.at_ms, marks.full_ms) == (NOW, 3)
