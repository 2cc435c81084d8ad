"""Owns named leases: who of all processes may do a periodic job now, and until when.

Must not know what is done under a lease. A lease saves work, it is no lock: what must never happen
twice needs one of the database besides (architecture.md, "Background work").
"""

from sqlalchemy import delete, or_
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.clock import monotonic_ms
from tollbridge.storage.database_clock import clock_of
from tollbridge.storage.unit_of_work import working
from tollbridge.storage.upsert import upsert
from tollbridge.storage.work_tables import lease


async def hold_lease(engine: AsyncEngine, name: str, holder: int, for_s: float) -> bool:
    """Take or prolong a lease so that it ends `for_s` from now; False when another has it.

    By the database's clock on PostgreSQL; on SQLite by this machine's.
    """
    async with working(engine) as connection:
        clock = clock_of(connection)
        until = clock + int(for_s * 1000)
        query = upsert(connection, lease).values(name=name, holder=holder, until_ms=until)
        query = query.on_conflict_do_update(
            index_elements=["name"],
            set_={"holder": holder, "until_ms": until},
            where=or_(lease.c.holder == holder, lease.c.until_ms <= clock),
        )
        return (await connection.execute(query)).rowcount == 1


async def release_lease(engine: AsyncEngine, name: str, holder: int) -> None:
    """Let others take a lease at once; nothing happens when another has it."""
    async with working(engine) as connection:
        mine = (lease.c.name == name, lease.c.holder == holder)
        await connection.execute(delete(lease).where(*mine))


class Lease:
    """One holder's view of one lease: it counts as held only while that is certain.

    The time left is measured from before the request by a clock that never steps, so it ends here
    before it ends in the database, and two holders never both believe to have the lease.
    """

    def __init__(self, engine: AsyncEngine, name: str, holder: int) -> None:
        self._engine = engine
        self._holder = holder
        self._until = 0
        self.name = name

    @property
    def left_s(self) -> float:
        """How many seconds the lease is certainly ours; 0 when it is not."""
        return max(self._until - monotonic_ms(), 0) / 1000

    async def hold(self, for_s: float) -> bool:
        """Take or prolong it; after an error nothing is known and what was held runs out."""
        asked = monotonic_ms()
        held = await hold_lease(self._engine, self.name, self._holder, for_s)
        self._until = asked + int(for_s * 1000) if held else 0
        return held

    async def release(self) -> None:
        """Stop to believe, then let others have it."""
        self._until = 0
        await release_lease(self._engine, self.name, self._holder)
