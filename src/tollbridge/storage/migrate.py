"""Owns bringing a database to the schema of this version. Must not know what the steps do.

The steps are package data (`tollbridge.migrations`); Alembic runs them over our own engine.
"""

import os
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.storage.engine import WRITES, driver_url, open_engine

_PRIVATE_FILE = 0o600


def migration_config() -> Config:
    """Return Alembic's configuration for our steps; a connection comes in by `attributes`."""
    config = Config()
    config.set_main_option("script_location", "tollbridge:migrations")
    return config


async def migrate(url: str) -> None:
    """Upgrade the database at `url` to the newest schema, all in one transaction; idempotent.

    A missing SQLite file is created, readable by its owner alone, with the folders above it.
    ValueError for an unknown kind of URL; database errors as they come.
    """
    create_file(url)
    engine = open_engine(url)
    try:
        async with engine.connect() as plain:
            connection = await plain.execution_options(**{WRITES: True})
            async with connection.begin():
                await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


async def schema_is_current(engine: AsyncEngine) -> bool:
    """Return whether the database is exactly at the newest step that this version knows."""
    async with engine.connect() as connection:
        return await connection.run_sync(_at_head)


def _upgrade(connection: Connection) -> None:
    config = migration_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _at_head(connection: Connection) -> bool:
    heads = ScriptDirectory.from_config(migration_config()).get_heads()
    return set(MigrationContext.configure(connection).get_current_heads()) == set(heads)


def create_file(url: str) -> None:
    """Make a SQLite file that is missing, its owner's alone, with the folders above it."""
    target = driver_url(url)
    if target.get_backend_name() != "sqlite" or target.database in {None, "", ":memory:"}:
        return
    path = Path(str(target.database))
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, _PRIVATE_FILE))
