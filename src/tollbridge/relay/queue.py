"""Owns how a call waits for room that it was refused, and for how long at most.

A call that finds others waiting for the same room goes behind them. It waits only while that can
help: not past its patience, and not for a limit that is known to last longer. What it is refused
then is a real answer, for nothing has been sent (architecture.md, "One request"). Must not know
what is counted where.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from tollbridge.relay.call import Call
from tollbridge.relay.waiting import Bounds, Place, Waiting
from tollbridge.storage.counters import Limit, Refusal, Scope

CROWD: Final = "queue"
_CROWDED: Final = Refusal(Scope(CROWD, 0, 0, 0), Limit.CONCURRENCY, 2_000, ())

T = TypeVar("T")
Look = Callable[[], Awaitable[T | Refusal]]
"""Asks for room once."""


class Queue:
    """The calls of a process that wait. Times are the loop's seconds."""

    __slots__ = ("_loop", "_patience_s", "waiting")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, patience_s: float, bounds: Bounds | None = None
    ) -> None:
        """`patience_s` is how long after its arrival a call may still wait."""
        self._loop = loop
        self._patience_s = patience_s
        self.waiting = Waiting(loop, bounds or Bounds())

    def left_s(self, call: Call) -> float:
        """Return for how long a call may still wait; below zero when it may not."""
        return call.started_at + self._patience_s - self._loop.time()

    async def take(
        self, call: Call, names: Collection[str], look: Look[T], line: str = ""
    ) -> T | Refusal:
        """Return what `look` finds, at once or after a while; else the refusal that stands.

        `names` are lines that may be before this call: it goes behind those who stand there. It
        waits in `line`, without one in the line of the scope that refused it.
        """
        ahead = self.waiting.busy(names) if self.waiting.calls else None
        refusal: Refusal | None = None
        if ahead is None:
            found = await look()
            if not isinstance(found, Refusal):
                return found
            refusal, ahead = found, line or found.scope.name
            if not self._worth(call, found):
                return found
        place = self.waiting.enter(call.key.user_id, len(call.exchange.body))
        if place is None:
            return refusal or _CROWDED
        with _kept(call, place):
            return await self._wait(call, place, names, look, line, ahead, refusal)

    async def sleep(self, call: Call, delay_s: float) -> bool:
        """Hold a call back for a time; return False when it is not worth it or the client left."""
        if delay_s > self.left_s(call):
            return False
        until = self._loop.time() + delay_s
        place = self.waiting.enter(call.key.user_id, len(call.exchange.body))
        if place is None:
            return False
        with _kept(call, place):
            await place.sleep(until)
        return not place.gone

    async def _wait(
        self,
        call: Call,
        place: Place,
        names: Collection[str],
        look: Look[T],
        line: str,
        ahead: str,
        refusal: Refusal | None,
    ) -> T | Refusal:
        until = call.started_at + self._patience_s
        while await place.wait(ahead, until, _pause_s(refusal)):
            earlier = place.behind(names)
            if earlier is not None:
                ahead, refusal = earlier, None
                continue
            found = await look()
            if not isinstance(found, Refusal):
                place.served = True
                return found
            refusal, ahead = found, line or found.scope.name
            if not self._worth(call, found):
                break
        return refusal or _CROWDED

    def _worth(self, call: Call, refusal: Refusal) -> bool:
        left_s = self.left_s(call)
        if refusal.limit is Limit.CONCURRENCY:
            # Nobody knows when a call ends that is under way.
            return left_s > 0
        return refusal.wait_ms / 1000 <= left_s


@contextmanager
def _kept(call: Call, place: Place) -> Iterator[None]:
    """Keep a call's place for a time, in which it is the one to hear that the client has left."""
    exchange, before = call.exchange, call.exchange.watcher
    exchange.watcher = place
    try:
        with place:
            yield
    finally:
        exchange.watcher = before
        if place.gone and before is not None:
            before.client_gone()


def _pause_s(refusal: Refusal | None) -> float | None:
    if refusal is None or refusal.limit is Limit.CONCURRENCY:
        return None
    return refusal.wait_ms / 1000
