"""Reads for tests what waits in the outbox, as a worker would get it."""

from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.notify.outbox import MAIL, WEBHOOK
from tollbridge.storage.queue import Job, claim


async def claimed(engine: AsyncEngine, holder: int = 1, lease_s: float = 60) -> list[Job]:
    """Claim all that waits, in the order it was made."""
    jobs = await claim(engine, holder, [MAIL, WEBHOOK], lease_s, 100)
    return sorted(jobs, key=lambda job: job.id)


async def subjects(engine: AsyncEngine) -> list[str]:
    """Claim all mail that waits; return the subjects."""
    return [job.payload["subject"] for job in await claimed(engine) if job.kind == MAIL]
