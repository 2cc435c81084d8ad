"""Owns when usage goes into `call_index`: at once, in chunks, without being in anyone's way."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.clock import monotonic_ms
from tollbridge.storage.call_index import chunk_of, index_chunk
from tollbridge.worker.gauges import Gauges

# One run ends after this and asks for another, so that it never comes near its deadline.
_RUN_MS = 1000
# Waiters for SQLite's write lock look for it in growing steps; they need a moment to find it free.
_SQLITE_PAUSE_S = 0.02
# Who did not run for so long was not the leader and cannot tell what waited.
_AWAY_MS = 60_000


class UsageIndex:
    """Moves the feed into the index; each run until the feed is empty or a second is over."""

    def __init__(self, engine: AsyncEngine, gauges: Gauges, *, sink: bool = False) -> None:
        """With a `sink` what is indexed goes on to it as well (worker/sink.py)."""
        self._engine = engine
        self._sink = sink
        self._gauges = gauges
        self._pause_s = 0.0 if engine.dialect.name == "postgresql" else _SQLITE_PAUSE_S
        # All that was fed before this has been indexed.
        self._ran_at = self._indexed_to = monotonic_ms()

    async def run(self) -> bool:
        """Index what waits; return whether there is more."""
        begun = monotonic_ms()
        if begun - self._ran_at > _AWAY_MS:
            self._indexed_to = begun
        self._ran_at = begun
        moved = 0
        while True:
            asked = monotonic_ms()
            chunk = await index_chunk(self._engine, sink=self._sink)
            moved += chunk
            if chunk < chunk_of(self._engine):
                self._report(moved, asked)
                return False
            if monotonic_ms() - begun >= _RUN_MS:
                self._gauges.usage_lag_ms(monotonic_ms() - self._indexed_to)
                return True
            await asyncio.sleep(self._pause_s)

    def _report(self, moved: int, asked: int) -> None:
        self._gauges.usage_lag_ms(monotonic_ms() - self._indexed_to if moved else 0)
        self._indexed_to = asked
