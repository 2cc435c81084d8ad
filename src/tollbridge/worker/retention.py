"""Owns when calls that are kept no longer are removed: little by little, without being in anyone's way."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.clock import monotonic_ms, now_ms
from tollbridge.storage.retention import remove_old_calls

# One run ends after this and asks for another, so that it never comes near its deadline.
_RUN_MS = 5000
# Between two transactions calls get the database, SQLite's write lock above all.
_PAUSE_S = 0.02


class Retention:
    """Removes calls older than `keep_days` days; nothing at all when that is 0."""

    def __init__(
        self,
        engine: AsyncEngine,
        keep_days: int,
        run_ms: int = _RUN_MS,
        at_once: int | None = None,
    ) -> None:
        self._engine = engine
        self._keep_days = keep_days
        self._run_ms = run_ms
        self._at_once = at_once

    async def run(self) -> bool:
        """Remove what is too old; return whether there is more."""
        until = monotonic_ms() + self._run_ms
        while self._keep_days and await self._remove():
            if monotonic_ms() >= until:
                return True
            await asyncio.sleep(_PAUSE_S)
        return False

    async def _remove(self) -> bool:
        return await remove_old_calls(self._engine, self._keep_days, now_ms(), self._at_once)
