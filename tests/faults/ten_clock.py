"""Owns time for tests of minutes in seconds: a loop whose clock leaps to whatever comes next.

Gateway, HTTP client and upstreams live in this one loop, over real sockets of the loopback. While any
of them has something to do time stands still; when none has, it leaps to the next timer. So an hour
costs what happens in it, and a busy machine changes nothing. The loop also owns what names mean,
because the system's resolver would take real time.
"""

import asyncio
import selectors
import socket
from collections.abc import Callable
from typing import Any

_REAL_WAIT_S = 0.5
# A turn of the loop takes a little, as it does everywhere: what waits for the last fraction of a
# second that rounding left would wait for ever where time stood quite still.
_TURN_S = 1e-6


class _Leaping(selectors.DefaultSelector):
    """A selector that leaps instead of waiting; `leap` moves the clock."""

    leap: Callable[[float], None]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; with nothing ready, the time that was to be waited has passed."""
        self.leap(_TURN_S)
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None or timeout < 0:
            # No timer at all: only another thread can wake it.
            return super().select(_REAL_WAIT_S)
        self.leap(timeout)
        return []


class LeapLoop(asyncio.SelectorEventLoop):
    """An event loop with a clock of its own, and its own names of hosts.

    `names` tells the address of a host at each look-up, or raises socket.gaierror.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self.names: dict[str, Callable[[], str]] = {}
        selector = _Leaping()
        selector.leap = self._leap
        super().__init__(selector)

    def time(self) -> float:
        """Return the clock, in seconds."""
        return self._now

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> list[Any]:
        """Return the one address of a host; a literal is its own."""
        name = self.names.get(host)
        address = host if name is None else name()
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))]

    def _leap(self, seconds: float) -> None:
        self._now += seconds


def leaping(main: Callable[[], Any]) -> Any:
    """Run a coroutine function in such a loop and return what it returns."""
    with asyncio.Runner(loop_factory=LeapLoop) as runner:
        return runner.run(main())
