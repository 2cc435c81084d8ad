"""Writes usage as the money writer does, on either engine: the row, and its tid in the feed."""

from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.storage.books import row
from tollbridge.storage.ledger_items import USAGE_COLUMNS
from tollbridge.storage.ledger_tables import usage, usage_feed
from tollbridge.storage.query_tables import call_index
from tollbridge.storage.unit_of_work import reading

INDEXED = ("tid", "user_id", "key_id", "channel_id", "status", "charge")


async def make_calls(connection: AsyncConnection, tids: list[str], **values: Any) -> None:
    """Insert usage rows and feed them."""
    rows = [
        dict(zip(USAGE_COLUMNS[:-2], row(tid, **values), strict=True)) | {"loss": 0, "charge": 1}
        for tid in tids
    ]
    for one in rows:
        one["stream"] = bool(one["stream"])
    await connection.execute(insert(usage), rows)
    await feed(connection, tids)


async def recharge(connection: AsyncConnection, tid: str, charge: int) -> None:
    """Change what a call cost, as a late settle does."""
    await connection.execute(update(usage).where(usage.c.tid == tid).values(charge=charge))
    await feed(connection, [tid])


async def give_back(connection: AsyncConnection, tid: str) -> None:
    """Mark a call as a reversal does."""
    await connection.execute(
        update(usage).where(usage.c.tid == tid).values(reversed=usage.c.charge)
    )
    await feed(connection, [tid])


async def feed(connection: AsyncConnection, tids: list[str]) -> None:
    """Tell the query tables of usage rows."""
    if tids:
        await connection.execute(insert(usage_feed), [{"tid": tid} for tid in tids])


async def fed(engine: AsyncEngine) -> int:
    """Return how many rows wait in the feed."""
    async with reading(engine) as connection:
        return (await connection.execute(select(func.count()).select_from(usage_feed))).scalar_one()


async def indexed(engine: AsyncEngine) -> list[Any]:
    """Return the index's rows."""
    columns = [call_index.c[name] for name in INDEXED]
    return await _rows(engine, select(*columns, call_index.c.model).order_by(call_index.c.tid))


async def expected(engine: AsyncEngine, *, waiting: bool = False) -> list[Any]:
    """Return what the index's rows must be; of calls that wait in the feed only when asked."""
    paid = (usage.c.charge - usage.c.reversed).label("charge")
    columns = (usage.c[name] for name in INDEXED[:-1])
    query = select(*columns, paid, usage.c.model_asked.label("model"))
    if not waiting:
        query = query.where(usage.c.tid.not_in(select(usage_feed.c.tid)))
    return await _rows(engine, query.order_by(usage.c.tid))


async def _rows(engine: AsyncEngine, query: Any) -> list[Any]:
    async with reading(engine) as connection:
        return [tuple(found) for found in await connection.execute(query)]
