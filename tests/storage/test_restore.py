"""The twin of storage/restore.py: any shop comes back whole, on either engine, or not at all."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.shop_books import Shop, contents, write
from tests.storage.test_migrate import check
from tollbridge.billing.restored import void_holds
from tollbridge.billing.verify import verify
from tollbridge.catalog.sealed import SEALED_COLUMNS
from tollbridge.storage.archive import Archive, ArchiveError
from tollbridge.storage.backup import backup
from tollbridge.storage.disk import DatabaseInUse, DatabaseLock
from tollbridge.storage.engine import WRITES, open_engine
from tollbridge.storage.migrate import create_file, migrate
from tollbridge.storage.restore import look_at, restore, upgrade

ENGINES = ("sqlite", "postgresql")
PAIRS = [(one, other) for one in ENGINES for other in ENGINES]
NEVER = 10**9


@contextmanager
def database(kind: str, folder, request) -> Iterator[str]:
    """Yield the URL of an empty database of one engine."""
    if kind == "postgresql":
        with request.getfixturevalue("postgres_server").database() as url:
            yield url
    else:
        folder.mkdir(exist_ok=True)
        yield f"sqlite:///{folder}/t.db"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(url)
    try:
        yield engine
    finally:
        await engine.dispose()


async def in_one(url: str, work, *values):
    """Run work on a connection in a transaction of its own and return what it returns."""
    async with opened(url) as engine, engine.connect() as plain:
        connection = await plain.execution_options(**{WRITES: True})
        async with connection.begin():
            return await connection.run_sync(work, *values)


async def made_at(url: str, revision: str, shop: Shop) -> None:
    """Make a database of a revision with a shop in it."""
    create_file(url)
    await in_one(url, upgrade, revision)
    await in_one(url, write, shop.rows)


async def save(url: str, path) -> None:
    async with opened(url) as engine:
        await backup(engine, path, SEALED_COLUMNS)


async def bring_back(url: str, path):
    archive = Archive(path)
    try:
        return await restore(url, archive, void_holds)
    finally:
        archive.close()


async def findings(url: str):
    async with opened(url) as engine:
        return await verify(engine)


async def compare(source: str, target: str, shop: Shop, marks: tuple[int, int]) -> None:
    """Prove that a restored shop is the saved one but for what a restore has to change."""
    was, now = await in_one(source, contents), await in_one(target, contents)
    assert {*was} == {*now}
    changed = {"hold", "usage", "purse", "node", "ledger", "change"}
    for table in {*was} - changed:
        assert now[table] == was[table], table
    holds = {row["tid"]: row for row in shop.rows["hold"]}
    assert now["hold"] == []
    assert {*was["usage"]} <= {*now["usage"]}
    voided = await in_one(target, _voided)
    assert sorted(voided) == [
        (tid, 0, 0, hold["amount"], "reclaimed", "voided") for tid, hold in sorted(holds.items())
    ]
    assert len(now["usage"]) == len(was["usage"]) + len(holds)
    purses = {row["id"]: (row["available"], 0) for row in shop.rows["purse"]}
    assert await in_one(target, _purses) == purses
    assert await in_one(target, _nodes) == [(1, 3, True)]
    assert await in_one(target, _marks) == marks
    assert await in_one(target, _fed)
    assert await findings(target) == []


def _voided(connection: Connection):
    return [tuple(row) for row in connection.execute(text(
        "SELECT tid, charge, loss, held, end_state, flags FROM usage WHERE flags = 'voided'"
    ))]  # fmt: skip


def _purses(connection: Connection):
    rows = connection.execute(text("SELECT id, available, held FROM purse"))
    return {row[0]: (row[1], row[2]) for row in rows}


def _nodes(connection: Connection):
    rows = connection.execute(text("SELECT id, epoch, dead FROM node"))
    return [(row[0], row[1], bool(row[2])) for row in rows]


def _marks(connection: Connection):
    query = "SELECT (SELECT incarnation FROM ledger), (SELECT version FROM change)"
    return tuple(connection.execute(text(query)).one())


def _set_marks(connection: Connection, incarnation: int, version: int) -> None:
    connection.execute(text(f"UPDATE ledger SET incarnation = {incarnation}"))
    connection.execute(text(f"UPDATE change SET version = {version}"))


def _fed(connection: Connection) -> bool:
    query = "SELECT tid FROM {} ORDER BY tid"
    fed, calls = (
        connection.execute(text(query.format(table))).scalars().all()
        for table in ("usage_feed", "usage")
    )
    assert connection.execute(text("SELECT count(*) FROM call_index")).scalar_one() == 0
    return fed == calls


@pytest.mark.parametrize("pair", PAIRS, ids="-to-".join)
def test_any_shop_comes_back_whole(pair, tmp_path, request):
    """The target holds another shop each time, whose counters may be ahead or behind."""
    with (
        database(pair[0], tmp_path / "one", request) as source,
        database(pair[1], tmp_path / "other", request) as target,
    ):
        asyncio.run(migrate(source))
        asyncio.run(migrate(target))

        @example(0, 2, 9, 6, (1, 2, 3, 4))
        @example(1, 2, 0, 0, (4, 3, 2, 1))
        @settings(max_examples=4, suppress_health_check=list(HealthCheck))
        @given(
            st.integers(0, 2**32),
            st.integers(1, 4),
            st.integers(0, 60),
            st.integers(0, 12),
            st.tuples(*[st.integers(1, 99)] * 4),
        )
        def there_and_back(seed, users, calls, holds, marks):
            async def run():
                shop = Shop(seed, users=users, calls=calls, holds=holds)
                await in_one(source, write, shop.rows)
                await in_one(source, _set_marks, *marks[:2])
                await in_one(target, write, Shop(seed + 1).rows)
                await in_one(target, _set_marks, *marks[2:])
                assert await findings(source) == []
                await save(source, tmp_path / "backup")
                await bring_back(target, tmp_path / "backup")
                ahead = (max(marks[0], marks[2]) + 1, max(marks[1], marks[3]) + 1)
                await compare(source, target, shop, ahead)

            asyncio.run(run())

        there_and_back()


@pytest.mark.parametrize("pair", PAIRS, ids="-to-".join)
@pytest.mark.parametrize("filled", [False, True])
async def test_a_backup_of_an_earlier_schema_becomes_this_one(pair, filled, tmp_path, request):
    shop = Shop(5, newest=False)
    with (
        database(pair[0], tmp_path / "one", request) as source,
        database(pair[1], tmp_path / "other", request) as target,
    ):
        await made_at(source, "0002", shop)
        await save(source, tmp_path / "backup")
        if filled:
            await migrate(target)
            await in_one(target, write, Shop(6).rows)
        done = await bring_back(target, tmp_path / "backup")
        assert (done.voided, done.incarnation) == (len(shop.rows["hold"]), 2)
        await in_one(target, check)
        await migrate(source)
        await compare(source, target, shop, (2, 2))


async def test_an_older_database_takes_a_newer_backup(database_url, tmp_path):
    source = f"sqlite:///{tmp_path}/source.db"
    await migrate(source)
    shop = Shop(8)
    await in_one(source, write, shop.rows)
    await save(source, tmp_path / "backup")
    await made_at(database_url, "0002", Shop(9, newest=False))
    await bring_back(database_url, tmp_path / "backup")
    await in_one(database_url, check)
    await compare(source, database_url, shop, (2, 2))


async def test_what_only_one_engine_can_hold_is_replaced(tmp_path, postgres_url):
    source = f"sqlite:///{tmp_path}/source.db"
    await migrate(source)
    await in_one(source, lambda connection: connection.execute(
        text("INSERT INTO site (key, value) VALUES ('k', :value)"), {"value": "a\0b"}
    ))  # fmt: skip
    await save(source, tmp_path / "backup")
    await bring_back(postgres_url, tmp_path / "backup")
    assert (await in_one(postgres_url, contents))["site"] == [("k", "a\ufffdb")]


async def test_a_served_file_is_left_alone(tmp_path):
    url = f"sqlite:///{tmp_path}/t.db"
    await migrate(url)
    await save(url, tmp_path / "backup")
    await in_one(url, write, Shop(1).rows)
    lock = DatabaseLock(tmp_path / "t.db")
    lock.take()
    with pytest.raises(DatabaseInUse):
        await bring_back(url, tmp_path / "backup")
    lock.release()
    assert (await in_one(url, contents))["users"]


async def test_a_database_of_a_later_version_is_left_alone(database_url, tmp_path):
    await migrate(database_url)
    await save(database_url, tmp_path / "backup")
    later = "UPDATE alembic_version SET version_num = '9999'"
    await in_one(database_url, lambda connection: connection.execute(text(later)) and None)
    with pytest.raises(ArchiveError, match="the database belongs to a newer version"):
        await bring_back(database_url, tmp_path / "backup")


async def test_looking_tells_an_empty_database_from_one_with_data(database_url):
    assert not (await look_at(database_url)).has_data
    await migrate(database_url)
    target = await look_at(database_url)
    assert target.name == database_url.rpartition("/")[2]
    assert not target.has_data
    await in_one(database_url, write, Shop(1, calls=0).rows)
    assert (await look_at(database_url)).has_data


async def test_trouble_at_the_end_leaves_the_old_data(database_url, tmp_path):
    await migrate(database_url)
    await in_one(database_url, write, Shop(1).rows)
    await save(database_url, tmp_path / "backup")
    await in_one(database_url, write, Shop(2).rows)
    before = await in_one(database_url, contents)

    async def refuse(_connection):
        raise RuntimeError("out of luck")

    archive = Archive(tmp_path / "backup")
    with pytest.raises(RuntimeError, match="out of luck"):
        await restore(database_url, archive, refuse)
    archive.close()
    assert await in_one(database_url, contents) == before


_CHILD = """
import asyncio, sys, time
from pathlib import Path
from tollbridge.storage.archive import Archive
from tollbridge.storage.restore import restore

async def void(connection):
    print("loaded", flush=True)
    time.sleep(600)

asyncio.run(restore(sys.argv[1], Archive(Path(sys.argv[2])), void))
"""


async def test_killed_in_the_middle_the_old_data_stands(database_url, tmp_path):
    await migrate(database_url)
    await in_one(database_url, write, Shop(1, calls=3000).rows)
    await save(database_url, tmp_path / "backup")
    await in_one(database_url, write, Shop(2).rows)
    before = await in_one(database_url, contents)
    command = [sys.executable, "-c", _CHILD, database_url, str(tmp_path / "backup")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:  # noqa: ASYNC220
        assert child.stdout.readline() == "loaded\n"
        child.send_signal(signal.SIGKILL)
    assert await in_one(database_url, contents) == before
    assert await findings(database_url) == []
    await bring_back(database_url, tmp_path / "backup")
    assert await findings(database_url) == []


async def test_processes_of_the_old_books_cannot_write_on(postgres_url, tmp_path):
    """A node that runs on is locked out, and finds its row dead afterwards."""
    await migrate(postgres_url)
    await in_one(postgres_url, write, Shop(1).rows)
    await save(postgres_url, tmp_path / "backup")
    async with opened(postgres_url) as engine, engine.connect() as running:
        alive = text("SELECT dead FROM node WHERE id = 1 FOR SHARE")
        assert not (await running.execute(alive)).scalar_one()
        restoring = asyncio.create_task(bring_back(postgres_url, tmp_path / "backup"))
        done, _ = await asyncio.wait([restoring], timeout=0.5)
        assert not done
        await running.commit()
        await restoring
        assert (await running.execute(alive)).scalar_one()
