"""Owns `tollbridge backup`: every table of one moment into one file, while the gateway runs.

Needs no other program and no more memory for more rows (money.md, "Engines"). The tables that are
made from the others are left out; `restore` has them made again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge import __version__
from tollbridge.core.clock import now_ms
from tollbridge.core.secrets import key_id_of
from tollbridge.storage.archive import FORMAT, PRODUCT, ArchiveError, Manifest, writing_archive
from tollbridge.storage.archive import Writer as ArchiveWriter
from tollbridge.storage.saved_tables import (
    Shape,
    known_revisions,
    quoted,
    revision_of,
    saved_shapes,
)
from tollbridge.storage.unit_of_work import reading

_ROWS_AT_ONCE = 2000


async def backup(engine: AsyncEngine, path: Path, sealed: Mapping[str, Sequence[str]]) -> Manifest:
    """Write one consistent backup of a database to `path` and return what is in it.

    `sealed` names the columns, by table, whose values need an encryption key: the manifest says
    which keys. ArchiveError when the file cannot be written or the database holds no schema of
    ours, database errors as they come; whatever stood at `path` is untouched then.
    """
    # The transaction ends before the file is whole: a writer's log need not wait for the disk.
    with writing_archive(path) as writer:
        async with reading(engine) as connection:
            revision = await connection.run_sync(revision_of)
            if revision is None:
                raise ArchiveError("the database is empty: there is nothing to back up")
            if revision not in known_revisions():
                raise ArchiveError("the database belongs to a newer version; use that one")
            key_ids: set[str] = set()
            for shape in await connection.run_sync(saved_shapes):
                await _save(connection, writer, shape, sealed.get(shape.name, ()), key_ids)
            incarnation = await connection.execute(text("SELECT max(incarnation) FROM ledger"))
            manifest = Manifest(
                product=PRODUCT,
                format=FORMAT,
                version=__version__,
                revision=revision,
                engine=engine.dialect.name,
                incarnation=incarnation.scalar_one() or 0,
                at_ms=now_ms(),
                key_ids=tuple(sorted(key_ids)),
                tables=tuple(writer.entries),
            )
        writer.finish(manifest)
    return manifest


async def _save(
    connection: AsyncConnection,
    writer: ArchiveWriter,
    shape: Shape,
    sealed: Sequence[str],
    key_ids: set[str],
) -> None:
    names = [column.name for column in shape.columns]
    columns = quoted(connection.sync_connection, names)  # type: ignore[arg-type]
    table = quoted(connection.sync_connection, [shape.name])  # type: ignore[arg-type]
    # SQLite has no booleans, only 0 and 1.
    booleans = [at for at, column in enumerate(shape.columns) if column.kind == "bool"]
    secrets = [at for at, name in enumerate(names) if name in sealed]
    query = text(f"SELECT {columns} FROM {table}")
    with writer.table(shape.name, shape.columns) as file:
        result = await connection.stream(query, execution_options={"yield_per": _ROWS_AT_ONCE})
        async for part in result.partitions(_ROWS_AT_ONCE):
            rows: list[list[Any]] = [list(row) for row in part]
            for at in booleans:
                for row in rows:
                    row[at] = None if row[at] is None else bool(row[at])
            key_ids |= {key_id_of(row[at]) for row in rows for at in secrets if row[at]}
            file.add(rows)
