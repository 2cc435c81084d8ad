"""Proof that a lease has one holder, that it can be taken over, and that nobody believes too long."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.passing_time import pass_time
from tollbridge.storage.leases import Lease, hold_lease, release_lease
from tollbridge.storage.tables import change
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.work_tables import lease

FOR_S = 1000


async def test_one_holder_until_the_end_then_another(engine: AsyncEngine):
    assert await hold_lease(engine, "audit", 1, FOR_S)
    assert not await hold_lease(engine, "audit", 2, FOR_S)
    assert await hold_lease(engine, "nodes", 2, FOR_S)
    await pass_time(engine, FOR_S + 1)
    assert await hold_lease(engine, "audit", 2, FOR_S)
    assert not await hold_lease(engine, "audit", 1, FOR_S)


async def test_a_holder_prolongs_and_also_shortens(engine: AsyncEngine):
    assert await hold_lease(engine, "audit", 1, FOR_S)
    await pass_time(engine, FOR_S - 100)
    assert await hold_lease(engine, "audit", 1, FOR_S)
    await pass_time(engine, FOR_S - 100)
    assert not await hold_lease(engine, "audit", 2, FOR_S)
    assert await hold_lease(engine, "audit", 1, 0)
    assert await hold_lease(engine, "audit", 2, FOR_S)


async def test_only_the_holder_releases(engine: AsyncEngine):
    await hold_lease(engine, "audit", 1, FOR_S)
    await release_lease(engine, "audit", 2)
    assert not await hold_lease(engine, "audit", 2, FOR_S)
    await release_lease(engine, "audit", 1)
    assert await hold_lease(engine, "audit", 2, FOR_S)


async def test_of_many_at_a_time_one_gets_it(engine: AsyncEngine):
    got = await asyncio.gather(*(hold_lease(engine, "audit", who, FOR_S) for who in range(8)))
    assert sum(got) == 1


async def test_leases_are_no_change_of_the_catalogue(engine: AsyncEngine):
    await hold_lease(engine, "audit", 1, FOR_S)
    await release_lease(engine, "audit", 1)
    async with reading(engine) as connection:
        assert (await connection.execute(select(change.c.version))).scalar_one() == 1


async def test_a_holder_believes_only_what_is_certain(engine: AsyncEngine):
    mine, other = Lease(engine, "audit", 1), Lease(engine, "audit", 2)
    assert mine.left_s == 0
    assert await mine.hold(FOR_S)
    assert 0 < mine.left_s <= FOR_S
    assert not await other.hold(FOR_S)
    assert other.left_s == 0
    await mine.release()
    assert mine.left_s == 0
    assert await other.hold(FOR_S)
    assert not await mine.hold(FOR_S)


async def test_what_is_believed_ends_before_the_database_lets_another_take_it(engine: AsyncEngine):
    mine = Lease(engine, "audit", 1)
    assert await mine.hold(0.2)
    while not await hold_lease(engine, "audit", 2, FOR_S):
        await asyncio.sleep(0.01)
    assert mine.left_s == 0


async def test_a_request_that_failed_gives_nothing_and_takes_nothing(engine: AsyncEngine):
    mine = Lease(engine, "audit", 1)
    await mine.hold(FOR_S)
    left = mine.left_s
    async with working(engine) as connection:
        await connection.run_sync(lease.drop)
    with pytest.raises(Exception, match="lease"):
        await mine.hold(2 * FOR_S)
    assert 0 < mine.left_s <= left


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hold"), st.integers(1, 3), st.sampled_from([100, FOR_S])),
        st.tuples(st.just("release"), st.integers(1, 3), st.just(0)),
        st.tuples(st.just("wait"), st.just(0), st.sampled_from([60, 500, FOR_S])),
    ),
    max_size=20,
)


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(steps=_STEPS)
async def test_any_history_has_one_holder_at_a_time(engine: AsyncEngine, steps):
    async with working(engine) as connection:
        await connection.execute(delete(lease))
    now, holder, until = 0, 0, 0
    for what, who, seconds in steps:
        if what == "wait":
            await pass_time(engine, seconds)
            now += seconds
        elif what == "release":
            await release_lease(engine, "audit", who)
            holder = 0 if who == holder else holder
        else:
            free = holder in {0, who} or until <= now
            assert await hold_lease(engine, "audit", who, seconds) == free
            if free:
                holder, until = who, now + seconds
