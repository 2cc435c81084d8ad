"""Filling a database fast leaves its indexes as they were, and its months on PostgreSQL."""

import time

from sqlalchemy import Connection, inspect

from bench.bulk import load
from bench.crowd import Crowd
from bench.history import history
from tests.services.control_plane import database_url
from tollbridge.storage.engine import open_engine
from tollbridge.storage.migrate import migrate
from tollbridge.storage.unit_of_work import reading

__all__ = ["database_url"]


def indexes(connection: Connection) -> dict[str, set[str | None]]:
    found = inspect(connection)
    return {
        table: {one["name"] for one in found.get_indexes(table)}
        for table in ("call_index", "rollup")
    }


async def test_every_row_and_every_index_is_there(database_url: str) -> None:
    await migrate(database_url)
    engine = open_engine(database_url)
    async with reading(engine) as connection:
        before = await connection.run_sync(indexes)
    parts = history(Crowd(), 400, time.time_ns() // 1_000_000, days=100)
    assert await load(engine, database_url, parts, 100) == 400
    async with reading(engine) as connection:
        assert await connection.run_sync(indexes) == before
        if database_url.startswith("postgresql"):
            tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
            assert len([name for name in tables if name.startswith("usage_2")]) >= 16
    await engine.dispose()
