"""Owns how Alembic meets our database: always over a connection that the caller hands in."""

import re

from alembic import context
from sqlalchemy import Connection

from tollbridge.storage import (
    account_tables,
    ledger_tables,
    query_tables,
    tables,
    work_tables,
)
from tollbridge.storage.metadata import metadata

_PARTITION = re.compile(r"(usage|call_index)_(default|\d{6})")
# Importing the tables is what fills the MetaData.
_DECLARED = (
    tables.users,
    ledger_tables.purse,
    query_tables.call_index,
    work_tables.job,
    account_tables.account_tokens,
)


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    """Return whether a thing found in the database is compared: partitions are not."""
    return kind != "table" or name is None or _PARTITION.fullmatch(name) is None


def run(connection: Connection) -> None:
    """Run what Alembic was asked for within the caller's transaction."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_name=include_name,
        compare_type=True,
        compare_server_default=True,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
