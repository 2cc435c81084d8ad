"""Owns `tollbridge restore`: a backup takes the place of what a database holds, all or nothing.

Everything is one transaction, so whoever kills it in the middle finds the old data. The result is a
new incarnation of the books: processes of the old one leave when they see it (money.md, "Engines").
Must not know what becomes of calls that were running: `void` does.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from alembic import command
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.storage.archive import Archive, ArchiveError, Entry
from tollbridge.storage.disk import DatabaseLock
from tollbridge.storage.engine import WRITES, driver_url, open_engine
from tollbridge.storage.metadata import metadata
from tollbridge.storage.migrate import create_file, migration_config
from tollbridge.storage.saved_tables import (
    NOT_SAVED,
    known_revisions,
    quoted,
    revision_of,
    saved_shapes,
    standing_tables,
)
from tollbridge.storage.unit_of_work import reading

_LOCK_PATIENCE = "30s"
_LOCK_TRIES = 5
_DEADLOCK = "40P01"
# A fresh schema has rows of its own here; they are not data.
_ALWAYS_FILLED = frozenset({"change", "ledger", "node"})
# Whoever writes money or the control plane comes by one of these before it comes by purses.
_LOCKED_FIRST = ("node", "users", "api_keys", "channels", "models")

Void = Callable[[AsyncConnection], Awaitable[int]]


class Target(NamedTuple):
    """The database that will be filled: its name for people, and whether it holds anything."""

    name: str
    has_data: bool


class Restored(NamedTuple):
    """What a restore did: rows loaded, calls voided, and the incarnation that the books have now."""

    rows: int
    voided: int
    incarnation: int


class _Marks(NamedTuple):
    """Numbers that must never be seen twice by whoever follows them."""

    incarnation: int
    version: int


async def look_at(url: str) -> Target:
    """Return what a database is and holds now; database errors as they come."""
    target = driver_url(url)
    if target.get_backend_name() == "sqlite" and not Path(str(target.database)).exists():
        return Target(_name(url), has_data=False)
    engine = open_engine(url)
    try:
        async with reading(engine) as connection:
            return Target(_name(url), await connection.run_sync(_has_data))
    finally:
        await engine.dispose()


async def restore(url: str, archive: Archive, void: Void) -> Restored:
    """Fill a database with a backup, whatever engine either has, and bring it to this schema.

    `void` ends the calls that ran when the backup was made and returns their number. ArchiveError
    when the backup is damaged or of a newer version: nothing is changed then. DatabaseInUse while a
    server has the SQLite file. Other errors as they come; the database is as it was before.
    """
    revisions = known_revisions()
    if archive.manifest.revision not in revisions:
        raise ArchiveError("the backup was made by a newer version; restore it with that one")
    archive.check()
    with _alone(url):
        create_file(url)
        engine = open_engine(url)
        try:
            restored = await _replace(engine, archive, void)
            if engine.dialect.name == "sqlite":
                await _shrink_log(engine)
        finally:
            await engine.dispose()
    return restored


async def _replace(engine: AsyncEngine, archive: Archive, void: Void) -> Restored:
    async with engine.connect() as plain:
        connection = await plain.execution_options(**{WRITES: True})
        async with connection.begin():
            before = await _lock_out(connection)
            await connection.run_sync(_make_room, archive)
            for entry in archive.manifest.tables:
                await _load(connection, archive, entry)
            await connection.run_sync(upgrade, "head")
            after = await connection.run_sync(_marks)
            voided = await void(connection)
            incarnation = await _renew(connection, before, after)
    return Restored(archive.manifest.rows, voided, incarnation)


def upgrade(connection: Connection, revision: str) -> None:
    """Bring the schema forward to a step, within the caller's transaction."""
    config = migration_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


@contextmanager
def _alone(url: str) -> Iterator[None]:
    """Keep servers off a SQLite file; on PostgreSQL the locks of the tables do."""
    target = driver_url(url)
    if target.get_backend_name() != "sqlite":
        yield
        return
    lock = DatabaseLock(Path(str(target.database)))
    lock.take()
    try:
        yield
    finally:
        lock.release()


async def _lock_out(connection: AsyncConnection) -> _Marks:
    """Wait until nobody uses the tables any more and keep it so; return how far they had come."""
    standing = await connection.run_sync(standing_tables)
    if connection.dialect.name == "postgresql" and standing:
        await connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_PATIENCE}'"))
        first = [name for name in _LOCKED_FIRST if name in standing]
        ordered = [*first, *(name for name in standing if name not in first)]
        for left in reversed(range(_LOCK_TRIES)):
            try:
                # Letting go of all that was got so far, where somebody waits for it the other way round.
                async with connection.begin_nested():
                    await _lock(connection, ordered)
                break
            except DBAPIError as error:
                if not left or getattr(error.orig, "sqlstate", None) != _DEADLOCK:
                    raise
    return await connection.run_sync(_marks)


async def _lock(connection: AsyncConnection, names: Sequence[str]) -> None:
    for name in names:
        table = quoted(_sync(connection), [name])
        await connection.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))


def _marks(connection: Connection) -> _Marks:
    standing = standing_tables(connection)
    return _Marks(
        *(
            connection.execute(text(f"SELECT max({column}) FROM {table}")).scalar_one() or 0
            if table in standing
            else 0
            for table, column in (("ledger", "incarnation"), ("change", "version"))
        )
    )


def _make_room(connection: Connection, archive: Archive) -> None:
    """Leave empty tables of the backup's own schema."""
    revisions = known_revisions()
    wanted, current = archive.manifest.revision, revision_of(connection)
    if current is not None and current not in revisions:
        raise ArchiveError("the database belongs to a newer version; use that one")
    if current is not None and revisions.index(current) > revisions.index(wanted):
        upgrade(connection, "head")
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
        current = None
    if current != wanted:
        upgrade(connection, wanted)
    _empty(connection)
    _compare(connection, archive)


def _empty(connection: Connection) -> None:
    standing = standing_tables(connection)
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"TRUNCATE {quoted(connection, standing)}"))
        return
    for name in reversed(standing):
        connection.execute(text(f"DELETE FROM {quoted(connection, [name])}"))


def _compare(connection: Connection, archive: Archive) -> None:
    """Refuse a backup whose tables are not those of the schema that it names."""
    ours = {shape.name: frozenset(shape.columns) for shape in saved_shapes(connection)}
    theirs = {entry.name: frozenset(entry.columns) for entry in archive.manifest.tables}
    if ours != theirs:
        strange = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
        raise ArchiveError(f"the backup's tables differ from its schema's: {', '.join(strange)}")


async def _load(connection: AsyncConnection, archive: Archive, entry: Entry) -> None:
    names = [column.name for column in entry.columns]
    if connection.dialect.name == "postgresql":
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        texts = [at for at, column in enumerate(entry.columns) if column.kind == "text"]
        records = (row for part in archive.rows(entry) for row in _without_nul(part, texts))
        await raw.copy_records_to_table(entry.name, records=records, columns=names)
        return
    sync = _sync(connection)
    insert = (
        f"INSERT INTO {quoted(sync, [entry.name])} ({quoted(sync, names)})"
        f" VALUES ({', '.join('?' * len(names))})"
    )
    for part in archive.rows(entry):
        await connection.exec_driver_sql(insert, part)


def _sync(connection: AsyncConnection) -> Connection:
    sync = connection.sync_connection
    assert sync is not None
    return sync


def _without_nul(rows: Iterable[tuple[Any, ...]], texts: list[int]) -> Iterator[tuple[Any, ...]]:
    """PostgreSQL's texts cannot hold the character NUL, SQLite's can: it becomes U+FFFD."""
    for row in rows:
        if any("\0" in row[at] for at in texts if row[at] is not None):
            yield tuple(
                value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in row
            )
        else:
            yield row


async def _renew(connection: AsyncConnection, before: _Marks, after: _Marks) -> int:
    """Make the books a new incarnation that no process has part in; return its number."""
    incarnation = max(before.incarnation, after.incarnation) + 1
    version = max(before.version, after.version) + 1
    await connection.execute(text("UPDATE node SET dead = true"))
    await connection.execute(text("UPDATE ledger SET incarnation = :to"), {"to": incarnation})
    await connection.execute(text("UPDATE change SET version = :to"), {"to": version})
    # Every call has to be found in the query tables again, those that were voided too.
    await connection.execute(text("DELETE FROM usage_feed"))
    await connection.execute(text("INSERT INTO usage_feed (tid) SELECT tid FROM usage"))
    return incarnation


def _has_data(connection: Connection) -> bool:
    data = (name for name in standing_tables(connection) if name not in NOT_SAVED | _ALWAYS_FILLED)
    return any(
        connection.execute(text(f"SELECT 1 FROM {quoted(connection, [name])} LIMIT 1")).first()
        for name in data
    )


async def _shrink_log(engine: AsyncEngine) -> None:
    """All of the restore went through SQLite's log, which would keep its size."""
    async with engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        await (await raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")).close()


def _name(url: str) -> str:
    target = driver_url(url)
    name = str(target.database)
    return Path(name).name if target.get_backend_name() == "sqlite" else name
