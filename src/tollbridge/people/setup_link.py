"""Owns the link that opens the first run: who may have one, for how long, and that there is only one.

Whoever reads the server's own output may set the site up, while nobody is there who could. Loaded by
every serving process at its start. Must not know what is set up.
"""

from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.core.secrets import Secrets
from tollbridge.identity.one_time import Purpose, issue, look_at, revoke
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading, take_turns, working

PATH: Final = "/setup"
LIFE_MS: Final = 24 * 3_600_000
TURN: Final = 7_051
"""The turn of who makes the first admin or a link to make one: two at once are one after the other."""


async def has_admin(connection: AsyncConnection) -> bool:
    """Tell whether somebody is there who may do everything."""
    query = select(users.c.id).where(
        users.c.role == "admin", users.c.status == "active", users.c.deleted_ms.is_(None)
    )
    return (await connection.execute(query.limit(1))).first() is not None


async def new_link(engine: AsyncEngine, secrets: Secrets, site_url: str, at_ms: int) -> str | None:
    """Return a link that sets this site up, which makes earlier ones worthless; None with an admin."""
    async with reading(engine) as connection:
        if await has_admin(connection):
            return None
    async with working(engine) as connection:
        await take_turns(connection, TURN)
        if await has_admin(connection):
            return None
        await revoke(connection, Purpose.SETUP, None)
        word = await issue(connection, secrets, Purpose.SETUP, at_ms=at_ms, life_ms=LIFE_MS)
    return f"{site_url}{PATH}?token={word}"


async def opens(connection: AsyncConnection, secrets: Secrets, word: str, at_ms: int) -> bool:
    """Tell whether a word of a link is good, and leave it so."""
    return await look_at(connection, secrets, Purpose.SETUP, word, at_ms) is not None
