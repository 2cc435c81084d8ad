"""Lets time pass for jobs and leases without waiting: their times move into the past.

Works with the database's own clock, which no test can set.
"""

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.storage.unit_of_work import working
from tollbridge.storage.work_tables import job, lease


async def pass_time(engine: AsyncEngine, seconds: float) -> None:
    """Let everything that waits or is leased be `seconds` older."""
    ms = int(seconds * 1000)
    async with working(engine) as connection:
        await connection.execute(
            update(job).values(
                run_at_ms=job.c.run_at_ms - ms, lease_until_ms=job.c.lease_until_ms - ms
            )
        )
        await connection.execute(update(lease).values(until_ms=lease.c.until_ms - ms))
