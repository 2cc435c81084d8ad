"""Proof that connections are opened as promised, and that secrets stay out of errors."""

from contextlib import nullcontext

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.storage.engine import BadData, driver_url, open_engine, reason_of
from tollbridge.storage.tables import users


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


async def test_postgresql_compiles_no_query(postgres_url: str):
    engine = open_engine(postgres_url)
    async with engine.connect() as connection:
        assert (await connection.execute(text("SHOW jit"))).scalar() == "off"
    await engine.dispose()


async def test_errors_do_not_show_parameters(engine: AsyncEngine):
    async with engine.connect() as connection:
        with pytest.raises(DBAPIError) as caught:
            await connection.execute(
                text("INSERT INTO nowhere VALUES (:secret)"), {"secret": "hush"}
            )
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value"),
    [("id", 2**63), ("id", -(2**80)), ("email", "\ud800"), ("email", "a\0b")],
)
async def test_a_value_that_cannot_be_held_is_no_fault_of_the_database(
    engine: AsyncEngine, column: str, value: object
):
    asked = select(users.c.id).where(users.c[column] == value)
    holds_nul = value == "a\0b" and engine.dialect.name == "sqlite"
    with nullcontext() if holds_nul else pytest.raises(BadData) as caught:
        async with engine.connect() as connection:
            await connection.execute(asked)
    assert caught is None or str(caught.value) == "a value that no database can hold"
    async with engine.connect() as connection:
        assert (await connection.execute(select(users.c.id))).all() == []


async def test_the_reason_is_the_drivers_alone(tmp_path):
    (tmp_path / "junk.db").write_bytes(b"no database")
    engine = open_engine(f"sqlite:///{tmp_path}/junk.db")
    with pytest.raises(DBAPIError) as caught:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 'CANARY'"))
    await engine.dispose()
    assert reason_of(caught.value) == "file is not a database"


async def test_the_reason_of_postgresql_names_no_password(postgres_url: str):
    wrong = postgres_url.rpartition("/")[0].replace("postgres@", "postgres:CANARY@") + "/absent"
    engine = open_engine(wrong)
    with pytest.raises(Exception, match="absent") as caught:
        async with engine.connect():
            pass
    await engine.dispose()
    assert reason_of(caught.value) == 'database "absent" does not exist'


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(111, "Connection refused"), "Connection refused"),
        (OSError("odd"), "odd"),
        (ValueError(), "ValueError"),
        (ValueError("first\nsecond"), "first"),
        (ValueError("x" * 999), "x" * 200),
    ],
)
def test_a_reason_is_always_one_short_line(error: Exception, reason: str):
    assert reason_of(error) == reason
