"""Owns noticing that the control plane has changed: polls `change.version`, hands on snapshots.

A change takes effect in < 1 s (contract.md) by polling alone; notices make it sooner. A price that
begins or ends is a change without anybody changing anything. While the database is away the old
snapshot stays.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.catalog.loader import change_version
from tollbridge.catalog.snapshot import Snapshot
from tollbridge.core.clock import now_ms
from tollbridge.core.secrets import SecretsError
from tollbridge.core.telemetry import get_logger
from tollbridge.storage.engine import DATABASE_ERRORS
from tollbridge.storage.notices import Notices
from tollbridge.storage.unit_of_work import reading

# A file is near; a server is asked by many processes, and its notices come sooner anyway.
_POLL_FILE_S = 0.2
_POLL_SERVER_S = 0.5
# A snapshot that cannot be read changes nothing here: the old one stays good.
_TROUBLE: tuple[type[Exception], ...] = (*DATABASE_ERRORS, SecretsError, ValueError)
_log = get_logger(__name__)


class Watcher:
    """Follows the catalogue from `start` to `stop`, in one task."""

    def __init__(
        self,
        engine: AsyncEngine,
        loader: Callable[[], Awaitable[Snapshot]],
        on_change: Callable[[Snapshot], None],
        *,
        notices: Notices | None = None,
        poll_s: float | None = None,
    ) -> None:
        """Call `on_change` on the loop with what `loader` returns, each time the version moves.

        Looks every `poll_s` seconds, and at once when `notices`, which are this watcher's to start
        and stop, tell of a change.
        """
        self._engine = engine
        self._loader = loader
        self._on_change = on_change
        self._notices = notices
        usual_s = _POLL_SERVER_S if engine.dialect.name == "postgresql" else _POLL_FILE_S
        self._poll_s = usual_s if poll_s is None else poll_s
        self._version: int | None = None
        self._due_ms: int | None = None
        self._trouble = ""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> Snapshot:
        """Load the first snapshot, hand it on and return it, then keep watching.

        Errors of this first load are the caller's: without a catalogue there is nothing to serve.
        """
        snapshot = await self._load()
        if self._notices is not None:
            self._notices.start()
        self._task = asyncio.create_task(self._watch(), name="catalogue watcher")
        return snapshot

    async def stop(self) -> None:
        """End the watching; idempotent."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        if self._notices is not None:
            await self._notices.stop()

    async def _watch(self) -> None:
        while True:
            await self._pause()
            try:
                await self._look()
            except _TROUBLE as error:
                self._report(type(error).__name__)
            else:
                self._report("")

    async def _pause(self) -> None:
        # A price that begins is not waited for longer than it takes; one that could not be read is.
        left_s = 0.0 if self._due_ms is None else (self._due_ms - now_ms()) / 1000
        wait_s = min(left_s, self._poll_s) if left_s > 0 else self._poll_s
        if self._notices is None:
            await asyncio.sleep(wait_s)
        else:
            await self._notices.wait(wait_s)

    async def _look(self) -> None:
        async with reading(self._engine) as connection:
            version = await change_version(connection)
        if version != self._version or (self._due_ms is not None and now_ms() >= self._due_ms):
            await self._load()

    async def _load(self) -> Snapshot:
        snapshot = await self._loader()
        self._version, self._due_ms = snapshot.version, snapshot.due_ms
        self._on_change(snapshot)
        return snapshot

    def _report(self, trouble: str) -> None:
        """Log the beginning and the end of trouble, not each poll of it."""
        if trouble == self._trouble:
            return
        if trouble:
            _log.error("catalogue_not_read", error=trouble)
        else:
            _log.info("catalogue_read_again")
        self._trouble = trouble
