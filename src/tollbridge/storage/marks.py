"""Owns numbers that jobs keep by name: how far one came. Must not know which jobs there are."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.query_tables import audit_mark
from tollbridge.storage.upsert import upsert


async def read_mark(connection: AsyncConnection, name: str) -> int:
    """Return a number that was kept, 0 while none was."""
    query = select(audit_mark.c.value).where(audit_mark.c.name == name)
    return int((await connection.execute(query)).scalar() or 0)


async def set_mark(connection: AsyncConnection, name: str, value: int) -> None:
    """Keep a number by a name."""
    fresh = upsert(connection, audit_mark).values(name=name, value=str(value))
    query = fresh.on_conflict_do_update(index_elements=["name"], set_={"value": str(value)})
    await connection.execute(query)
