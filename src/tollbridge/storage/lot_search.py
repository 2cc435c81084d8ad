"""Owns which wallets' lots want looking at: those that are behind, and those of which some ended.

Reads only. Must not know what is done about them.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.ledger_tables import lot, purse
from tollbridge.storage.query_tables import rollup
from tollbridge.storage.rollup_marks import FIVE_MINUTES

_IS_WALLET = purse.c.kind == "wallet"


async def wallets_behind(connection: AsyncConnection) -> Sequence[int]:
    """Return all wallets whose lots do not come to what they have; looks at every one of them."""
    left = select(lot.c.wallet_id, func.sum(lot.c.remaining).label("left"))
    left_of = left.group_by(lot.c.wallet_id).subquery()
    query = (
        select(purse.c.id)
        .outerjoin(left_of, left_of.c.wallet_id == purse.c.id)
        .where(_IS_WALLET, purse.c.available != func.coalesce(left_of.c.left, 0))
        .order_by(purse.c.id)
    )
    return (await connection.execute(query)).scalars().all()


async def active_wallets(connection: AsyncConnection, since_ms: int) -> Sequence[int]:
    """Return the wallets of users who made calls since, as far as the roll-ups know; in order."""
    users = select(rollup.c.user_id).where(
        rollup.c.span == FIVE_MINUTES, rollup.c.start_ms >= since_ms
    )
    return await _ids(connection, _IS_WALLET, purse.c.owner_id.in_(users))


async def wallets_with_ended_lots(connection: AsyncConnection, now_ms: int) -> Sequence[int]:
    """Return the wallets that have something left of a lot that is over; in order."""
    over = select(lot.c.wallet_id).where(lot.c.remaining > 0, lot.c.expires_ms <= now_ms)
    return await _ids(connection, _IS_WALLET, purse.c.id.in_(over))


async def _ids(connection: AsyncConnection, *which: ColumnElement[bool]) -> Sequence[int]:
    query = select(purse.c.id).where(*which).order_by(purse.c.id)
    return (await connection.execute(query)).scalars().all()
