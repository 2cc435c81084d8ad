"""Owns the end of calls that are kept no longer: their usage and index rows are removed.

Journal, lots and roll-ups stay. Nothing goes before its roll-ups are made, and the floor of usage
(storage/usage_floor.py) is raised first, so that nobody takes what was removed for missing. On
PostgreSQL months that are wholly too old are dropped as partitions. Must not know when it runs.
"""

from typing import Final

from sqlalchemy import Connection, Table, delete, exists, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.storage.ledger_tables import hold, usage, usage_feed
from tollbridge.storage.partitions import partitions_before
from tollbridge.storage.query_tables import call_index, rollup_dirty, rollup_floor
from tollbridge.storage.rollup_marks import DAY, first_tid, slot_at
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.usage_floor import raise_usage_floor, usage_floor_ms
from tollbridge.storage.work_tables import sink_feed

SQLITE_AT_ONCE: Final = 1000
"""The money writer needs the same write lock, so it never waits for more than so many rows."""

POSTGRESQL_AT_ONCE: Final = 5000
_DAY_MS = DAY * 1000
# The index first: a list never names a call that is gone.
_TABLES: tuple[Table, ...] = (call_index, usage)


async def remove_old_calls(
    engine: AsyncEngine, keep_days: int, now_ms: int, at_once: int | None = None
) -> bool:
    """Remove some calls that are over since more than `keep_days` days; return whether there is more.

    Whole days of UTC. While a roll-up of such a day is behind nothing is removed of days that have
    not begun to go. Raises what the database raises; a month that somebody reads is given up after
    a second.
    """
    floor_ms = slot_at(DAY, now_ms).start_ms - keep_days * _DAY_MS
    async with reading(engine) as connection:
        before = await usage_floor_ms(connection)
    if floor_ms > before and not await _raised(engine, floor_ms):
        floor_ms = before
    if not floor_ms:
        return False
    if engine.dialect.name == "postgresql":
        if await _drop_month(engine, first_tid(floor_ms)):
            return True
        return await _remove(engine, floor_ms, at_once or POSTGRESQL_AT_ONCE)
    return await _remove(engine, floor_ms, at_once or SQLITE_AT_ONCE)


async def _raised(engine: AsyncEngine, floor_ms: int) -> bool:
    """Raise the floor, unless roll-ups are yet to be made of what is below it; tell if it was done."""
    async with working(engine) as connection:
        if await _is_behind(connection, floor_ms):
            return False
        await raise_usage_floor(connection, floor_ms)
    return True


async def _is_behind(connection: AsyncConnection, floor_ms: int) -> bool:
    tid = first_tid(floor_ms)
    waits = (
        ~exists(select(rollup_floor.c.span)),
        exists(select(rollup_dirty.c.span).where(rollup_dirty.c.start_ms < floor_ms)),
        exists(select(usage_feed.c.id).where(usage_feed.c.tid < tid)),
        exists(select(hold.c.tid).where(hold.c.tid < tid)),
        # A sink that has been away for long is still to hear of them.
        exists(select(sink_feed.c.id).where(sink_feed.c.tid < tid)),
    )
    return any((await connection.execute(select(*waits))).one())


async def _drop_month(engine: AsyncEngine, floor: str) -> bool:
    """Drop the oldest month of each table that lies wholly before the floor; tell if there was one."""
    dropped = False
    for table in _TABLES:
        async with working(engine) as connection:
            await connection.execute(text("SET LOCAL lock_timeout = '1s'"))
            dropped |= await connection.run_sync(_drop_oldest, table.name, floor)
    return dropped


def _drop_oldest(connection: Connection, table: str, floor: str) -> bool:
    for name in partitions_before(connection, floor, table)[:1]:
        connection.execute(text(f"DROP TABLE {name}"))
        return True
    return False


async def _remove(engine: AsyncEngine, floor_ms: int, at_once: int) -> bool:
    async with working(engine) as connection:
        if connection.dialect.name == "postgresql":
            # Without statistics of a young month the planner would read all of it for each chunk.
            await connection.execute(select(func.set_config("enable_seqscan", "off", True)))
        counts = [await _remove_of(connection, table, floor_ms, at_once) for table in _TABLES]
    return max(counts) == at_once


async def _remove_of(connection: AsyncConnection, table: Table, floor_ms: int, most: int) -> int:
    old = select(table.c.tid).where(table.c.tid < first_tid(floor_ms))
    oldest = old.order_by(table.c.tid).limit(most).subquery()
    query = delete(table).where(table.c.tid.in_(select(oldest.c.tid)))
    return (await connection.execute(query)).rowcount
