"""Proof of `tollbridge worker`: real processes index what is fed, however they end."""

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager

import pytest
from click.testing import CliRunner
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services.control_plane import database_url, engine
from tests.storage.passing_time import pass_time
from tests.storage.usage_writer import expected, fed, indexed, make_calls, recharge
from tests.worker.watching import until
from tollbridge.cli import main
from tollbridge.core.clock import new_tid
from tollbridge.storage.unit_of_work import working

__all__ = ["database_url", "engine"]


@asynccontextmanager
async def working_process(url: str):
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tollbridge.cli", "worker", "--database", url,
        env={**os.environ, "TOLLBRIDGE_KEY_FILE": "keys"},
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert child.stderr is not None
        assert await asyncio.wait_for(child.stderr.readline(), 60) == b"tollbridge works\n"
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


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


async def test_killed_in_the_middle_it_loses_nothing(engine: AsyncEngine, database_url):
    tids: list[str] = []
    writer = asyncio.create_task(write(engine, tids))
    try:
        for _ in range(3):
            async with working_process(database_url) as child:
                seen = len(await indexed(engine))

                async def some_more(seen=seen) -> bool:
                    return len(await indexed(engine)) > seen + 100

                await until(some_more)
                child.send_signal(signal.SIGKILL)
                await child.wait()
            # Its lease would keep the next one waiting.
            await pass_time(engine, 60)
    finally:
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
    async with working_process(database_url) as child:

        async def empty() -> bool:
            return await fed(engine) == 0

        await until(empty)
        child.send_signal(signal.SIGTERM)
        assert await child.wait() == 0
    assert await indexed(engine) == await expected(engine, waiting=True)
    assert len(await indexed(engine)) >= len(tids)


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_it_ends_when_told_to_and_says_nothing_more(
    engine: AsyncEngine, database_url, with_signal
):
    async with working_process(database_url) as child:
        child.send_signal(with_signal)
        _, said = await child.communicate()
        assert (child.returncode, said) == (0, b"")


def test_no_database_and_another_schema_are_a_sentence(tmp_path):
    def said() -> str:
        words = ["worker", "--database", f"sqlite:///{tmp_path}/t.db"]
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 1
        return done.stderr

    assert said() == f"tollbridge: there is no database {tmp_path}/t.db\n"
    (tmp_path / "t.db").touch()
    assert "run tollbridge migrate" in said()
