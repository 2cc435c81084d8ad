"""Owns the one statement that both databases have and SQL has not: insert, or do otherwise on conflict."""

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection


def upsert(connection: AsyncConnection, table: Table) -> postgresql.Insert:
    """Return an insert that may say what to do on conflict; both databases take the same methods."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    # The two classes are no relatives, and alike in all that is used of them.
    return sqlite.insert(table)  # type: ignore[return-value]
