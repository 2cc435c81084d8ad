"""Owns what somebody new still has to do before the first call. Must not know how it is shown."""

from dataclasses import dataclass

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.purse_reads import figures_of
from tollbridge.storage.tables import api_keys, users


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """What is done: the address is known to be theirs, there is credit, there is a key."""

    verified: bool
    credit: bool
    key: bool


async def read_first_steps(connection: AsyncConnection, user_id: int, wallet_id: int) -> FirstSteps:
    """Return how far somebody has come."""
    usable = exists().where(
        api_keys.c.user_id == user_id, api_keys.c.enabled, api_keys.c.deleted_ms.is_(None)
    )
    query = select(users.c.verified_ms.is_not(None), usable).where(users.c.id == user_id)
    verified, key = (await connection.execute(query)).one()
    purses = await figures_of(connection, [wallet_id])
    return FirstSteps(bool(verified), any(one.available > 0 for one in purses.values()), bool(key))
