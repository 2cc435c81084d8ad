"""Proof that a change is noticed, that trouble changes nothing, and that both ends are clean."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.catalog.loader import load_snapshot
from tollbridge.catalog.snapshot import Snapshot
from tollbridge.catalog.watcher import Watcher
from tollbridge.core.secrets import Secrets
from tollbridge.storage.engine import open_engine
from tollbridge.storage.migrate import migrate
from tollbridge.storage.notices import Notices
from tollbridge.storage.tables import site
from tollbridge.storage.unit_of_work import writing


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true; the suite's time limit ends it."""
    while not condition():
        await asyncio.sleep(0.005)


async def change(engine: AsyncEngine, key: str) -> None:
    async with writing(engine) as connection:
        await connection.execute(insert(site).values(key=key, value="1"))


async def test_each_change_is_handed_on(engine: AsyncEngine, secrets: Secrets):
    seen: list[int] = []
    loader = partial(load_snapshot, engine, secrets)
    watcher = Watcher(engine, loader, lambda view: seen.append(view.version), poll_s=0.01)
    assert (await watcher.start()).version == 1
    assert seen == [1]
    await change(engine, "a")
    await until(lambda: seen == [1, 2])
    await asyncio.sleep(0.05)
    assert seen == [1, 2]
    await watcher.stop()
    await watcher.stop()
    await change(engine, "b")
    await asyncio.sleep(0.05)
    assert seen == [1, 2]


async def test_trouble_keeps_the_old_snapshot_until_it_is_over(
    engine: AsyncEngine, secrets: Secrets
):
    seen: list[int] = []
    failures = 0
    broken = False

    async def loader() -> Snapshot:
        nonlocal failures
        if broken:
            failures += 1
            raise OperationalError("statement", {}, OSError("gone"))
        return await load_snapshot(engine, secrets)

    watcher = Watcher(engine, loader, lambda view: seen.append(view.version), poll_s=0.01)
    await watcher.start()
    broken = True
    await change(engine, "a")
    await until(lambda: failures >= 3)
    assert seen == [1]
    broken = False
    await until(lambda: seen == [1, 2])
    await watcher.stop()


async def test_without_a_first_snapshot_there_is_no_start(secrets: Secrets, tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/empty.db")
    watcher = Watcher(engine, partial(load_snapshot, engine, secrets), lambda _view: None)
    with pytest.raises(OperationalError):
        await watcher.start()
    await watcher.stop()
    await engine.dispose()


async def test_a_notice_wakes_a_watcher_that_would_sleep_for_an_hour(
    postgres_url: str, secrets: Secrets
):
    await migrate(postgres_url)
    engine = open_engine(postgres_url)
    seen: list[int] = []
    watcher = Watcher(
        engine,
        partial(load_snapshot, engine, secrets),
        lambda view: seen.append(view.version),
        notices=Notices(engine),
        poll_s=3600,
    )
    await watcher.start()
    await change(engine, "a")
    await until(lambda: seen[-1] == 2)
    await change(engine, "b")
    await until(lambda: seen[-1] == 3)
    await watcher.stop()
    await engine.dispose()


async def test_polling_carries_alone_where_no_notice_arrives(engine: AsyncEngine, secrets: Secrets):
    seen: list[int] = []
    loader = partial(load_snapshot, engine, secrets)
    watcher = Watcher(engine, loader, lambda view: seen.append(view.version))
    await watcher.start()
    await change(engine, "a")
    await until(lambda: seen == [1, 2])
    await watcher.stop()
