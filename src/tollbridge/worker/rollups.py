"""Owns when roll-ups are made: what is due, every few seconds, without being in anyone's way."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.clock import monotonic_ms, now_ms
from tollbridge.storage.rollup_filling import fill_views
from tollbridge.storage.rollups import begin, recompute, trim

# One run ends after this and asks for another, so that it never comes near its deadline.
_RUN_MS = 5000
# Between two transactions calls get the database, SQLite's write lock above all.
_PAUSE_S = 0.02


class Rollups:
    """Brings roll-ups up to date; each run until nothing is due or `run_ms` are over."""

    def __init__(self, engine: AsyncEngine, run_ms: int = _RUN_MS) -> None:
        self._engine = engine
        self._run_ms = run_ms

    async def run(self) -> bool:
        """Make what is due and remove what is old; return whether there is more."""
        until = monotonic_ms() + self._run_ms
        await begin(self._engine, now_ms())
        while await self._some():
            if monotonic_ms() >= until:
                return True
            await asyncio.sleep(_PAUSE_S)
        return False

    async def _some(self) -> bool:
        """Do some of what there is to do, the most urgent first; return whether there was anything."""
        engine = self._engine
        return bool(
            await trim(engine, now_ms())
            or await recompute(engine, now_ms())
            or await fill_views(engine)
        )
