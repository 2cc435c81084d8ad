"""Proof of `tollbridge worker`: real processes index what is fed, however they end."""

import asyncio
import os
import signal
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services import nursery
from tests.services.control_plane import database_url, engine
from tests.storage.passing_time import pass_time
from tests.storage.usage_writer import expected, fed, indexed, make_calls, recharge
from tests.worker.watching import until
from tollbridge.cli import main
from tollbridge.core.clock import new_tid
from tollbridge.storage.unit_of_work import working

__all__ = ["database_url", "engine"]


@asynccontextmanager
async def working_process(url: str, log: Path):
    """Run a worker that works; what it says goes to `log`."""
    log.write_bytes(b"")
    environ = {**os.environ, "TOLLBRIDGE_KEY_FILE": "keys"}
    child = await asyncio.to_thread(nursery.start, ("worker", "--database", url), environ, log)
    try:
        deadline = time.monotonic() + 60
        while not log.read_bytes().endswith(b"\n"):
            assert child.poll() is None and time.monotonic() < deadline, log.read_text()
            await asyncio.sleep(0.01)
        assert log.read_bytes().startswith(b"tollbridge works\n")
        yield child
    finally:
        child.kill()
        await asyncio.to_thread(child.wait, 30)


async def write(engine: AsyncEngine, tids: list[str]) -> None:
    """Write and change calls as a running gateway does."""
    for number in range(1, 1000):
        fresh = [new_tid() for _ in range(20)]
        async with working(engine) as connection:
            await make_calls(connection, fresh, user_id=number)
            for tid in tids[-10:]:
                await recharge(connection, tid, number)
        tids.extend(fresh)
        await asyncio.sleep(0.01)


async def test_killed_in_the_middle_it_loses_nothing(engine: AsyncEngine, database_url, tmp_path):
    log = tmp_path / "worker.log"
    tids: list[str] = []
    writer = asyncio.create_task(write(engine, tids))
    try:
        for _ in range(3):
            async with working_process(database_url, log) as child:
                seen = len(await indexed(engine))

                async def some_more(seen=seen) -> bool:
                    return len(await indexed(engine)) > seen + 100

                await until(some_more)
                child.send_signal(signal.SIGKILL)
                await asyncio.to_thread(child.wait, 30)
            # Its lease would keep the next one waiting.
            await pass_time(engine, 60)
    finally:
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
    async with working_process(database_url, log) as child:

        async def empty() -> bool:
            return await fed(engine) == 0

        await until(empty)
        child.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(child.wait, 60) == 0
    assert await indexed(engine) == await expected(engine, waiting=True)
    assert len(await indexed(engine)) >= len(tids)


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_it_ends_when_told_to_and_says_nothing_more(
    engine: AsyncEngine, database_url, with_signal, tmp_path
):
    log = tmp_path / "worker.log"
    async with working_process(database_url, log) as child:
        child.send_signal(with_signal)
        assert await asyncio.to_thread(child.wait, 60) == 0
    assert log.read_bytes() == b"tollbridge works\n"


def test_no_database_and_another_schema_are_a_sentence(tmp_path):
    def said() -> str:
        words = ["worker", "--database", f"sqlite:///{tmp_path}/t.db"]
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 1
        return done.stderr

    assert said() == f"tollbridge: there is no database {tmp_path}/t.db\n"
    (tmp_path / "t.db").touch()
    assert "run tollbridge migrate" in said()
