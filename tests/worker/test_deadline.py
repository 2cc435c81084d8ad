"""Proof that work ends at its deadline, or is left behind, and never keeps anybody."""

import asyncio
import gc
import random
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import text

from tollbridge.storage.engine import open_engine
from tollbridge.storage.migrate import migrate
from tollbridge.storage.unit_of_work import working
from tollbridge.worker.deadline import DeadlinePassed, within


async def test_what_is_in_time_is_handed_on():
    async def work() -> int:
        return 7

    async def fault() -> None:
        raise LookupError

    assert await within(work(), 60, "work") == 7
    with pytest.raises(LookupError):
        await within(fault(), 60, "work")


async def test_what_is_late_is_cancelled():
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    with pytest.raises(DeadlinePassed):
        await within(work(), 0.001, "work")
    assert ended == [True]


async def test_late_work_that_raises_something_else_is_late_all_the_same():
    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise LookupError from None

    with pytest.raises(DeadlinePassed):
        await within(work(), 0.001, "work")


async def test_work_that_does_not_end_is_left_behind():
    let_go = asyncio.Event()
    ended = asyncio.Event()

    async def work() -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue
        ended.set()
        raise LookupError

    with pytest.raises(DeadlinePassed):
        await within(work(), 0.001, "work", grace_s=0.001)
    let_go.set()
    await ended.wait()


async def test_who_waits_may_be_cancelled_and_takes_the_work_along():
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    waiting = asyncio.create_task(within(work(), 60, "work"))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended == [True]


@pytest.fixture
def frozen_heap():
    """Spare collections what the suite has made so far, as a serving process does."""
    gc.freeze()
    yield
    gc.unfreeze()


async def _write_on(engine, number):
    upsert = text(
        "INSERT INTO site (key, value) VALUES (:key, 'x')"
        " ON CONFLICT (key) DO UPDATE SET value = 'y' RETURNING key"
    )
    while True:
        async with working(engine) as connection:
            for line in range(20):
                await connection.execute(upsert, {"key": f"{number}-{line}"})


@pytest.mark.usefixtures("frozen_heap")
async def test_a_write_that_is_cut_short_leaves_no_lock_behind(tmp_path):
    """Wherever it is cut: the statement under way would hold SQLite's lock until its cursor goes."""
    url = f"sqlite:///{tmp_path}/t.db"
    await migrate(url)
    engine, chance = open_engine(url), random.Random(1)
    for number in range(60):
        with pytest.raises(DeadlinePassed):
            await within(_write_on(engine, number), 0.005 + chance.random() * 0.03, "writing")
        with closing(sqlite3.connect(tmp_path / "t.db", timeout=1, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
    await engine.dispose()
