"""Proof that the index is what usage says, for every call that has left the feed."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.usage_writer import expected, fed, feed, give_back, indexed, make_calls, recharge
from tollbridge.core.clock import new_tid
from tollbridge.storage import call_index as module
from tollbridge.storage.call_index import POSTGRESQL_CHUNK, SQLITE_CHUNK, chunk_of, index_chunk
from tollbridge.storage.ledger_tables import usage, usage_feed
from tollbridge.storage.query_tables import call_index
from tollbridge.storage.tables import change
from tollbridge.storage.unit_of_work import reading, working


async def test_a_call_is_indexed_once_and_leaves_the_feed(engine: AsyncEngine):
    async with working(engine) as connection:
        await make_calls(connection, [new_tid()], user_id=1, key_id=2, channel_id=3, status=200)
    assert await index_chunk(engine) == 1
    assert await index_chunk(engine) == 0
    [one] = await indexed(engine)
    assert one[1:] == (1, 2, 3, 200, 1, "a model")


async def test_a_call_that_is_changed_later_comes_again(engine: AsyncEngine):
    tid = new_tid()
    async with working(engine) as connection:
        await make_calls(connection, [tid])
    await index_chunk(engine)
    async with working(engine) as connection:
        await recharge(connection, tid, 5)
        await recharge(connection, tid, 7)
    assert await index_chunk(engine) == 2
    assert await indexed(engine) == await expected(engine)
    assert (await indexed(engine))[0][5] == 7


async def test_a_call_that_was_given_back_cost_nothing(engine: AsyncEngine):
    tid = new_tid()
    async with working(engine) as connection:
        await make_calls(connection, [tid])
        await recharge(connection, tid, 7)
    await index_chunk(engine)
    assert (await indexed(engine))[0][5] == 7
    async with working(engine) as connection:
        await give_back(connection, tid)
    await index_chunk(engine)
    assert (await indexed(engine))[0][5] == 0
    assert await indexed(engine) == await expected(engine)


async def test_a_chunk_is_one_transaction_of_a_bounded_size(engine: AsyncEngine):
    bound = POSTGRESQL_CHUNK if engine.dialect.name == "postgresql" else SQLITE_CHUNK
    assert chunk_of(engine) == bound
    tid = new_tid()
    async with working(engine) as connection:
        await make_calls(connection, [tid])
        await feed(connection, [tid] * bound)
    assert await index_chunk(engine) == bound
    assert await fed(engine) == 1
    assert await index_chunk(engine) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_between_chunks_on_sqlite_another_writer_gets_in(engine: AsyncEngine):
    async with working(engine) as connection:
        await make_calls(connection, [new_tid() for _ in range(3 * SQLITE_CHUNK)])
    waits = []
    while await index_chunk(engine):
        async with working(engine) as connection:
            count = await connection.execute(select(func.count()).select_from(usage_feed))
            waits.append(count.scalar_one())
    assert waits == [2 * SQLITE_CHUNK, SQLITE_CHUNK, 0]


async def test_indexing_is_no_change_of_the_catalogue(engine: AsyncEngine):
    async with working(engine) as connection:
        await make_calls(connection, [new_tid()])
    await index_chunk(engine)
    async with reading(engine) as connection:
        assert (await connection.execute(select(change.c.version))).scalar_one() == 1


async def test_what_fails_half_way_stays_in_the_feed(engine: AsyncEngine):
    async with working(engine) as connection:
        await make_calls(connection, [new_tid()])
        await connection.run_sync(call_index.drop)
    with pytest.raises(DBAPIError):
        await index_chunk(engine)
    assert await fed(engine) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_while_another_process_indexes_this_one_does_not(engine: AsyncEngine):
    async with working(engine) as connection:
        await make_calls(connection, [new_tid()])
    async with working(engine) as connection:
        await connection.execute(select(func.pg_advisory_xact_lock(module._TURN)))
        assert await index_chunk(engine) == 0
    assert await index_chunk(engine) == 1


async def test_whoever_is_stopped_when_nothing_is_lost_or_stale(engine: AsyncEngine):
    """Writers, two that index, and a hand that stops them in the middle, all at once."""
    tids: list[str] = []

    async def write() -> None:
        for number in range(30):
            async with working(engine) as connection:
                fresh = [new_tid() for _ in range(5)]
                await make_calls(connection, fresh, user_id=number)
                for tid in tids[-3:]:
                    await recharge(connection, tid, number)
            tids.extend(fresh)

    async def work() -> None:
        while True:
            await index_chunk(engine)
            await asyncio.sleep(0)

    writer = asyncio.create_task(write())
    turn = 0
    while not writer.done():
        workers = [asyncio.create_task(work()) for _ in range(2)]
        turn += 1
        await asyncio.wait({writer}, timeout=0.001 * (turn % 20))
        for worker in workers:
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker
    await writer
    while await index_chunk(engine):
        pass
    assert len(tids) == 150
    assert await fed(engine) == 0
    assert await indexed(engine) == await expected(engine, waiting=True)


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("make"), st.integers(1, 3)),
        st.tuples(st.just("change"), st.integers(0, 9)),
        st.tuples(st.just("index"), st.just(0)),
        st.tuples(st.just("undone"), st.integers(0, 9)),
    ),
    max_size=15,
)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(steps=_STEPS)
async def test_any_history_leaves_the_index_as_usage_says(engine: AsyncEngine, steps):
    async with working(engine) as connection:
        for table in (usage, usage_feed, call_index):
            await connection.execute(delete(table))
    tids: list[str] = []
    for charge, (what, number) in enumerate(steps, start=10):
        if what == "index":
            await index_chunk(engine)
        else:
            async with working(engine) as connection:
                if what == "make":
                    fresh = [new_tid() for _ in range(number)]
                    await make_calls(connection, fresh, channel_id=charge)
                    tids += fresh
                elif number < len(tids):
                    await recharge(connection, tids[number], charge)
                    if what == "undone":
                        await connection.rollback()
        known = {one[0]: one for one in await indexed(engine)}
        for one in await expected(engine):
            assert known[one[0]] == one
    while await index_chunk(engine):
        pass
    assert await indexed(engine) == await expected(engine, waiting=True)
    assert len(await indexed(engine)) == len(tids)
