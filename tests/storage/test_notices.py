"""Proof that a commit is heard, that silence ends by itself, and that a cut connection comes back.

Nothing is waited for by time: an unheard notice is a wait of an hour, which the suite's limit ends.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.storage.engine import open_engine
from tollbridge.storage.migrate import migrate
from tollbridge.storage.notices import Notices
from tollbridge.storage.tables import site
from tollbridge.storage.unit_of_work import reading, working, writing

_FOR_EVER_S = 3600.0
_LISTENERS = text(
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
)


@pytest.fixture
async def server(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    """Return an engine on a migrated PostgreSQL database."""
    await migrate(postgres_url)
    opened = open_engine(postgres_url)
    yield opened
    await opened.dispose()


@pytest.fixture
async def notices(server: AsyncEngine) -> AsyncIterator[Notices]:
    """Return notices that listen already."""
    listening = Notices(server)
    listening.start()
    # The first one says that it listens from now on.
    await listening.wait(_FOR_EVER_S)
    yield listening
    await listening.stop()
    await listening.stop()
    # The server ends a session in its own time; the suite's time limit ends the wait.
    while await listeners(server):
        await asyncio.sleep(0.01)


async def listeners(engine: AsyncEngine) -> list[int]:
    async with reading(engine) as connection:
        return list((await connection.execute(_LISTENERS)).scalars())


async def heard(notices: Notices) -> bool:
    """Return whether there is a notice now, and take it."""
    waiting = asyncio.create_task(notices.wait(_FOR_EVER_S))
    done, _ = await asyncio.wait([waiting], timeout=0.1)
    waiting.cancel()
    return bool(done)


async def test_a_commit_is_heard_and_several_are_one(notices: Notices, server: AsyncEngine):
    for name in ("a", "b", "c"):
        async with writing(server) as connection:
            await connection.execute(insert(site).values(key=name, value="1"))
    await notices.wait(_FOR_EVER_S)
    while await heard(notices):
        pass
    async with writing(server) as connection:
        await connection.execute(insert(site).values(key="d", value="1"))
    await notices.wait(_FOR_EVER_S)


async def test_what_is_no_change_is_not_heard(notices: Notices, server: AsyncEngine):
    async with working(server) as connection:
        await connection.execute(insert(site).values(key="a", value="1"))
    async with writing(server) as connection:
        await connection.rollback()
    assert not await heard(notices)


async def test_silence_ends_after_its_time(notices: Notices):
    await notices.wait(0.01)
    assert not await heard(notices)


async def test_a_cut_connection_listens_again_and_tells_to_look(
    notices: Notices, server: AsyncEngine
):
    (first,) = await listeners(server)
    async with working(server) as connection:
        await connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": first})
    # What was written meanwhile was not heard, so listening again is itself a reason to look.
    await notices.wait(_FOR_EVER_S)
    (second,) = await listeners(server)
    assert second != first
    async with writing(server) as connection:
        await connection.execute(insert(site).values(key="a", value="1"))
    await notices.wait(_FOR_EVER_S)


async def test_the_connection_is_asked_whether_it_lives(server: AsyncEngine):
    notices = Notices(server, probe_every_s=0.01)
    notices.start()
    await notices.wait(_FOR_EVER_S)
    probed = text("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT 1'")
    asked = 0
    while not asked:
        async with reading(server) as connection:
            asked = (await connection.execute(probed)).scalar_one()
    await notices.stop()


async def test_a_database_that_is_away_is_waited_for(server: AsyncEngine, postgres_url: str):
    name = postgres_url.rpartition("/")[2]
    away = open_engine(postgres_url.replace(name, "comes_later"))
    notices = Notices(away)
    notices.start()
    await notices.wait(0.05)
    async with server.connect() as plain:
        alone = await plain.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text("CREATE DATABASE comes_later"))
    await notices.wait(_FOR_EVER_S)
    assert len(await listeners(away)) == 1
    await notices.stop()
    await away.dispose()
    async with server.connect() as plain:
        alone = await plain.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text("DROP DATABASE comes_later WITH (FORCE)"))
