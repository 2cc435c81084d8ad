"""Owns the way from usage into `call_index`: what the money writer fed is moved in chunks.

A row leaves the feed in the transaction that writes its index row and marks its roll-up, so nothing
is lost or counted twice, whoever dies when. Must not know when it runs.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, any_, delete, func, literal, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.storage.ledger_tables import usage, usage_feed
from tollbridge.storage.metadata import TID
from tollbridge.storage.query_tables import call_index
from tollbridge.storage.rollup_marks import mark_calls, mark_fed
from tollbridge.storage.sink_feed import feed_tids, feed_upto
from tollbridge.storage.unit_of_work import reading, working

SQLITE_CHUNK = 1000
"""The money writer needs the same write lock, so it never waits for more than so many rows."""

POSTGRESQL_CHUNK = 5000
_TURN = 7_401_001
_COLUMNS = ("tid", "user_id", "key_id", "channel_id", "model", "status", "charge")
_UPTO = f"SELECT max(id) FROM (SELECT id FROM usage_feed ORDER BY id LIMIT {SQLITE_CHUNK})"
_INDEX = (
    f"INSERT OR REPLACE INTO call_index ({', '.join(_COLUMNS)})"
    " SELECT tid, user_id, key_id, channel_id, model_asked, status, charge - reversed FROM usage"
    " WHERE tid IN (SELECT tid FROM usage_feed WHERE id <= ?)"
)
_FORGET = "DELETE FROM usage_feed WHERE id <= ?"


def chunk_of(engine: AsyncEngine) -> int:
    """Return how many rows of the feed one transaction takes at most."""
    return POSTGRESQL_CHUNK if engine.dialect.name == "postgresql" else SQLITE_CHUNK


async def index_chunk(engine: AsyncEngine, *, sink: bool = False) -> int:
    """Move the oldest chunk of the feed into the index; return how many rows left the feed.

    With a `sink` they go into its feed in the same transaction. Fewer than a chunk means that
    nothing more waited, or that another process does it now.
    """
    if not await _anything_waits(engine):
        return 0
    async with working(engine) as connection:
        if connection.dialect.name == "sqlite":
            return await _move(connection, sink=sink)
        if not await _alone(connection):
            return 0
        tids = await _take(connection, chunk_of(engine))
        await _write(connection, sorted(set(tids)))
        await mark_calls(connection, tids)
        if sink:
            await feed_tids(connection, tids)
        return len(tids)


async def _move(connection: AsyncConnection, *, sink: bool) -> int:
    """Do all of it inside SQLite: every row that passes through Python is CPU taken from calls."""
    upto = (await connection.exec_driver_sql(_UPTO)).scalar_one()
    await connection.exec_driver_sql(_INDEX, (upto,))
    if upto is not None:
        await mark_fed(connection, upto)
    if sink:
        await feed_upto(connection, upto)
    return (await connection.exec_driver_sql(_FORGET, (upto,))).rowcount


async def _anything_waits(engine: AsyncEngine) -> bool:
    async with reading(engine) as connection:
        return (await connection.execute(select(usage_feed.c.id).limit(1))).first() is not None


async def _alone(connection: AsyncConnection) -> bool:
    """Of two that moved rows of one tid at a time, the one that read first might write last."""
    # Without statistics of a young month the planner would read all of it for each chunk.
    by_key = func.set_config("enable_seqscan", "off", True)
    lock = func.pg_try_advisory_xact_lock(_TURN)
    return bool((await connection.execute(select(lock, by_key))).scalar())


async def _take(connection: AsyncConnection, chunk: int) -> list[str]:
    oldest = select(usage_feed.c.id).order_by(usage_feed.c.id).limit(chunk)
    query = delete(usage_feed).where(usage_feed.c.id.in_(oldest)).returning(usage_feed.c.tid)
    return list((await connection.execute(query)).scalars())


async def _write(connection: AsyncConnection, tids: Sequence[str]) -> None:
    """Write what usage says now: it was changed before or with the feed's row, never after.

    A later change has a row of its own in the feed.
    """
    # One parameter, whatever the number of tids: one statement for the database to know.
    among = usage.c.tid == any_(literal(tids, postgresql.ARRAY(TID)))
    query = postgresql.insert(call_index).from_select(list(_COLUMNS), _current(among))
    query = query.on_conflict_do_update(
        index_elements=["tid"],
        set_={name: query.excluded[name] for name in _COLUMNS[1:]},
    )
    await connection.execute(query)


def _current(which: ColumnElement[bool]) -> Select[tuple[object, ...]]:
    return select(
        usage.c.tid,
        usage.c.user_id,
        usage.c.key_id,
        usage.c.channel_id,
        usage.c.model_asked,
        usage.c.status,
        usage.c.charge - usage.c.reversed,
    ).where(which)
