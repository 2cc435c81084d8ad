"""Owns the upkeep of what people leave behind: sessions that are over, words that nobody can use any
more, counts of days gone by, and answers kept for a repeated request.

None of it means anything any more: it is removed so that the tables stay small. Each kind is a short
transaction of its own, because SQLite's write lock is the money writer's too.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.core.clock import now_ms
from tollbridge.identity.doors import forget_days
from tollbridge.identity.one_time import forget_expired
from tollbridge.identity.sessions import forget_ended
from tollbridge.storage.people_tables import idempotency
from tollbridge.storage.unit_of_work import working

EVERY_S: Final = 600.0
ANSWERS_MS: Final = 48 * 3_600_000
"""How long the answer to a write that moved money is kept for a request that repeats it."""

Forget = Callable[[AsyncConnection, int], Awaitable[int]]


async def forget_answers(connection: AsyncConnection, at_ms: int) -> int:
    """Remove answers that are older than a repeated request can be; return how many."""
    old = idempotency.c.created_ms <= at_ms - ANSWERS_MS
    return (await connection.execute(delete(idempotency).where(old))).rowcount


class People:
    """Removes what is over; running it again changes nothing."""

    def __init__(self, engine: AsyncEngine, clock: Callable[[], int] = now_ms) -> None:
        self._engine = engine
        self._clock = clock

    async def run(self) -> None:
        """Remove everything that is over by now."""
        at_ms = self._clock()
        for forget in _KINDS:
            async with working(self._engine) as connection:
                await forget(connection, at_ms)


_KINDS: Final[tuple[Forget, ...]] = (forget_ended, forget_expired, forget_days, forget_answers)
