"""Proof that ids of the feed only grow, that a batch stays what it is, and what is sent again."""

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.usage_writer import make_calls, recharge
from tollbridge.core.clock import first_id, new_tid, now_ms
from tollbridge.storage.call_index import index_chunk
from tollbridge.storage.query_tables import audit_mark
from tollbridge.storage.sink_feed import (
    backlog,
    batch_rows,
    close_batch,
    feed_tids,
    open_batch,
    resend,
)
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.work_tables import sink_feed

FAR = first_id(now_ms() + 10**9)


async def write(engine: AsyncEngine, count: int) -> list[str]:
    tids = [new_tid() for _ in range(count)]
    async with working(engine) as connection:
        await make_calls(connection, tids)
    return tids


async def ids(engine: AsyncEngine) -> list[int]:
    async with reading(engine) as connection:
        found = await connection.execute(select(sink_feed.c.id).order_by(sink_feed.c.id))
        return list(found.scalars())


async def add(engine: AsyncEngine) -> int:
    async with working(engine) as connection:
        await feed_tids(connection, [new_tid()])
    return (await ids(engine))[-1]


async def test_without_a_sink_nothing_waits(engine: AsyncEngine):
    await write(engine, 2)
    await index_chunk(engine)
    assert await ids(engine) == []
    assert await open_batch(engine, 10) is None


@pytest.mark.parametrize("way", ["index", "resend", "by hand"])
async def test_ids_grow_over_an_empty_feed_and_a_clock_set_back(engine: AsyncEngine, way: str):
    async def one_more() -> int:
        if way == "by hand":
            return await add(engine)
        (tid,) = await write(engine, 1)
        if way == "index":
            await index_chunk(engine, sink=True)
        else:
            ms = int(tid[:12], 16)
            await resend(engine, ms, ms + 1)
        return (await ids(engine))[-1]

    await one_more()
    # As if the clock had been far ahead when it came.
    async with working(engine) as connection:
        await connection.execute(update(sink_feed).values(id=sink_feed.c.id + FAR))
    (ahead, *_) = await ids(engine)
    assert await one_more() > ahead
    batch = await open_batch(engine, 10)
    assert batch is not None
    await close_batch(engine, batch)
    assert await ids(engine) == []
    assert await one_more() > batch.last > ahead


async def test_without_any_mark_ids_are_of_the_clock(engine: AsyncEngine):
    """After a restore: what was sent before it had lower ids."""
    before = first_id(now_ms() - 1)
    assert await add(engine) > before


async def test_an_open_batch_is_the_same_for_all_until_it_is_closed(engine: AsyncEngine):
    await write(engine, 5)
    await index_chunk(engine, sink=True)
    batch = await open_batch(engine, 2)
    assert batch is not None and batch.rows == 2
    assert batch.token == f"tollbridge-{batch.first}-{batch.last}"
    assert await open_batch(engine, 5) == batch
    await close_batch(engine, batch)
    after = await open_batch(engine, 9)
    assert after is not None and (after.rows, after.first > batch.last) == (3, True)
    await close_batch(engine, batch)
    assert await open_batch(engine, 1) == after
    async with reading(engine) as connection:
        marks = dict(
            (await connection.execute(select(audit_mark.c.name, audit_mark.c.value))).all()
        )
    assert marks == {"sink_open": str(after.last), "sink_done": str(batch.last)}


async def test_a_call_that_stands_twice_in_a_batch_comes_once_with_the_later_version(
    engine: AsyncEngine,
):
    (tid,) = await write(engine, 1)
    async with working(engine) as connection:
        await recharge(connection, tid, 9)
    await index_chunk(engine, sink=True)
    batch = await open_batch(engine, 9)
    assert batch is not None and batch.rows == 2
    ((only,),) = [rows async for rows in batch_rows(engine, batch)]
    assert (only[0], only[1][0]) == (batch.last, tid)


async def test_what_is_sent_again_is_the_span_in_any_number(engine: AsyncEngine):
    tids = sorted(await write(engine, 2100))
    first, last = int(tids[0][:12], 16), int(tids[-1][:12], 16)
    assert await resend(engine, first, last + 1) == 2100
    assert await resend(engine, last + 1, last + 10**6) == 0
    async with reading(engine) as connection:
        found = await connection.execute(select(sink_feed.c.tid).order_by(sink_feed.c.id))
        assert list(found.scalars()) == tids


async def test_the_backlog_is_counted_no_further_than_asked(engine: AsyncEngine):
    async with working(engine) as connection:
        assert await backlog(connection, 3) == (0, 0)
        begun = now_ms()
        await feed_tids(connection, [new_tid() for _ in range(5)])
        rows, since = await backlog(connection, 3)
        assert rows == 3 and begun - 1 <= since <= now_ms() + 1
        await connection.execute(delete(sink_feed))
        assert (await connection.execute(select(func.count()).select_from(sink_feed))).scalar() == 0
