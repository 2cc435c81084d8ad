"""What tests of the worker share: waiting for a fact, gauges that remember, jobs to run."""

import asyncio
import inspect
from collections import Counter
from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.storage.queue import enqueue
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.work_tables import job

# Only a test that fails waits so long.
_PATIENCE_S = 60


async def until(fact: Callable[[], Any]) -> Any:
    """Wait until `fact` (a function or a coroutine function) gives something true; return it."""
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            found = fact()
            found = await found if inspect.isawaitable(found) else found
            if found:
                return found
            await asyncio.sleep(0.01)


class Remembered:
    """Gauges that keep what they were told."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.lags: list[int] = []

    def job_done(self, kind: str) -> None:
        self.counts["done", kind] += 1

    def job_failed(self, kind: str) -> None:
        self.counts["failed", kind] += 1

    def job_dead(self, kind: str) -> None:
        self.counts["dead", kind] += 1

    def periodic_failed(self, name: str) -> None:
        self.counts["periodic", name] += 1

    def usage_lag_ms(self, lag_ms: int) -> None:
        self.lags.append(lag_ms)


async def put(engine: AsyncEngine, kind: str, **payload: Any) -> None:
    """Enqueue a job."""
    async with working(engine) as connection:
        await enqueue(connection, kind, payload)


async def job_rows(engine: AsyncEngine) -> list[Any]:
    """Return the queue's rows."""
    async with reading(engine) as connection:
        return list((await connection.execute(select(job).order_by(job.c.id))).mappings())
