"""Proof that connections are opened as promised, and that secrets stay out of errors."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.storage.engine import driver_url, open_engine


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:///var/t.db", "sqlite+aiosqlite"),
        ("postgresql://me@host/db", "postgresql+asyncpg"),
        ("postgres://me@host/db", "postgresql+asyncpg"),
    ],
)
def test_each_family_has_its_driver(url: str, driver: str):
    assert driver_url(url).drivername == driver


@pytest.mark.parametrize("url", ["mysql://host/db", "nonsense", ""])
def test_other_databases_are_refused(url: str):
    with pytest.raises(ValueError, match="sqlite:///path"):
        open_engine(url)


async def test_sqlite_connections_are_durable_and_strict(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/t.db")
    pragmas = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
    async with engine.connect() as connection:
        for name, expected in pragmas.items():
            assert (await connection.execute(text(f"PRAGMA {name}"))).scalar_one() == expected
    await engine.dispose()


async def test_errors_do_not_show_parameters(engine: AsyncEngine):
    async with engine.connect() as connection:
        with pytest.raises(DBAPIError) as caught:
            await connection.execute(
                text("INSERT INTO nowhere VALUES (:secret)"), {"secret": "hush"}
            )
    assert "hush" not in str(caught.value)
