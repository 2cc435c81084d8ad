"""Proof that a periodic job has one leader, that it is taken over, and that it survives its faults."""

import asyncio
from contextlib import asynccontextmanager

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.passing_time import pass_time
from tests.worker.watching import Remembered, until
from tollbridge.core.clock import now_ms
from tollbridge.storage.leases import hold_lease
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.work_tables import lease
from tollbridge.worker.schedule import Periodic, Turns


class Runs:
    """A periodic job that notes its runs and does what the test wants."""

    def __init__(self, does=None) -> None:
        self.count = 0
        self._does = does

    async def __call__(self) -> bool | None:
        self.count += 1
        return await self._does(self.count) if self._does else None


@asynccontextmanager
async def turning(engine: AsyncEngine, holder: int, periodic: Periodic):
    gauges = Remembered()
    turns = Turns(engine, holder, periodic, gauges)
    task = asyncio.create_task(turns.run())
    try:
        yield turns, gauges
    finally:
        turns.bell.close()
        await asyncio.wait({task})
        await turns.let_go()


async def leader(engine: AsyncEngine) -> tuple[int, int]:
    async with reading(engine) as connection:
        found = (await connection.execute(select(lease.c.holder, lease.c.until_ms))).first()
    return tuple(found) if found else (0, 0)


async def test_it_runs_again_and_again(engine: AsyncEngine):
    runs = Runs()
    async with turning(engine, 1, Periodic("work", 0.01, runs)):
        await until(lambda: runs.count >= 3)


async def test_more_to_do_is_done_without_a_pause(engine: AsyncEngine):
    async def more(count: int) -> bool:
        return count < 3

    runs = Runs(more)
    async with turning(engine, 1, Periodic("work", 3600, runs)):
        await until(lambda: runs.count == 3)
        await asyncio.sleep(0.05)
    assert runs.count == 3


async def test_one_leads_and_another_takes_over(engine: AsyncEngine):
    first, second = Runs(), Runs()
    async with turning(engine, 1, Periodic("work", 0.01, first)) as (turns, _):
        await until(lambda: first.count)
        async with turning(engine, 2, Periodic("work", 0.01, second)) as (other, _):
            await asyncio.sleep(0.05)
            assert second.count == 0
            turns.bell.close()
            await turns.let_go()
            other.bell.ring()
            await until(lambda: second.count)
            assert (await leader(engine))[0] == 2


async def test_who_died_is_followed_when_the_lease_ends(engine: AsyncEngine):
    await hold_lease(engine, "work", 99, 1000)
    runs = Runs()
    async with turning(engine, 1, Periodic("work", 0.01, runs)) as (turns, _):
        await asyncio.sleep(0.05)
        assert runs.count == 0
        await pass_time(engine, 1001)
        turns.bell.ring()
        await until(lambda: runs.count)


async def test_a_leader_renews_only_when_another_run_would_not_fit(engine: AsyncEngine):
    runs = Runs()
    periodic = Periodic("work", 0.001, runs, deadline_s=1000)
    async with turning(engine, 1, periodic):
        await until(lambda: runs.count >= 2)
        before = await leader(engine)
        count = runs.count
        await until(lambda: runs.count >= count + 5)
        assert await leader(engine) == before
    assert await leader(engine) == (0, 0)


async def test_a_job_that_rests_long_is_not_repeated_by_another_process(engine: AsyncEngine):
    runs, other = Runs(), Runs()
    async with turning(engine, 1, Periodic("daily", 86_400, runs)):
        await until(lambda: runs.count)

        async def rests() -> bool:
            return (await leader(engine))[1] > now_ms() + 80_000_000

        await until(rests)
    async with turning(engine, 2, Periodic("daily", 86_400, other)):
        await asyncio.sleep(0.05)
    assert (runs.count, other.count) == (1, 0)
    await pass_time(engine, 86_401)
    async with turning(engine, 2, Periodic("daily", 86_400, other)):
        await until(lambda: other.count)


async def test_a_fault_is_counted_and_another_run_comes(engine: AsyncEngine):
    async def fails(count: int) -> None:
        if count == 1:
            raise LookupError

    runs = Runs(fails)
    async with turning(engine, 1, Periodic("daily", 86_400, runs)) as (_, gauges):
        await until(lambda: runs.count == 2)
        assert gauges.counts["periodic", "daily"] == 1


async def test_a_run_that_hangs_ends_at_its_deadline(engine: AsyncEngine):
    async def hangs(count: int) -> None:
        if count == 1:
            await asyncio.Event().wait()

    runs = Runs(hangs)
    async with turning(engine, 1, Periodic("work", 86_400, runs, deadline_s=0.1)) as (_, gauges):
        await until(lambda: runs.count == 2)
        assert gauges.counts["periodic", "work"] == 1


async def test_while_the_database_is_away_it_waits_and_then_goes_on(engine: AsyncEngine):
    async def rename(old: str, new: str) -> None:
        async with working(engine) as connection:
            await connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    runs = Runs()
    await rename("lease", "gone")
    async with turning(engine, 1, Periodic("work", 0.01, runs)) as (turns, gauges):
        await until(lambda: turns._trouble._kind)
        assert runs.count == 0
        await rename("gone", "lease")
        await until(lambda: runs.count)
        assert not gauges.counts
