"""Owns what tables need now and then: months to come, and the end of nodes that are long gone.

Must not know when it is done, nor how a node lives or dies.
"""

from sqlalchemy import delete, exists, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.clock import now_ms
from tollbridge.storage.database_clock import clock_of
from tollbridge.storage.ledger_tables import hold, node
from tollbridge.storage.partitions import create_partitions
from tollbridge.storage.unit_of_work import working

_PARTITIONED = ("usage", "call_index")


async def extend_partitions(engine: AsyncEngine) -> None:
    """Make the months to come of each partitioned table; there are none on SQLite.

    A month that is missing locks its table for a moment. Behind a long question of somebody it is
    given up after a second, with a database error: calls must not queue behind it.
    """
    if engine.dialect.name != "postgresql":
        return
    for table in _PARTITIONED:
        async with working(engine) as connection:
            await connection.execute(text("SET LOCAL lock_timeout = '1s'"))
            await connection.run_sync(create_partitions, now_ms(), table)


async def forget_dead_nodes(engine: AsyncEngine, older_than_ms: int) -> int:
    """Delete nodes that are dead, hold nothing and last beat so long ago; return how many."""
    async with working(engine) as connection:
        query = delete(node).where(
            node.c.dead,
            node.c.beat < clock_of(connection) - older_than_ms,
            ~exists(select(hold.c.tid).where(hold.c.node_id == node.c.id)),
        )
        return (await connection.execute(query)).rowcount
