"""Owns the deadlines of all connections: one timer for the process instead of several for each.

Must not know what a deadline means: a connection that is overdue is told so and decides.
"""

import asyncio
from typing import Protocol


class Guarded(Protocol):
    """A connection with a deadline on the loop's clock, in seconds."""

    deadline: float

    def overdue(self, now: float) -> None:
        """React to the passed deadline; set the next one or close."""


class Patrol:
    """Looks at every connection each `round_s` seconds for as long as there is one.

    Setting a deadline is one assignment, which is why a request pays nothing for its timeouts.
    """

    __slots__ = ("_guarded", "_round_s", "_timer")

    def __init__(self, round_s: float) -> None:
        self._round_s = round_s
        self._guarded: set[Guarded] = set()
        self._timer: asyncio.TimerHandle | None = None

    def join(self, connection: Guarded, loop: asyncio.AbstractEventLoop) -> None:
        """Watch a connection from now on."""
        self._guarded.add(connection)
        if self._timer is None:
            self._timer = loop.call_later(self._round_s, self._round, loop)

    def leave(self, connection: Guarded) -> None:
        """Stop watching; with the last connection the timer goes too."""
        self._guarded.discard(connection)
        if not self._guarded and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _round(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self._timer = loop.call_later(self._round_s, self._round, loop)
        for connection in tuple(self._guarded):
            if connection.deadline <= now:
                connection.overdue(now)
