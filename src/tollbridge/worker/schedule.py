"""Owns periodic jobs: when each runs, and that one process of all runs it.

Each has a lease of its name in the database. Who has it is the leader of that job and keeps it
while it lives; where the pause between two runs is long, the lease is what tells all processes that
the job need not run yet. Must not know what the jobs do.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.clock import monotonic_ms
from tollbridge.storage.leases import Lease
from tollbridge.worker.bell import Bell
from tollbridge.worker.deadline import within
from tollbridge.worker.gauges import Gauges
from tollbridge.worker.trouble import Trouble

# A lease outlasts the run under it, and is renewed when another run would not fit into it.
_LEASE_RUNS = 3
_ASK_AGAIN_S = (5.0, 60.0)
_LONGEST_RETRY_S = (30.0, 600.0)
_ANSWER_S = 30.0
_LET_GO_S = 2.0


@dataclass(frozen=True, slots=True)
class Periodic:
    """A job that one process runs every `every_s` seconds, each run at most `deadline_s` long.

    `run` is cancelled at its deadline and must be idempotent: after a crash or a lost lease it runs
    again soon. Returning True asks for another run at once, because there is more to do.
    """

    name: str
    every_s: float
    run: Callable[[], Coroutine[Any, Any, bool | None]]
    deadline_s: float = 60.0

    @property
    def lease_s(self) -> float:
        """How long the leader's lease lasts, in seconds."""
        return self.deadline_s * _LEASE_RUNS


class Turns:
    """One periodic job in one process, from `run` until the bell is closed."""

    def __init__(
        self, engine: AsyncEngine, holder: int, periodic: Periodic, gauges: Gauges
    ) -> None:
        self._periodic = periodic
        self._gauges = gauges
        self._lease = Lease(engine, periodic.name, holder)
        self._trouble = Trouble(periodic.name, _clamped(periodic.every_s, _LONGEST_RETRY_S))
        self.bell = Bell()

    async def run(self) -> None:
        """Run the job whenever it is due and this process leads."""
        while await self.bell.pause(await self._turn()):
            pass

    async def let_go(self) -> None:
        """Let another process lead at once, unless the lease only says that the job has run."""
        if self._lease.left_s and not self._rests:
            async with asyncio.timeout(_LET_GO_S):
                await self._lease.release()

    @property
    def _rests(self) -> bool:
        return self._periodic.every_s > self._periodic.lease_s

    async def _turn(self) -> float:
        """Try to lead and to run; return how many seconds to wait then."""
        begun = monotonic_ms()
        try:
            if not await self._leads():
                return _clamped(self._periodic.every_s, _ASK_AGAIN_S)
            more = await self._run()
        except Exception as error:  # noqa: BLE001 - one job's fault must not stop the others
            return self._trouble.met(error)
        self._trouble.over()
        return 0 if more else max(self._periodic.every_s - (monotonic_ms() - begun) / 1000, 0)

    async def _leads(self) -> bool:
        if self._lease.left_s > self._periodic.deadline_s:
            return True
        async with asyncio.timeout(_ANSWER_S):
            return await self._lease.hold(self._periodic.lease_s)

    async def _run(self) -> bool:
        job = self._periodic
        # Never past the lease: after it another process may run the job.
        deadline_s = min(job.deadline_s, self._lease.left_s)
        try:
            more = await within(job.run(), deadline_s, job.name)
        except Exception:
            self._gauges.periodic_failed(job.name)
            raise
        if self._rests and not more:
            async with asyncio.timeout(_ANSWER_S):
                await self._lease.hold(job.every_s)
        return bool(more)


def _clamped(value: float, bounds: tuple[float, float]) -> float:
    return min(max(value, bounds[0]), bounds[1])
