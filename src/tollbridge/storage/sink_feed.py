"""Owns the way of usage to a sink outside: what waits, and the batch that is being sent.

An id of the feed is the version of its row at the sink, so ids must grow for ever: over an empty
feed, a clock that is set back, a restore. They are made of the clock, and never below the last one.
A batch is written down before it is sent, so that it is the same batch after a crash. Must not know
what a sink is. Why so: docs/decisions/0036-usage-leaves-the-house.md.
"""

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.core.clock import id_ms, new_id
from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.marks import read_mark, set_mark
from tollbridge.storage.query_tables import audit_mark
from tollbridge.storage.rollup_marks import first_tid
from tollbridge.storage.unit_of_work import reading, take_turns, working
from tollbridge.storage.usage_export import Row, rows_of
from tollbridge.storage.work_tables import sink_feed

_TURN = 7_401_003
# The worker shares the loop of the calls: so many rows are made ready between two looks at it.
_READ = 200
_RESEND = 1000
_OPEN = "sink_open"
_DONE = "sink_done"
_FED = (
    "INSERT INTO sink_feed (id, tid)"
    " SELECT ? + row_number() OVER (ORDER BY id), tid FROM usage_feed WHERE id <= ?"
)


class Batch(NamedTuple):
    """The rows of the feed that are being sent: ids from `first` to `last`, `rows` of them."""

    first: int
    last: int
    rows: int

    @property
    def token(self) -> str:
        """What tells this batch from every other, the same at each try."""
        return f"tollbridge-{self.first}-{self.last}"


class Backlog(NamedTuple):
    """How much waits, counted no further than asked for, and since when (milliseconds; 0: nothing)."""

    rows: int
    since_ms: int


async def feed_upto(connection: AsyncConnection, upto: int | None) -> None:
    """Add the calls of `usage_feed` up to a row; only on SQLite, which moves them by itself."""
    if upto is not None:
        await connection.exec_driver_sql(_FED, (await _last_id(connection), upto))


async def feed_tids(connection: AsyncConnection, tids: Sequence[str]) -> None:
    """Add calls, in the transaction that takes them from `usage_feed`."""
    if tids:
        after = await _last_id(connection)
        rows = [{"id": after + place, "tid": tid} for place, tid in enumerate(tids, start=1)]
        await connection.execute(insert(sink_feed), rows)


async def resend(engine: AsyncEngine, from_ms: int, to_ms: int) -> int:
    """Add all calls that began from `from_ms` on and before `to_ms` once more; return how many."""
    after, end, fed = first_tid(from_ms), first_tid(to_ms), 0
    while True:
        query = select(usage.c.tid).where(usage.c.tid > after, usage.c.tid < end)
        async with working(engine) as connection:
            found = await connection.execute(query.order_by(usage.c.tid).limit(_RESEND))
            tids = found.scalars().all()
            await feed_tids(connection, tids)
        fed += len(tids)
        if len(tids) < _RESEND:
            return fed
        after = tids[-1]


async def open_batch(engine: AsyncEngine, most: int) -> Batch | None:
    """Return the batch that was begun, or begin one of the oldest `most` rows; None without any."""
    async with reading(engine) as connection:
        if (await connection.execute(select(sink_feed.c.id).limit(1))).first() is None:
            return None
    async with working(engine) as connection:
        await take_turns(connection, _TURN)
        last = await read_mark(connection, _OPEN)
        if not last:
            oldest = select(sink_feed.c.id).order_by(sink_feed.c.id).limit(most).subquery()
            query = select(func.max(oldest.c.id))
            last = (await connection.execute(query)).scalar() or 0
            await set_mark(connection, _OPEN, last)
        ids = sink_feed.c.id
        span = select(func.min(ids), func.max(ids), func.count()).where(ids <= last)
        first, last, rows = (await connection.execute(span)).one()
    return Batch(first, last, rows) if rows else None


async def batch_rows(engine: AsyncEngine, batch: Batch) -> AsyncIterator[list[tuple[int, Row]]]:
    """Yield the batch's calls as they are now, each once, with the version of the row.

    A later change has a later row in the feed. A call that is no longer kept is left out.
    """
    async with reading(engine) as connection:
        version = func.max(sink_feed.c.id)
        query = select(sink_feed.c.tid, version).where(sink_feed.c.id <= batch.last)
        found = await connection.execute(query.group_by(sink_feed.c.tid).order_by(version))
        waiting: list[tuple[str, int]] = [(tid, number) for tid, number in found]
    for place in range(0, len(waiting), _READ):
        piece = dict(waiting[place : place + _READ])
        async with reading(engine) as connection:
            rows = await rows_of(connection, list(piece))
        yield [(piece[row[0]], row) for row in rows]


async def close_batch(engine: AsyncEngine, batch: Batch) -> None:
    """Forget what was sent; harmless when another process has done it already."""
    async with working(engine) as connection:
        await take_turns(connection, _TURN)
        await connection.execute(delete(sink_feed).where(sink_feed.c.id <= batch.last))
        if await read_mark(connection, _OPEN) <= batch.last:
            await connection.execute(delete(audit_mark).where(audit_mark.c.name == _OPEN))
        await set_mark(connection, _DONE, max(batch.last, await read_mark(connection, _DONE)))


async def backlog(connection: AsyncConnection, most: int) -> Backlog:
    """Return how much waits, counted up to `most` rows."""
    some = select(sink_feed.c.id).order_by(sink_feed.c.id).limit(most).subquery()
    query = select(func.count(), func.min(some.c.id))
    rows, oldest = (await connection.execute(query)).one()
    return Backlog(rows, id_ms(oldest) if rows else 0)


async def _last_id(connection: AsyncConnection) -> int:
    """Return a number that no id of the feed has ever reached, and let nobody else have it.

    Who adds waits for who adds before: ids become visible in their order, so that a batch never
    gets a row between two that were sent.
    """
    await take_turns(connection, _TURN)
    highest = (await connection.execute(select(func.max(sink_feed.c.id)))).scalar() or 0
    return max(highest, await read_mark(connection, _DONE), new_id())
