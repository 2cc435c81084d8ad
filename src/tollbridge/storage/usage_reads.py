"""Owns the reading of single calls: a usage row, the price it was charged by, a hold that stands.

Reads only, each by primary key. Must not know what is shown of them, nor to whom.
"""

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.ledger_tables import hold, usage
from tollbridge.storage.tables import prices


async def find_usage(connection: AsyncConnection, tid: str) -> RowMapping | None:
    """Return the whole usage row of a settled call, None when there is none."""
    query = select(usage).where(usage.c.tid == tid)
    return (await connection.execute(query)).mappings().one_or_none()


async def find_price(connection: AsyncConnection, price_id: int) -> RowMapping | None:
    """Return a row of the price table, valid now or long ended."""
    query = select(prices).where(prices.c.id == price_id)
    return (await connection.execute(query)).mappings().one_or_none()


async def is_running(connection: AsyncConnection, tid: str, wallet_id: int) -> bool:
    """Tell whether a call of this wallet still holds money, so that it has no usage row yet."""
    query = select(hold.c.tid).where(hold.c.tid == tid, hold.c.wallet_id == wallet_id)
    return (await connection.execute(query)).first() is not None
