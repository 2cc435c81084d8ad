"""Proof that migrations make exactly the declared schema on each engine, once and privately."""

import stat
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.storage.engine import open_engine
from tollbridge.storage.ledger_tables import ledger
from tollbridge.storage.migrate import migrate, migration_config, schema_is_current
from tollbridge.storage.tables import change, site


def check(connection: Connection) -> None:
    """Raise when autogeneration would find something to do."""
    config = migration_config()
    config.attributes["connection"] = connection
    command.check(config)


async def test_the_schema_is_what_the_tables_declare(engine: AsyncEngine):
    async with engine.begin() as connection:
        await connection.run_sync(check)


async def test_the_comparison_would_notice(engine: AsyncEngine):
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE site ADD COLUMN stray BIGINT"))
        with pytest.raises(Exception, match="stray"):
            await connection.run_sync(check)


async def test_a_second_run_changes_nothing(database_url: str):
    await migrate(database_url)
    engine = open_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(site.insert().values(key="kept", value="1"))
    await migrate(database_url)
    async with engine.connect() as connection:
        assert (await connection.execute(select(site.c.key))).scalars().all() == ["kept"]
        assert (await connection.execute(select(change))).one() == (1, 1)
        assert (await connection.execute(select(ledger))).one() == (1, 1)
    await engine.dispose()


async def test_an_empty_database_is_not_current(database_url: str):
    engine = open_engine(database_url)
    assert not await schema_is_current(engine)
    await migrate(database_url)
    assert await schema_is_current(engine)
    await engine.dispose()


async def test_a_new_file_is_its_owners_alone(tmp_path: Path):
    path = tmp_path / "deep" / "t.db"
    await migrate(f"sqlite:///{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_calls_write_no_secondary_index(engine: AsyncEngine):
    """None of `usage`; of `journal` only such as charges, which calls write, are not in."""
    lookups = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index'"
        " AND tbl_name IN ('usage', 'journal')",
        "postgresql": "SELECT indexname FROM pg_indexes WHERE tablename IN ('usage', 'journal')",
    }
    async with engine.connect() as connection:
        found = (await connection.execute(text(lookups[engine.dialect.name]))).scalars().all()
    named = {name for name in found if not name.startswith("sqlite_autoindex")}
    rare = {"ix_journal_debit_id", "ix_journal_credit_id"}
    assert named - rare <= {"pk_usage", "pk_journal", "uq_journal_kind_ref"}
    definitions = {
        "sqlite": "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'journal'",
        "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'journal'",
    }
    async with engine.connect() as connection:
        shown = dict((await connection.execute(text(definitions[engine.dialect.name]))).all())
    # PostgreSQL writes the type of each side.
    plain = {name: (shown[name] or "").replace("::text", "").replace("(", "") for name in rare}
    assert all("WHERE kind" in sql and "<> 'charge'" in sql for sql in plain.values())


def test_steps_form_one_line():
    script = ScriptDirectory.from_config(migration_config())
    assert len(script.get_heads()) == 1
    revisions = [step.revision for step in script.walk_revisions()]
    assert revisions == [f"{step:04}" for step in range(11, 0, -1)]
