"""Proof that a change is noticed, that trouble changes nothing, and that both ends are clean."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.catalog.sample import ENVIRON, MODEL
from tollbridge.catalog.file import parse_file
from tollbridge.catalog.loader import load_snapshot
from tollbridge.catalog.model_rows import match_models
from tollbridge.catalog.plan import LaterPlan, PricePlan
from tollbridge.catalog.snapshot import Snapshot
from tollbridge.catalog.watcher import Watcher
from tollbridge.core.clock import now_ms
from tollbridge.core.secrets import Secrets
from tollbridge.storage.engine import open_engine
from tollbridge.storage.migrate import migrate
from tollbridge.storage.notices import Notices
from tollbridge.storage.tables import site
from tollbridge.storage.unit_of_work import writing

CHEAPER = PricePlan({"input": 2_000_000_000, "output": 2_000_000_000}, (), {}, ())


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


async def test_a_price_that_begins_is_a_change_of_nobody(engine: AsyncEngine, secrets: Secrets):
    plan = parse_file(MODEL, ENVIRON).models[0]
    at_ms = now_ms()
    later = replace(plan, later=(LaterPlan(at_ms + 400, CHEAPER),))
    async with writing(engine) as connection:
        await match_models(connection, [later], at_ms=at_ms, prune=False)
    seen: list[tuple[int, int]] = []

    def take(view: Snapshot) -> None:
        price = view.models["gpt-5.4"].price
        assert price is not None
        seen.append((view.version, price.rates.input))

    loader = partial(load_snapshot, engine, secrets)
    watcher = Watcher(engine, loader, take, poll_s=0.01)
    first = await watcher.start()
    assert seen in ([(2, 2_500_000_000)], [(2, 2_000_000_000)])
    await until(lambda: seen[-1] == (2, 2_000_000_000))
    assert now_ms() >= at_ms + 400
    # One more look each time a price begins, and none when no more do.
    await asyncio.sleep(0.1)
    assert len(seen) == (2 if first.due_ms == at_ms + 400 else 1)
    await watcher.stop()


async def test_what_is_due_is_looked_at_until_it_could_be_read(
    engine: AsyncEngine, secrets: Secrets
):
    loads = 0

    async def loader() -> Snapshot:
        nonlocal loads
        loads += 1
        if loads in {2, 3}:
            raise OperationalError("statement", {}, OSError("gone"))
        view = await load_snapshot(engine, secrets)
        return replace(view, due_ms=1) if loads == 1 else view

    seen: list[int | None] = []
    watcher = Watcher(engine, loader, lambda view: seen.append(view.due_ms), poll_s=0.01)
    await watcher.start()
    await until(lambda: len(seen) == 2)
    await asyncio.sleep(0.05)
    assert (seen, loads) == ([1, None], 4)
    await watcher.stop()


@pytest.mark.timeout(60)
async def test_a_watcher_that_would_sleep_for_an_hour_wakes_for_a_price(
    engine: AsyncEngine, secrets: Secrets
):
    due_ms = now_ms() + 300

    async def loader() -> Snapshot:
        view = await load_snapshot(engine, secrets)
        return replace(view, due_ms=due_ms if not seen else None)

    seen: list[Snapshot] = []
    watcher = Watcher(engine, loader, seen.append, poll_s=3600)
    await watcher.start()
    await until(lambda: len(seen) == 2)
    assert now_ms() >= due_ms
    await watcher.stop()
