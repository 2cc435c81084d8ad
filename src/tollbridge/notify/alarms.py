"""Owns the door by which running calls raise alerts: no waiting, no database, little memory.

A call only notes; a task writes. The same alarm is written at most once in ten seconds with the
count of what came between, and kept while the database is away. Must not know what is wrong.
"""

import asyncio
import contextlib
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.clock import monotonic_ms, now_ms
from tollbridge.core.telemetry import get_logger
from tollbridge.notify.kinds import Kind
from tollbridge.notify.operators import Operators
from tollbridge.storage.engine import DATABASE_ERRORS
from tollbridge.storage.unit_of_work import working

_HOLD_BACK_MS = 10_000
_PAUSE_S = 1.0
_KEPT_MAX = 500
_STOP_S = 5.0
_log = get_logger(__name__)

_Key = tuple[Kind, str]


@dataclass(slots=True)
class _Noted:
    """What is to be written of one alarm: how often it came, then whether it is over."""

    detail: str
    at_ms: int
    count: int = 0
    over: bool = False


class Alarms:
    """The alarms of one process. Call it on the event loop; `start` and `stop` its one task."""

    def __init__(
        self,
        engine: AsyncEngine,
        operators: Operators,
        *,
        hold_back_ms: int = _HOLD_BACK_MS,
        pause_s: float = _PAUSE_S,
        kept_max: int = _KEPT_MAX,
        stop_s: float = _STOP_S,
    ) -> None:
        """Keep about `kept_max` different alarms; look every `pause_s` at those held back."""
        self._engine = engine
        self._operators = operators
        self._hold_back_ms = hold_back_ms
        self._pause_s = pause_s
        self._kept_max = kept_max
        self._stop_s = stop_s
        self._noted: dict[_Key, _Noted] = {}
        self._written: dict[_Key, int] = {}
        self._called = asyncio.Event()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._trouble = False
        self.dropped = 0

    def raise_(self, kind: Kind, subject: str, detail: str) -> None:
        """Note that something is wrong; the last detail of several is told.

        Texts are ids, names and amounts in dollars, of our own making. Beyond the bound of what is
        kept an alarm that is not among it is counted in `dropped`.
        """
        noted = self._note(kind, subject)
        if noted is not None:
            noted.detail = detail
            noted.at_ms = now_ms()
            noted.count += 1
            noted.over = False

    def close(self, kind: Kind, subject: str) -> None:
        """Note that what was raised is over; harmless when nothing was."""
        noted = self._note(kind, subject)
        if noted is not None:
            noted.at_ms = now_ms()
            noted.over = True

    def start(self) -> None:
        """Begin to write; alarms may be raised before."""
        self._task = asyncio.create_task(self._run(), name="alarms")

    async def stop(self) -> None:
        """Write what is noted, if the database takes it within a few seconds, and end; idempotent."""
        if self._task is None:
            return
        with contextlib.suppress(TimeoutError):
            # A write under way is seen to its end: of one cut off in its commit nobody knows
            # whether it was done, and another would count its alarms twice.
            async with asyncio.timeout(self._stop_s), self._writing:
                await self._end()
                await self._write(list(self._noted))
        await self._end()

    async def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def _note(self, kind: Kind, subject: str) -> _Noted | None:
        key = (kind, subject)
        noted = self._noted.get(key)
        if noted is None:
            if len(self._noted) >= self._kept_max:
                self.dropped += 1
                return None
            noted = self._noted[key] = _Noted("", 0)
            self._called.set()
        return noted

    async def _run(self) -> None:
        while True:
            await self._called.wait()
            self._called.clear()
            while self._noted:
                async with self._writing:
                    await self._write(self._due())
                if self._noted:
                    await asyncio.sleep(self._pause_s)

    def _due(self) -> list[_Key]:
        """Return what may be written now, and forget when the others of before were."""
        since = monotonic_ms() - self._hold_back_ms
        self._written = {key: at for key, at in self._written.items() if at > since}
        return [key for key in self._noted if key not in self._written]

    async def _write(self, keys: list[_Key]) -> None:
        # Taken out first: what is raised during the write is for the next one.
        batch = {key: self._noted.pop(key) for key in sorted(keys)}
        if not batch:
            return
        try:
            await self._commit(batch)
        except DATABASE_ERRORS as error:
            self._put_back(batch)
            self._report(type(error).__name__)
        except asyncio.CancelledError:
            self._put_back(batch)
            raise
        else:
            self._written |= dict.fromkeys(batch, monotonic_ms())
            self._report("")

    async def _commit(self, batch: dict[_Key, _Noted]) -> None:
        async with working(self._engine) as connection:
            for (kind, subject), noted in batch.items():
                if noted.count:
                    await self._operators.raise_alert(
                        connection, kind, subject, noted.detail, noted.at_ms, count=noted.count
                    )
                if noted.over:
                    await self._operators.close_alert(connection, kind, subject, noted.at_ms)

    def _put_back(self, batch: dict[_Key, _Noted]) -> None:
        for key, old in batch.items():
            newer = self._noted.get(key)
            if newer is None:
                self._noted[key] = old
            else:
                newer.detail = newer.detail or old.detail
                newer.count += old.count
        self._called.set()

    def _report(self, trouble: str) -> None:
        """Log the beginning and the end of trouble, not each try."""
        if trouble and not self._trouble:
            _log.error("alarms_not_written", error=trouble, kept=len(self._noted))
        elif self._trouble and not trouble:
            _log.info("alarms_written_again", dropped=self.dropped)
        self._trouble = bool(trouble)
