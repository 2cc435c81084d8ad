"""Owns which tables a backup has and what their columns are, as they stand in a database.

Read from the database itself, so that a schema of an earlier version is saved and filled the same
way. Must not know the form of a backup's file.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Boolean, Connection, Integer, LargeBinary, String, inspect
from sqlalchemy.types import TypeEngine

from tollbridge.storage import (
    account_tables,
    ledger_tables,
    people_tables,
    query_tables,
    tables,
    work_tables,
)
from tollbridge.storage.archive import ArchiveError, Column, Kind
from tollbridge.storage.metadata import metadata
from tollbridge.storage.migrate import migration_config

# Importing the tables is what fills the MetaData.
_DECLARED = (
    tables.users,
    ledger_tables.purse,
    query_tables.call_index,
    work_tables.job,
    account_tables.account_tokens,
    people_tables.sessions,
)

# Made again from the books, or about processes that run now. Roll-ups are not among them: they
# outlive the calls that they were made from (storage/retention.py).
NOT_SAVED = frozenset(
    {
        "usage_feed",
        "call_index",
        "rollup_dirty",
        "rollup_floor",
        "rollup_view",
        "rollup_view_floor",
        "audit_mark",
        "audit_sum",
        "lease",
        "account_trouble",
        # Whoever restores an old backup must not bring back what was signed out or used since.
        "sessions",
        "one_time",
        "door_counts",
    }
)
_NOT_OURS = frozenset({"alembic_version"})
_PARTITION = re.compile(r"(usage|call_index)_(default|\d{6})")
_KINDS: tuple[tuple[type[TypeEngine[Any]], Kind], ...] = (
    (Boolean, "bool"),
    (Integer, "int"),
    (LargeBinary, "bytes"),
    (String, "text"),
)


class Shape(NamedTuple):
    """A table of a database: its columns in their order there."""

    name: str
    columns: tuple[Column, ...]


def revision_of(connection: Connection) -> str | None:
    """Return the step of the schema at which a database is; None when it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def known_revisions() -> list[str]:
    """Return every step that this version knows, the first one first."""
    steps = ScriptDirectory.from_config(migration_config()).walk_revisions()
    return [step.revision for step in steps][::-1]


def standing_tables(connection: Connection) -> list[str]:
    """Return our tables that stand in a database, referenced ones before those that refer."""
    there = set(inspect(connection).get_table_names())
    return [str(table.name) for table in metadata.sorted_tables if table.name in there]


def saved_shapes(connection: Connection) -> list[Shape]:
    """Return the tables that a backup of this database has, referenced ones first.

    ArchiveError when an earlier schema has a table that this version cannot place.
    """
    standing = standing_tables(connection)
    if revision_of(connection) != known_revisions()[-1]:
        _refuse_forgotten(inspect(connection).get_table_names())
    return [_shape_of(connection, name) for name in standing if name not in NOT_SAVED]


def _shape_of(connection: Connection, table: str) -> Shape:
    """Return one table's shape; ArchiveError when a column has a type that backups do not know."""
    found = inspect(connection).get_columns(table)
    return Shape(
        table,
        tuple(Column(str(one["name"]), _kind(table, one["name"], one["type"])) for one in found),
    )


def quoted(connection: Connection, names: Sequence[str]) -> str:
    """Return names for a statement, quoted where the engine needs it."""
    return ", ".join(map(connection.dialect.identifier_preparer.quote, names))


def _refuse_forgotten(names: Sequence[str]) -> None:
    """A table that later versions dropped would silently be missing from the backup."""
    for name in names:
        if name not in metadata.tables and name not in _NOT_OURS and not _PARTITION.fullmatch(name):
            raise ArchiveError(
                f"the schema is of an earlier version and this one does not know its table {name};"
                " use the version that made it"
            )


def _kind(table: str, column: str, of: TypeEngine[object]) -> Kind:
    for known, kind in _KINDS:
        if isinstance(of, known):
            return kind
    raise ArchiveError(f"column {column} of table {table} has a type that no backup can hold")
