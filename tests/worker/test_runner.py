"""Proof of a worker's life: it works from start to stop, and what a killed one left is done."""

import asyncio
import sys
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.passing_time import pass_time
from tests.worker.watching import Remembered, job_rows, put, until
from tollbridge.core.settings import Settings
from tollbridge.storage.unit_of_work import reading
from tollbridge.storage.work_tables import lease
from tollbridge.worker.runner import Worker
from tollbridge.worker.schedule import Periodic

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = Settings(shutdown_grace_s=0.2)


async def test_it_runs_both_kinds_and_leaves_nothing_behind(engine: AsyncEngine):
    gauges = Remembered()
    runs = []

    async def does(one) -> None:
        """Be done."""

    async def turn() -> None:
        runs.append(True)

    worker = Worker(engine, SETTINGS, {"good": does}, [Periodic("often", 0.01, turn)], gauges)
    await put(engine, "good")
    worker.start()
    await until(lambda: gauges.counts["done", "good"] and len(runs) > 1)
    await put(engine, "good")
    worker.wake()
    await until(lambda: gauges.counts["done", "good"] == 2)
    await worker.stop()
    count = len(runs)
    await asyncio.sleep(0.05)
    assert len(runs) == count
    async with reading(engine) as connection:
        assert (await connection.execute(select(lease))).all() == []
    await worker.stop()


async def test_a_worker_that_hangs_in_everything_is_stopped_all_the_same(engine: AsyncEngine):
    inside = []

    async def hangs(*_) -> None:
        inside.append(True)
        await asyncio.Event().wait()

    await put(engine, "hang")
    worker = Worker(engine, SETTINGS, {"hang": hangs}, [Periodic("work", 1, hangs)])
    worker.start()
    await until(lambda: len(inside) == 2)
    await worker.stop()
    assert [row["state"] for row in await job_rows(engine)] == ["ready"]


async def test_without_handlers_the_queue_is_left_alone(engine: AsyncEngine):
    await put(engine, "other")
    worker = Worker(engine, SETTINGS, {}, [])
    worker.start()
    worker.wake()
    await worker.stop()
    assert [row["attempts"] for row in await job_rows(engine)] == [0]


async def test_what_a_killed_worker_left_another_does_after_the_lease(
    engine: AsyncEngine, database_url
):
    await put(engine, "hang", n=1)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.worker.hanging", database_url,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert child.stdout is not None
        assert (await asyncio.wait_for(child.stdout.readline(), 60)).startswith(b"running")
    finally:
        child.kill()
        await child.wait()
    done = []

    async def does(one) -> None:
        done.append((one.payload, one.attempts))

    worker = Worker(engine, SETTINGS, {"hang": does}, [])
    worker.start()
    try:
        await asyncio.sleep(0.3)
        assert done == []
        await pass_time(engine, 61)
        await until(lambda: done)
    finally:
        await worker.stop()
    assert done == [({"n": 1}, 2)]
    assert await job_rows(engine) == []
