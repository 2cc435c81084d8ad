"""Owns running the jobs of the queue: claims, lets handlers work side by side, tells the outcome.

Must not know what a job does. A handler that raises or hangs fails its job and nothing else.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.clock import monotonic_ms
from tollbridge.core.telemetry import get_logger
from tollbridge.storage import queue
from tollbridge.storage.engine import DATABASE_ERRORS
from tollbridge.storage.queue import Job
from tollbridge.worker.bell import Bell
from tollbridge.worker.deadline import within
from tollbridge.worker.gauges import Gauges
from tollbridge.worker.trouble import Trouble

Handler = Callable[[Job], Coroutine[Any, Any, None]]
"""Does a job. It must be idempotent (a job runs at least once) and end when it is cancelled."""

_T = TypeVar("_T")
_QUICK_POLL_S = 0.25
_IDLE_POLL_S = 2.0
_TELL_AGAIN_S = 1.0
_log = get_logger(__name__)


class Consumer:
    """The queue's side of a worker, from `run` until the bell is closed."""

    def __init__(
        self,
        engine: AsyncEngine,
        holder: int,
        handlers: Mapping[str, Handler],
        gauges: Gauges,
        *,
        concurrency: int = 4,
        lease_s: float = 60.0,
        deadline_s: float = 300.0,
    ) -> None:
        self._engine = engine
        self._holder = holder
        self._handlers = handlers
        self._gauges = gauges
        self._concurrency = concurrency
        self._lease_s = lease_s
        self._deadline_s = deadline_s
        self._trouble = Trouble("queue")
        self._running: set[asyncio.Task[None]] = set()
        self._pause_s = _QUICK_POLL_S
        self.bell = Bell()

    async def run(self) -> None:
        """Claim and begin jobs until the bell is closed, then wait for those that run.

        Cancelled, it gives them back to the queue.
        """
        try:
            while await self.bell.pause(await self._look()):
                pass
            if self._running:
                await asyncio.wait(self._running)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _look(self) -> float | None:
        """Claim what fits; return the pause in seconds, None where only an end makes room."""
        room = self._concurrency - len(self._running)
        if room <= 0:
            return None
        asked = monotonic_ms()
        try:
            async with asyncio.timeout(self._lease_s / 2):
                jobs = await queue.claim(
                    self._engine, self._holder, self._handlers, self._lease_s, room
                )
        except Exception as error:  # noqa: BLE001 - a row that cannot be read must not end the loop
            return self._trouble.met(error)
        self._trouble.over()
        for job in jobs:
            task = asyncio.create_task(self._work(job, asked), name=f"job {job.kind}")
            self._running.add(task)
            task.add_done_callback(self._ended)
        # Polls get rarer while nothing comes; whoever enqueues in this process rings.
        self._pause_s = _QUICK_POLL_S if jobs else min(self._pause_s * 2, _IDLE_POLL_S)
        return self._pause_s

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self.bell.ring()

    async def _work(self, job: Job, asked: int) -> None:
        """Run one job under its lease, which began at `asked` at the earliest."""
        handler = self._handlers[job.kind]
        work = asyncio.create_task(within(handler(job), self._deadline_s, f"job {job.kind}"))
        try:
            until = await self._keep(job, work, asked + self._lease_ms)
        except asyncio.CancelledError:
            await _end(work)
            # Otherwise the lease runs out by itself.
            with contextlib.suppress(*DATABASE_ERRORS):
                await queue.give_back(self._engine, job)
            raise
        if until is None:
            await _end(work)
            _log.warning("job_lease_lost", kind=job.kind, job=job.id)
        else:
            await self._conclude(job, work, until)

    @property
    def _lease_ms(self) -> int:
        return int(self._lease_s * 1000)

    async def _keep(self, job: Job, work: "asyncio.Task[Any]", until: int) -> int | None:
        """Prolong the lease while the work lasts; return its end, None once it is lost."""
        while True:
            await asyncio.wait({work}, timeout=self._lease_s / 3)
            if work.done():
                return until
            asked = monotonic_ms()
            try:
                async with asyncio.timeout(max(until - asked, 0) / 1000):
                    if not await queue.prolong(self._engine, job, self._lease_s):
                        return None
                until = asked + self._lease_ms
            except DATABASE_ERRORS:
                # Until its end the lease holds, and the database may be back before.
                if monotonic_ms() >= until:
                    return None

    async def _conclude(self, job: Job, work: "asyncio.Task[Any]", until: int) -> None:
        if work.cancelled():
            reason, error = "CancelledError", None
        elif (error := work.exception()) is None:
            if await self._tell(lambda: queue.done(self._engine, job), until):
                self._gauges.job_done(job.kind)
            return
        else:
            reason = type(error).__name__
        failure = await self._tell(lambda: queue.failed(self._engine, job, reason), until)
        dead = failure == "dead"
        (self._gauges.job_dead if dead else self._gauges.job_failed)(job.kind)
        (_log.error if dead else _log.warning)(
            "job_dead" if dead else "job_failed",
            kind=job.kind, job=job.id, attempts=job.attempts, error=reason, exc_info=error,
        )  # fmt: skip

    async def _tell(self, tell: Callable[[], Awaitable[_T]], until: int) -> _T | None:
        """Tell the queue as long as the lease holds; None when the database was away."""
        while True:
            try:
                return await tell()
            except DATABASE_ERRORS:
                if monotonic_ms() >= until:
                    return None
                await asyncio.sleep(_TELL_AGAIN_S)


async def _end(work: "asyncio.Task[Any]") -> None:
    work.cancel()
    await asyncio.wait({work})
    if not work.cancelled():
        work.exception()
