"""Proof that jobs are run side by side, and that no handler's fault goes beyond its job."""

import asyncio
from contextlib import asynccontextmanager

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.passing_time import pass_time
from tests.worker.watching import Remembered, job_rows, put, until
from tollbridge.storage.queue import ATTEMPTS_MAX, claim
from tollbridge.storage.unit_of_work import working
from tollbridge.storage.work_tables import job
from tollbridge.worker.consumer import Consumer

HOLDER = 1


@asynccontextmanager
async def consuming(engine: AsyncEngine, handlers, **options):
    gauges = Remembered()
    consumer = Consumer(engine, HOLDER, handlers, gauges, **options)
    task = asyncio.create_task(consumer.run())
    try:
        yield consumer, gauges
    finally:
        consumer.bell.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Gate:
    """A handler that waits in the middle until the test lets it go on."""

    def __init__(self) -> None:
        self.inside: list[int] = []
        self.most = 0
        self.cancelled = 0
        self.opened = asyncio.Event()

    async def __call__(self, one) -> None:
        self.inside.append(one.payload.get("n"))
        self.most = max(self.most, len(self.inside))
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.inside.pop()


async def nothing(one) -> None:
    """Be done at once."""


async def fails(one) -> None:
    raise LookupError("CANARY")


async def test_a_job_is_run_with_its_payload_and_is_gone(engine: AsyncEngine):
    seen = []

    async def note(one) -> None:
        seen.append((one.kind, one.payload))

    async with consuming(engine, {"note": note}) as (_, gauges):
        await put(engine, "note", n=1)
        await until(lambda: gauges.counts["done", "note"])
    assert seen == [("note", {"n": 1})]
    assert await job_rows(engine) == []


async def test_a_fault_fails_its_job_alone_and_leaves_only_its_class(engine: AsyncEngine):
    await put(engine, "bad")
    await put(engine, "good")
    async with consuming(engine, {"bad": fails, "good": nothing}) as (_, gauges):
        await until(lambda: gauges.counts["done", "good"] and gauges.counts["failed", "bad"])
        [row] = await job_rows(engine)
        assert (row["state"], row["attempts"], row["error"]) == ("ready", 1, "LookupError")
        await pass_time(engine, 3600)
        await until(lambda: gauges.counts["failed", "bad"] == 2)


async def test_the_last_failure_kills_and_is_counted(engine: AsyncEngine):
    await put(engine, "bad")
    async with working(engine) as connection:
        await connection.execute(update(job).values(attempts=ATTEMPTS_MAX - 1))
    async with consuming(engine, {"bad": fails}) as (_, gauges):
        await until(lambda: gauges.counts["dead", "bad"])
    assert [row["state"] for row in await job_rows(engine)] == ["dead"]


async def test_a_handler_that_hangs_is_cancelled_at_its_deadline(engine: AsyncEngine):
    gate = Gate()
    await put(engine, "hang")
    await put(engine, "good")
    handlers = {"hang": gate, "good": nothing}
    async with consuming(engine, handlers, deadline_s=0.1) as (_, gauges):
        await until(lambda: gauges.counts["done", "good"] and gauges.counts["failed", "hang"])
    assert gate.cancelled == 1
    assert [row["error"] for row in await job_rows(engine)] == ["DeadlinePassed"]


async def test_a_handler_that_cancels_itself_has_failed(engine: AsyncEngine):
    async def gives_up(one) -> None:
        raise asyncio.CancelledError

    await put(engine, "odd")
    async with consuming(engine, {"odd": gives_up}) as (_, gauges):
        await until(lambda: gauges.counts["failed", "odd"])


async def test_so_many_at_a_time_and_no_more(engine: AsyncEngine):
    gate = Gate()
    for number in range(5):
        await put(engine, "wait", n=number)
    async with consuming(engine, {"wait": gate}, concurrency=2) as (_, gauges):
        await until(lambda: len(gate.inside) == 2)
        states = [row["state"] for row in await job_rows(engine)]
        assert states.count("running") == 2
        gate.opened.set()
        await until(lambda: gauges.counts["done", "wait"] == 5)
    assert gate.most == 2


async def test_two_never_run_one_job_while_leases_hold(engine: AsyncEngine):
    gate = Gate()
    await put(engine, "wait", n=1)
    async with (
        consuming(engine, {"wait": gate}, lease_s=30),
        consuming(engine, {"wait": gate}, lease_s=30) as (second, _),
    ):
        await until(lambda: gate.inside)
        second.bell.ring()
        assert await claim(engine, 2, ["wait"], 30, 1) == []
        assert gate.most == 1


async def test_a_lease_is_prolonged_while_the_job_runs(engine: AsyncEngine):
    gate = Gate()
    await put(engine, "wait")
    async with consuming(engine, {"wait": gate}, lease_s=1.5):
        await until(lambda: gate.inside)
        first = (await job_rows(engine))[0]["lease_until_ms"]

        async def prolonged() -> bool:
            return (await job_rows(engine))[0]["lease_until_ms"] > first + 1000

        await until(prolonged)
        assert gate.inside


async def test_who_loses_the_lease_stops_and_says_nothing(engine: AsyncEngine):
    gate = Gate()
    await put(engine, "wait")
    async with consuming(engine, {"wait": gate}, lease_s=0.6) as (_, gauges):
        await until(lambda: gate.inside)
        async with working(engine) as connection:
            await connection.execute(update(job).values(holder=2, lease_until_ms=2**62))
        await until(lambda: gate.cancelled)
        assert not gauges.counts
    [row] = await job_rows(engine)
    assert (row["state"], row["holder"]) == ("running", 2)


async def test_while_the_database_is_away_it_waits_and_then_goes_on(engine: AsyncEngine):
    async def rename(old: str, new: str) -> None:
        async with working(engine) as connection:
            await connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    await put(engine, "good")
    await rename("job", "gone")
    async with consuming(engine, {"good": nothing}) as (consumer, gauges):
        await until(lambda: consumer._trouble._kind)
        assert not gauges.counts
        await rename("gone", "job")
        await until(lambda: gauges.counts["done", "good"])
        assert not consumer._trouble._kind


async def test_a_deed_is_told_once_the_database_is_back(engine: AsyncEngine):
    gate = Gate()

    async def rename(old: str, new: str) -> None:
        async with working(engine) as connection:
            await connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    await put(engine, "wait")
    async with consuming(engine, {"wait": gate}) as (_, gauges):
        await until(lambda: gate.inside)
        await rename("job", "gone")
        gate.opened.set()
        await until(lambda: not gate.inside)
        await asyncio.sleep(0.1)
        assert not gauges.counts
        await rename("gone", "job")
        await until(lambda: gauges.counts["done", "wait"])


async def test_a_row_that_cannot_be_read_does_not_end_the_loop(engine: AsyncEngine):
    await put(engine, "odd")
    async with working(engine) as connection:
        await connection.execute(update(job).values(payload="{"))
    async with consuming(engine, {"odd": nothing, "good": nothing}) as (consumer, gauges):
        await until(lambda: consumer._trouble._kind)
        await put(engine, "good")
        await until(lambda: gauges.counts["done", "good"])


async def test_stopped_it_gives_its_jobs_back(engine: AsyncEngine):
    gate = Gate()
    await put(engine, "wait")
    async with consuming(engine, {"wait": gate}):
        await until(lambda: gate.inside)
    [row] = await job_rows(engine)
    assert (row["state"], row["attempts"], row["holder"]) == ("ready", 0, None)
    assert gate.cancelled == 1
