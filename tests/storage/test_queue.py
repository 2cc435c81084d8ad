"""Proof of the queue: against a plain model, and case by case where the model is silent."""

import asyncio
import itertools

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.passing_time import pass_time
from tollbridge.core.clock import now_ms
from tollbridge.storage.queue import (
    ATTEMPTS_MAX,
    Job,
    claim,
    dead_jobs,
    done,
    enqueue,
    failed,
    give_back,
    prolong,
    revive,
)
from tollbridge.storage.tables import change
from tollbridge.storage.unit_of_work import reading, working, writing
from tollbridge.storage.work_tables import job

KINDS = {"mail", "index"}
LEASE_S = 1000


async def put(engine: AsyncEngine, kind: str = "mail", **options) -> bool:
    async with working(engine) as connection:
        return await enqueue(connection, kind, {"n": options.pop("n", 0)}, **options)


async def rows(engine: AsyncEngine) -> list:
    async with reading(engine) as connection:
        return list((await connection.execute(select(job).order_by(job.c.id))).mappings())


async def take(engine: AsyncEngine, holder: int = 1, limit: int = 1) -> list[Job]:
    return await claim(engine, holder, KINDS, LEASE_S, limit)


async def test_a_job_that_is_done_is_gone(engine: AsyncEngine):
    assert await put(engine, n=7)
    [taken] = await take(engine)
    assert (taken.kind, taken.payload, taken.attempts) == ("mail", {"n": 7}, 1)
    assert await done(engine, taken)
    assert await rows(engine) == []
    assert not await done(engine, taken)


async def test_a_job_comes_and_goes_with_its_cause(engine: AsyncEngine):
    async with working(engine) as connection:
        await enqueue(connection, "mail", {})
        await connection.rollback()
    assert await rows(engine) == []


async def test_the_queue_is_no_change_of_the_catalogue(engine: AsyncEngine):
    await put(engine)
    [taken] = await take(engine)
    await failed(engine, taken, "OSError")
    await pass_time(engine, 3600)
    [taken] = await take(engine)
    await prolong(engine, taken, LEASE_S)
    await give_back(engine, taken)
    [taken] = await take(engine)
    await done(engine, taken)
    async with reading(engine) as connection:
        assert (await connection.execute(select(change.c.version))).scalar_one() == 1
    async with writing(engine) as connection:
        await enqueue(connection, "mail", {})
    assert len(await rows(engine)) == 1


async def test_only_due_jobs_of_the_kinds_asked_for_the_longest_due_first(engine: AsyncEngine):
    at = now_ms()
    await put(engine, n=1, run_at_ms=at - 1000)
    await put(engine, n=2, run_at_ms=at - 3000)
    await put(engine, n=3, run_at_ms=at - 2000, kind="index")
    await put(engine, n=4, run_at_ms=at + 3_600_000)
    await put(engine, n=5, kind="other")
    assert [one.payload["n"] for one in await take(engine, limit=2)] == [2, 3]
    assert [one.payload["n"] for one in await take(engine, limit=9)] == [1]
    assert await claim(engine, 1, [], LEASE_S, 9) == []


async def test_a_lease_that_ended_is_another_ones_job(engine: AsyncEngine):
    await put(engine)
    [first] = await take(engine, holder=1)
    assert await take(engine, holder=2) == []
    await pass_time(engine, LEASE_S + 1)
    [second] = await take(engine, holder=2)
    assert (second.id, second.attempts) == (first.id, 2)
    assert not await prolong(engine, first, LEASE_S)
    assert await failed(engine, first, "OSError") == "lost"
    assert not await give_back(engine, first)
    assert not await done(engine, first)
    assert await done(engine, second)


async def test_a_second_claim_by_the_same_holder_ends_the_first(engine: AsyncEngine):
    await put(engine)
    [first] = await take(engine)
    await pass_time(engine, LEASE_S + 1)
    [second] = await take(engine)
    assert not await done(engine, first)
    assert await done(engine, second)


async def test_a_prolonged_lease_holds(engine: AsyncEngine):
    await put(engine)
    [taken] = await take(engine)
    await pass_time(engine, LEASE_S - 100)
    assert await prolong(engine, taken, LEASE_S)
    await pass_time(engine, LEASE_S - 100)
    assert await take(engine, holder=2) == []


async def test_failures_wait_longer_and_longer_then_kill(engine: AsyncEngine):
    await put(engine, dedupe="once")
    pauses = []
    for attempt in itertools.count(1):
        [taken] = await take(engine)
        outcome = await failed(engine, taken, "x" * 300)
        if outcome == "dead":
            break
        [row] = await rows(engine)
        pauses.append(row["run_at_ms"] - now_ms())
        assert (row["attempts"], row["error"], row["holder"]) == (attempt, "x" * 200, None)
        await pass_time(engine, 3600)
    assert attempt == ATTEMPTS_MAX
    for number, pause in enumerate(pauses):
        longest = min(10_000 * 2**number, 3_600_000)
        assert longest * 3 // 4 - 5_000 < pause <= longest
    async with reading(engine) as connection:
        [dead] = await dead_jobs(connection)
    assert (dead.kind, dead.attempts, dead.error) == ("mail", ATTEMPTS_MAX, "x" * 200)
    # The text is free for a new job, and the dead one comes back besides it.
    assert await put(engine, dedupe="once")
    async with working(engine) as connection:
        assert await revive(connection, dead.id)
        assert not await revive(connection, dead.id)
    assert {one.attempts for one in await take(engine, limit=9)} == {1}


async def test_a_job_that_ends_its_workers_dies_too(engine: AsyncEngine):
    await put(engine)
    for _ in range(ATTEMPTS_MAX):
        assert len(await take(engine)) == 1
        await pass_time(engine, LEASE_S + 1)
    assert await take(engine) == []
    async with reading(engine) as connection:
        [dead] = await dead_jobs(connection)
    assert dead.error == "LeaseExpired"


async def test_a_job_given_back_is_due_at_once_and_was_no_attempt(engine: AsyncEngine):
    await put(engine)
    [taken] = await take(engine)
    assert await give_back(engine, taken)
    [again] = await take(engine, holder=2)
    assert again.attempts == 1


async def test_dead_jobs_come_newest_first_and_limited(engine: AsyncEngine):
    for number in range(3):
        await put(engine, n=number)
    for taken in await take(engine, limit=3):
        await failed(engine, taken._replace(attempts=1), "E")
    async with working(engine) as connection:
        await connection.execute(job.update().values(state="dead"))
    async with reading(engine) as connection:
        ids = [dead.id for dead in await dead_jobs(connection, 2)]
    assert ids == [row["id"] for row in reversed(await rows(engine))][:2]


@pytest.mark.parametrize("wanted", [1, 3])
async def test_claims_at_the_same_time_share_the_jobs(engine: AsyncEngine, wanted):
    for number in range(6):
        await put(engine, n=number)
    taken = await asyncio.gather(*(take(engine, holder, wanted) for holder in range(1, 7)))
    ids = [one.id for some in taken for one in some]
    assert len(ids) == len(set(ids))
    while more := await take(engine, 9, wanted):
        ids += [one.id for one in more]
    assert len(ids) == len(set(ids)) == 6
