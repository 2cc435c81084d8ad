"""Owns a worker's life: the queue's jobs and the periodic ones as tasks of one event loop.

Any number of processes may run one each. Light when idle: about one small query a second. Must not
know which jobs there are.
"""

import asyncio
from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.clock import new_id
from tollbridge.core.settings import Settings
from tollbridge.core.telemetry import get_logger
from tollbridge.storage.engine import DATABASE_ERRORS
from tollbridge.worker.bell import Bell
from tollbridge.worker.consumer import Consumer, Handler
from tollbridge.worker.gauges import Gauges, Uncounted
from tollbridge.worker.schedule import Periodic, Turns

_log = get_logger(__name__)


class Worker:
    """Make it, `start` it inside the loop, `stop` it at the end."""

    def __init__(
        self,
        engine: AsyncEngine,
        settings: Settings,
        handlers: Mapping[str, Handler],
        periodic: Sequence[Periodic],
        gauges: Gauges | None = None,
    ) -> None:
        self.holder = new_id()
        gauges = gauges or Uncounted()
        self._grace_s = min(settings.shutdown_grace_s, 10.0)
        self._consumer = Consumer(engine, self.holder, handlers, gauges) if handlers else None
        self._turns = [Turns(engine, self.holder, job, gauges) for job in periodic]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to work, in tasks of the running loop."""
        if self._consumer is not None:
            self._tasks.append(asyncio.create_task(self._consumer.run(), name="worker queue"))
        self._tasks += [
            asyncio.create_task(turns.run(), name="worker turns") for turns in self._turns
        ]

    def wake(self) -> None:
        """Look into the queue now: a job was enqueued by this process."""
        for bell in self._queue_bell():
            bell.ring()

    async def stop(self) -> None:
        """Begin nothing more, let what runs end within the grace, and give the rest back."""
        for bell in (*(turns.bell for turns in self._turns), *self._queue_bell()):
            bell.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._grace_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        try:
            for turns in self._turns:
                await turns.let_go()
        except DATABASE_ERRORS as error:
            # The leases run out by themselves.
            _log.warning("leases_not_released", error=type(error).__name__)

    def _queue_bell(self) -> list[Bell]:
        return [self._consumer.bell] if self._consumer else []
