"""Proof that what was spent is counted once, whichever roll-ups have it, for the right caller."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.storage.engine import open_engine
from tollbridge.storage.migrate import migrate
from tollbridge.storage.query_tables import ROLLUP_BINS, rollup
from tollbridge.storage.rollup_marks import DAY, FIVE_MINUTES, HOUR
from tollbridge.storage.spending_reads import DAY_MS, Spending, spent_by_model, spent_since
from tollbridge.storage.unit_of_work import reading, writing

TODAY = 20_000 * DAY_MS
NOW = TODAY + 5 * 3_600_000
OLD = TODAY - 5 * DAY_MS
USER, KEY, OTHER_KEY = 1, 11, 12


def row(span: int, start_ms: int, charge: int, **group: Any) -> dict[str, Any]:
    zeros = {one.name: 0 for one in rollup.c}
    named = {"user_id": USER, "key_id": KEY, "channel_id": 3, "model": "m", "status_class": 2}
    bins = dict.fromkeys(ROLLUP_BINS, "")
    return {**zeros, **bins, **named, "span": span, "start_ms": start_ms, "charge": charge, **group}


# A day is in the roll-ups of its own span, its hours and its minutes at once; some are behind.
ROWS = [
    row(DAY, OLD, 100),
    row(HOUR, OLD, 100),
    row(FIVE_MINUTES, OLD, 100),
    row(DAY, OLD, 7, channel_id=4),
    row(DAY, OLD, 30, model="a"),
    row(DAY, OLD, 0, model="free"),
    row(DAY, OLD, 5, key_id=OTHER_KEY),
    row(DAY, OLD, 1_000, user_id=2, key_id=21),
    row(DAY, TODAY - DAY_MS, 1),
    row(FIVE_MINUTES, TODAY - DAY_MS, 20),
    row(FIVE_MINUTES, TODAY - 300_000, 3),
    row(HOUR, TODAY, 40),
    row(FIVE_MINUTES, TODAY, 50),
    row(FIVE_MINUTES, NOW - 300_000, 4, status_class=4),
]


@pytest.fixture
async def filled(engine: AsyncEngine) -> AsyncEngine:
    async with writing(engine) as connection:
        await connection.execute(insert(rollup), ROWS)
    return engine


async def by_model(engine: AsyncEngine, days: range, key_id: int | None = None):
    async with reading(engine) as connection:
        return await spent_by_model(connection, USER, key_id, days, NOW)


async def test_a_day_has_its_models_once(filled: AsyncEngine):
    days = range(OLD, TODAY + DAY_MS, DAY_MS)
    assert await by_model(filled, days) == [
        Spending(OLD, "a", 30),
        Spending(OLD, "m", 112),
        Spending(TODAY - DAY_MS, "m", 23),
        Spending(TODAY, "m", 54),
    ]


async def test_only_the_days_asked_for(filled: AsyncEngine):
    assert await by_model(filled, range(0)) == []
    assert await by_model(filled, range(OLD - DAY_MS, OLD, DAY_MS)) == []
    assert await by_model(filled, range(TODAY, TODAY + DAY_MS, DAY_MS)) == [
        Spending(TODAY, "m", 54)
    ]


async def test_a_key_is_told_its_own(filled: AsyncEngine):
    days = range(OLD, OLD + DAY_MS, DAY_MS)
    assert await by_model(filled, days, OTHER_KEY) == [Spending(OLD, "m", 5)]
    for since, sums in ((0, 214), (TODAY - DAY_MS, 77), (TODAY, 54), (TODAY + DAY_MS, 0)):
        async with reading(filled) as connection:
            assert await spent_since(connection, USER, KEY, since, NOW) == sums
            assert await spent_since(connection, 2, KEY, since, NOW) == 0


async def test_only_the_users_own_rows_are_read(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/plan.db"
    await migrate(url)
    engine = open_engine(url)
    plans: list[str] = []
    try:
        async with engine.connect() as connection:

            def explain(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
                if statement.startswith("SELECT") and "rollup" in statement:
                    plans.append(statement)
                    given.append(parameters)

            given: list[Any] = []
            event.listen(engine.sync_engine, "before_cursor_execute", explain)
            await spent_since(connection, USER, KEY, OLD, NOW)
            await spent_by_model(connection, USER, None, range(OLD, NOW, DAY_MS), NOW)
            event.remove(engine.sync_engine, "before_cursor_execute", explain)
            assert len(plans) == 2
            for statement, parameters in zip(plans, given, strict=True):
                rows = await connection.exec_driver_sql(
                    f"EXPLAIN QUERY PLAN {statement}", parameters
                )
                searches = [row[3] for row in rows if "rollup" in row[3]]
                assert len(searches) == 2
                by_user = "(user_id=? AND span=? AND start_ms>? AND start_ms<?)"
                assert all(by_user in one for one in searches), searches
    finally:
        await engine.dispose()
