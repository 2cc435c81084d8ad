"""Owns the clock that processes agree on: the database's on PostgreSQL, this machine's on SQLite.

Must not know what is timed by it.
"""

from sqlalchemy import BigInteger, ColumnElement, literal, literal_column
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.clock import now_ms

# Not now(): that is when the transaction began, and it may have waited for a lock since.
_POSTGRESQL = "CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS bigint)"


def clock_of(connection: AsyncConnection) -> ColumnElement[int]:
    """Return an expression for the time in milliseconds since 1970, for use in one statement."""
    if connection.dialect.name == "postgresql":
        return literal_column(_POSTGRESQL, BigInteger)
    return literal(now_ms(), BigInteger)
