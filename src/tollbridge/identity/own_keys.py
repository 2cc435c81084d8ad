"""Owns the names of somebody's keys, deleted ones included: calls are looked for by them."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.tables import api_keys

_MOST = 500


async def key_names(connection: AsyncConnection, user_id: int) -> list[str]:
    """Return the names of a user's keys in order, 500 at most, those in use first."""
    this = api_keys.c
    gone = this.deleted_ms.is_not(None)
    query = select(this.name).where(this.user_id == user_id).order_by(gone, this.name).limit(_MOST)
    return list((await connection.execute(query)).scalars())
