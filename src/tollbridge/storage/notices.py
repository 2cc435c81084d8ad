"""Owns hearing of changes at once on PostgreSQL: one connection that LISTENs. Must not know what changed.

A notice is only ever a reason to look sooner: who waits here polls as well. Behind a pooler that
hands connections on at each transaction no notice arrives, and polling carries alone.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.telemetry import get_logger
from tollbridge.storage.engine import DATABASE_ERRORS
from tollbridge.storage.unit_of_work import CHANGE_CHANNEL

_FIRST_DELAY_S = 0.1
_MOST_DELAY_S = 10.0
# A connection that a firewall forgot says nothing; a question to it finds out.
_PROBE_EVERY_S = 30.0
_PROBE_S = 5.0
_TROUBLE: tuple[type[Exception], ...] = (*DATABASE_ERRORS, TimeoutError)
_log = get_logger(__name__)


class Notices:
    """Listens from `start` to `stop` in one task, and listens again when its connection breaks."""

    def __init__(self, engine: AsyncEngine, *, probe_every_s: float = _PROBE_EVERY_S) -> None:
        """Connect as `engine` does; the connection is none of its pool's."""
        self._engine = engine
        self._probe_every_s = probe_every_s
        self._noticed = asyncio.Event()
        self._broken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen; a database that is away is tried again, at most 10 s later."""
        self._task = asyncio.create_task(self._listen_for_ever(), name="notices")

    async def stop(self) -> None:
        """Close the connection; idempotent."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def wait(self, timeout_s: float) -> None:
        """Return when something changed since the last return, at the latest after `timeout_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._noticed.wait()
        self._noticed.clear()

    async def _listen_for_ever(self) -> None:
        delay_s = _FIRST_DELAY_S
        while True:
            try:
                async with self._listening() as connection:
                    delay_s = _FIRST_DELAY_S
                    await self._keep(connection)
                _log.warning("notices_lost")
            except _TROUBLE as error:
                _log.debug("notices_not_heard", error=type(error).__name__)
                delay_s = min(delay_s * 2, _MOST_DELAY_S)
            await asyncio.sleep(delay_s)

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[asyncpg.Connection]:
        async with self._engine.connect() as plain:
            connection: Any = (await plain.get_raw_connection()).driver_connection
            # The pool has no use for a connection that listens, and must not count it.
            await plain.run_sync(Connection.detach)
            self._broken.clear()
            connection.add_termination_listener(self._on_broken)
            try:
                await connection.add_listener(CHANGE_CHANNEL, self._on_notice)
                # What happened while nobody listened was not heard.
                self._noticed.set()
                yield connection
            finally:
                connection.terminate()

    async def _keep(self, connection: asyncpg.Connection) -> None:
        """Return once the connection is broken."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._probe_every_s):
                    await self._broken.wait()
                return
            try:
                await connection.fetchval("SELECT 1", timeout=_PROBE_S)
            except _TROUBLE:
                return

    def _on_notice(self, *_details: object) -> None:
        self._noticed.set()

    def _on_broken(self, _connection: object) -> None:
        self._broken.set()
