"""Owns the purses behind a key's budget: one for each calendar period, opened when first needed.

A budget is not money: it has no journal. In the purse `spent = granted - available` at every
moment, so a changed budget moves both together, relative to what calls hold and spend meanwhile
(decision 0015). Amounts are nano-dollars, times milliseconds since 1970.
"""

import asyncio

from sqlalchemy import case, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.core.clock import new_id
from tollbridge.core.periods import Period, period_at
from tollbridge.identity.keys import KeyRecord
from tollbridge.storage.ledger_tables import purse
from tollbridge.storage.purse_reads import budget_of, budget_purse
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.upsert import upsert

_KNOWN_MAX = 100_000


def period_of(key: KeyRecord, at_ms: int) -> Period:
    """Return the period of a key's budget that a moment lies in; ValueError when it has none."""
    if key.budget_period is None:
        raise ValueError("the key has no budget")
    return period_at(key.budget_period, at_ms)


async def open_budget(connection: AsyncConnection, key: KeyRecord, start_ms: int) -> int:
    """Return the purse of a key's budget for the period that began at `start_ms`; make it once.

    It begins with the budget as it is now, not as the record has it: that may be a moment old.
    """
    now = await budget_of(connection, key.id, lock=True)
    same = now is not None and now.period == key.budget_period
    amount = now.budget if now is not None and same else key.budget_nano
    made = upsert(connection, purse).values(
        id=new_id(),
        kind="key_budget",
        owner_id=key.id,
        period_start=start_ms,
        available=amount,
        held=0,
        granted=amount,
    )
    await connection.execute(
        made.on_conflict_do_nothing(index_elements=["kind", "owner_id", "period_start"])
    )
    found = await budget_purse(connection, key.id, start_ms)
    assert found is not None
    return found.id


async def move_budget(connection: AsyncConnection, key_id: int, budget: int, now: Period) -> None:
    """Let the purse of the period `now` leave what a new budget leaves; none is made.

    What calls hold stays, and so does what was spent. The next period's purse moves too: a node
    whose clock is ahead may have opened it. Change the key's row first in the same transaction, so
    that nobody opens a purse with the old budget meanwhile.
    """
    left = budget - (purse.c.granted - purse.c.available)
    available = case((left > purse.c.held, left), else_=purse.c.held)
    await connection.execute(
        update(purse)
        .where(
            purse.c.kind == "key_budget",
            purse.c.owner_id == key_id,
            purse.c.period_start.in_((now.start_ms, now.end_ms)),
        )
        .values(
            available=available,
            granted=available + purse.c.granted - purse.c.available,
        )
    )


class Budgets:
    """Knows the purses of the current periods by key. Lives on one event loop.

    A purse keeps its id whatever becomes of its budget, so nothing here is ever out of date.
    """

    def __init__(self, engine: AsyncEngine, *, known_max: int = _KNOWN_MAX) -> None:
        """Remember at most `known_max` purses; the one known longest goes first."""
        self._engine = engine
        self._known_max = known_max
        self._known: dict[tuple[int, int], int] = {}
        self._flying: dict[tuple[int, int], asyncio.Task[int]] = {}

    def purse_of(self, key: KeyRecord, at_ms: int) -> int | None:
        """Return the purse of a key's budget at a moment, None when `open` must look.

        ValueError when the key has no budget.
        """
        return self._known.get((key.id, period_of(key, at_ms).start_ms))

    async def open(self, key: KeyRecord, at_ms: int) -> int:
        """Return the purse of a key's budget at a moment, made if nobody has made it yet.

        ValueError when the key has no budget, database errors as they come.
        """
        spot = (key.id, period_of(key, at_ms).start_ms)
        known = self._known.get(spot)
        if known is not None:
            return known
        task = self._flying.get(spot)
        if task is None:
            task = self._flying[spot] = asyncio.create_task(self._find(key, spot))
            task.add_done_callback(self._landed)
        # One caller that is cancelled must not take the others' answer away.
        return await asyncio.shield(task)

    @staticmethod
    def _landed(task: asyncio.Task[int]) -> None:
        if not task.cancelled():
            # Every caller may have gone; an error that nobody takes is not news.
            task.exception()

    async def _find(self, key: KeyRecord, spot: tuple[int, int]) -> int:
        try:
            purse_id = await self._read_or_make(key, spot[1])
        finally:
            del self._flying[spot]
        self._known[spot] = purse_id
        if len(self._known) > self._known_max:
            del self._known[next(iter(self._known))]
        return purse_id

    async def _read_or_make(self, key: KeyRecord, start_ms: int) -> int:
        # Nearly always somebody has made it: reading locks nothing.
        async with reading(self._engine) as connection:
            found = await budget_purse(connection, key.id, start_ms)
        if found is not None:
            return found.id
        async with working(self._engine) as connection:
            return await open_budget(connection, key, start_ms)
