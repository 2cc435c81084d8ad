"""Proof that a first call is found at once, and never by reading everybody's calls."""

from typing import Any

import pytest
from sqlalchemy import Select, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.services.control_plane import database_url, engine
from tests.storage.rollup_oracle import call, catch_up
from tollbridge.core.clock import new_tid
from tollbridge.storage.call_search import keep_to_indexes
from tollbridge.storage.first_call import first_call, indexed, waiting
from tollbridge.storage.query_tables import call_index
from tollbridge.storage.unit_of_work import reading, working

__all__ = ["database_url", "engine"]

AT_MS = 1_767_225_600_000


async def first(engine: AsyncEngine, user_id: int) -> str | None:
    async with reading(engine) as connection:
        return await first_call(connection, user_id)


async def test_it_is_found_before_and_after_the_index_has_it(engine: AsyncEngine):
    assert await first(engine, 1) is None
    other = await call(engine, AT_MS - 5, user_id=2)
    assert (await first(engine, 1), await first(engine, 2)) == (None, other)
    mine = await call(engine, AT_MS, user_id=1)
    await call(engine, AT_MS + 9, user_id=1)
    assert await first(engine, 1) == mine
    await catch_up(engine)
    assert (await first(engine, 1), await first(engine, 2)) == (mine, other)
    await call(engine, AT_MS + 20, user_id=1)
    assert await first(engine, 1) == mine
    assert await first(engine, 3) is None


@pytest.mark.parametrize("question", [indexed, waiting])
@pytest.mark.parametrize("analyzed", [False, True])
async def test_only_indexes_are_walked(engine: AsyncEngine, question: Any, analyzed: bool):
    rows = [
        {"tid": new_tid(), "user_id": number % 50, "key_id": 1, "model": "m1", "channel_id": 1,
         "status": 200, "charge": 1}
        for number in range(3000)
    ]  # fmt: skip
    async with working(engine) as connection:
        await connection.execute(insert(call_index), rows)
    async with engine.connect() as connection:
        if analyzed:
            await connection.execute(text("ANALYZE"))
            await connection.commit()
        plan = await planned(connection, question(7))
    for table in ("call_index", "usage"):
        assert f"SCAN {table}\n" not in f"{plan}\n", plan
        assert f"Seq Scan on {table}" not in plan, plan
    if question is indexed:
        assert "user_id" in plan and "Sort  " not in plan and "TEMP B-TREE" not in plan, plan


async def planned(connection: AsyncConnection, query: Select[Any]) -> str:
    await keep_to_indexes(connection)
    word = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    shown = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    found = await connection.exec_driver_sql(f"{word} {shown}")
    return "\n".join(str(row[-1]) for row in found)
