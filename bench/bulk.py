"""Owns how a generated history gets into a database fast: no indexes until the end, no waiting for disks.

It must not know what is in the rows.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from time import time_ns

import asyncpg
from sqlalchemy import Connection, Table, insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.history import Part
from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.partitions import create_partitions
from tollbridge.storage.query_tables import call_index, rollup, rollup_view, rollup_view_floor
from tollbridge.storage.rollup_views import SPANS_OF_VIEWS
from tollbridge.storage.unit_of_work import working

_INDEXED = (call_index, rollup)
_DAY_MS = 86_400_000
_MONTH_MS = 28 * _DAY_MS
_CACHE_KB = 1_000_000


async def load(engine: AsyncEngine, url: str, parts: Iterable[Part], days: int) -> int:
    """Write a history into an empty database of ours; return how many usage rows it has."""
    postgres = engine.dialect.name == "postgresql"
    async with working(engine) as connection:
        await connection.run_sync(_without_indexes)
        if postgres:
            await connection.run_sync(_with_months, days)
    # Nobody else may have the file open while SQLite writes without a journal.
    await engine.dispose()
    count = await _copied(url, parts) if postgres else _inserted(_file(url), parts)
    async with working(engine) as connection:
        if postgres:
            await connection.execute(text("SET LOCAL maintenance_work_mem = '1GB'"))
        await connection.run_sync(_with_indexes)
        # All views have been written.
        spans = [{"span": span, "start_ms": 0} for span in SPANS_OF_VIEWS]
        await connection.execute(insert(rollup_view_floor), spans)
    return count


def _without_indexes(connection: Connection) -> None:
    for table in _INDEXED:
        for index in table.indexes:
            index.drop(connection)


def _with_indexes(connection: Connection) -> None:
    for table in _INDEXED:
        for index in sorted(table.indexes, key=lambda one: str(one.name)):
            index.create(connection)


def _with_months(connection: Connection, days: int) -> None:
    """Make the months that upkeep would have made on its way."""
    now_ms = time_ns() // 1_000_000
    for table in (usage, call_index):
        for at_ms in range(now_ms - days * _DAY_MS, now_ms, _MONTH_MS):
            create_partitions(connection, at_ms, table.name)


def _file(url: str) -> Path:
    return Path(url.partition(":///")[2])


def _inserted(path: Path, parts: Iterable[Part]) -> int:
    book = sqlite3.connect(path, isolation_level=None)
    count = 0
    try:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KB}"):
            book.execute(f"PRAGMA {pragma}")
        for part in parts:
            book.execute("BEGIN")
            for table, rows in _tables(part):
                marks = ",".join("?" * len(table.columns))
                book.executemany(f"INSERT INTO {table.name} VALUES ({marks})", rows)
            book.execute("COMMIT")
            count += len(part.usage)
    finally:
        book.close()
    return count


async def _copied(url: str, parts: Iterable[Part]) -> int:
    connection = await asyncpg.connect(url)
    count = 0
    try:
        await connection.execute("SET synchronous_commit = off")
        for part in parts:
            async with connection.transaction():
                for table, rows in _tables(part):
                    names = [column.name for column in table.columns]
                    await connection.copy_records_to_table(table.name, records=rows, columns=names)
            count += len(part.usage)
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()
    return count


def _tables(part: Part) -> tuple[tuple[Table, list[tuple[object, ...]]], ...]:
    return (
        (usage, part.usage),
        (call_index, part.index),
        (rollup, part.rollup),
        (rollup_view, part.view),
    )
