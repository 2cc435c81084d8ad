"""Owns the floor of usage: calls before it may have been removed, whole days of UTC at a time.

It is raised before the first of them goes and never falls. Whoever compares usage rows with what
stays for ever (journal lines, roll-ups) looks at calls from the floor on; whoever would change an
older call finds out here that its sums are closed. Must not know who removes rows, nor when.
"""

from typing import Final

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.clock import tid_ms
from tollbridge.storage.rollup_marks import first_tid
from tollbridge.storage.tables import site
from tollbridge.storage.upsert import upsert

_KEY: Final = "usage_floor"

FLOOR_SQL: Final = f"COALESCE((SELECT REPLACE(value, '\"', '') FROM site WHERE key = '{_KEY}'), '')"
"""The floor as SQL that both engines read alike: a tid, or '' while nothing was ever removed."""


async def usage_floor_ms(connection: AsyncConnection) -> int:
    """Return the moment from which all calls are kept, in milliseconds since 1970; 0 = all ever."""
    stored = (await connection.execute(select(site.c.value).where(site.c.key == _KEY))).scalar()
    return tid_ms(msgspec.json.decode(stored, type=str)) if stored else 0


async def raise_usage_floor(connection: AsyncConnection, at_ms: int) -> None:
    """Say that calls before a moment may go; does nothing where the floor is higher."""
    query = upsert(connection, site).values(
        key=_KEY, value=msgspec.json.encode(first_tid(at_ms)).decode()
    )
    query = query.on_conflict_do_update(
        index_elements=["key"],
        set_={"value": query.excluded.value},
        where=site.c.value < query.excluded.value,
    )
    await connection.execute(query)
