"""Owns transactions of the control plane: one request or job is one of them.

Money written by running calls has its own writer and never comes here.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.storage.engine import WRITES
from tollbridge.storage.tables import change

CHANGE_CHANNEL = "tollbridge_change"
"""PostgreSQL's channel that `writing` notifies when it commits."""

# SQLite sees one state from the first read on by itself.
_ONE_STATE: Mapping[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


@asynccontextmanager
async def writing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a transaction that commits at the end, bumps `change.version` and wakes who listens.

    An exception rolls all of it back. So does `await connection.rollback()` inside: nothing is
    kept then and the version stays.
    """
    async with working(engine) as connection:
        yield connection
        if connection.in_transaction():
            await connection.execute(update(change).values(version=change.c.version + 1))
            if connection.dialect.name == "postgresql":
                # The database keeps it back until the commit.
                await connection.execute(select(func.pg_notify(CHANGE_CHANNEL, "")))


@asynccontextmanager
async def working(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a transaction that commits at the end and is no change of the catalogue.

    For jobs, beats and statistics: nobody has to read the catalogue again for them. On SQLite the
    write lock is taken at the start, because a reader that turns writer is refused when somebody
    else has written in between.
    """
    async with engine.connect() as plain:
        connection = await plain.execution_options(**{WRITES: True})
        async with connection.begin():
            yield connection


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a transaction that sees one state of the database throughout and keeps no change."""
    options = _ONE_STATE if engine.dialect.name == "postgresql" else {}
    async with engine.connect() as plain:
        connection = await plain.execution_options(**options)
        async with connection.begin() as transaction:
            yield connection
            await transaction.rollback()


async def take_turns(connection: AsyncConnection, turn: int) -> None:
    """Wait until no other open transaction has the same turn, and keep it to the end of this one.

    For jobs that look first and write then. SQLite has one writer at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(turn)))
