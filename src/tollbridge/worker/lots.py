"""Owns when lots are attributed and expired: for wallets of late calls, and now and then for all.

What a wallet spent is found by the roll-ups, so only wallets that did something are looked at; the
rest (a grant that another version booked, a late correction) waits for the next look at all.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.billing.lots import attribute, expire
from tollbridge.core.clock import monotonic_ms, now_ms
from tollbridge.storage.lot_search import active_wallets, wallets_behind, wallets_with_ended_lots
from tollbridge.storage.unit_of_work import reading, working

EVERY_S: Final = 60.0
_RUN_MS = 5_000
_ALL_EVERY_MS = 600_000
# The roll-ups are seconds behind, those of busy slots five minutes.
_BEHIND_MS = 600_000
# Between two transactions calls get the database, SQLite's write lock above all.
_PAUSE_S = 0.02
_Work = Callable[[AsyncConnection, int, int], Awaitable[int]]


class Lots:
    """Brings lots up to date; each run until nothing waits or `run_ms` are over.

    `clock` says when lots end, `ticks` how long ago all wallets were looked at; in milliseconds.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        run_ms: int = _RUN_MS,
        clock: Callable[[], int] = now_ms,
        ticks: Callable[[], int] = monotonic_ms,
    ) -> None:
        self._engine = engine
        self._run_ms = run_ms
        self._clock = clock
        self._ticks = ticks
        self._all_at: int | None = None
        self._since_ms = 0
        # In order, and none twice.
        self._behind: dict[int, None] = {}
        self._ended: dict[int, None] = {}

    async def run(self) -> bool:
        """Attribute and expire what waits; return whether there is more."""
        until = self._ticks() + self._run_ms
        if not (self._behind or self._ended):
            await self._look()
        for wallets, work in ((self._behind, attribute), (self._ended, expire)):
            if not await self._work_off(wallets, work, until):
                return True
        return False

    async def _look(self) -> None:
        at, ticks = self._clock(), self._ticks()
        is_all = self._all_at is None or ticks - self._all_at >= _ALL_EVERY_MS
        async with reading(self._engine) as connection:
            if is_all:
                _add(self._behind, await wallets_behind(connection))
                _add(self._ended, await wallets_with_ended_lots(connection, at))
            else:
                _add(self._behind, await active_wallets(connection, self._since_ms))
        if is_all:
            self._all_at = ticks
        self._since_ms = at - _BEHIND_MS

    async def _work_off(self, wallets: dict[int, None], work: _Work, until: int) -> bool:
        """Do wallet after wallet, each in a transaction; return whether that was all."""
        while wallets:
            wallet_id = next(iter(wallets))
            async with working(self._engine) as connection:
                await work(connection, wallet_id, self._clock())
            # Who is cancelled here leaves the wallet to the next run.
            del wallets[wallet_id]
            if wallets and self._ticks() >= until:
                return False
            await asyncio.sleep(_PAUSE_S)
        return True


def _add(to: dict[int, None], wallets: Iterable[int]) -> None:
    to.update(dict.fromkeys(wallets))
