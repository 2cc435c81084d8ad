"""A generated database on each engine: its roll-ups are what the gateway makes of its calls."""

from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.rows import make, size_mb, url_in
from tests.services.control_plane import database_url
from tollbridge.storage.engine import open_engine
from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.query_tables import call_index
from tollbridge.storage.unit_of_work import reading

__all__ = ["database_url"]


async def counted(engine: AsyncEngine) -> list[int]:
    async with reading(engine) as connection:
        return [
            (await connection.execute(select(func.count()).select_from(table))).scalar_one()
            for table in (usage, call_index)
        ]


async def test_a_small_one(database_url: str) -> None:
    made = await make(database_url, 3_000, days=3)
    assert (made.calls, made.wrong) == (3_000, [])
    engine = open_engine(database_url)
    assert await counted(engine) == [3_000, 3_000]
    await engine.dispose()


def test_where_it_is_made_and_how_large(tmp_path: Path) -> None:
    with ExitStack() as stack:
        assert url_in(tmp_path, "sqlite", stack) == f"sqlite:///{tmp_path}/rows.db"
    (tmp_path / "file").write_bytes(bytes(3 << 20))
    assert size_mb(tmp_path) == 3
