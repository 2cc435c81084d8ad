"""Owns calls that wait for room: lines with turns, and how much may wait in them.

A line belongs to what has no room: a key, a user, a channel, its accounts. Users take turns in it;
the calls of one user keep their order. Only who is first in a line asks again, when something was
given back here or, because others may give back elsewhere, after short pauses. Memory is bounded by
calls and by the bytes of their bodies. Must not know what room is.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Final, NamedTuple

_LOOK_FIRST_S: Final = 0.05
_LOOK_MAX_S: Final = 0.5
_LOOK_GROWTH: Final = 1.5


class Bounds(NamedTuple):
    """How many calls may wait: of one user, in one line, in all; and the bytes of their bodies."""

    of_user: int = 64
    in_line: int = 256
    calls: int = 1_024
    size: int = 268_435_456


class Line:
    """Who waits for one thing: users in turns, each with calls in order of arrival."""

    __slots__ = ("count", "name", "users")

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        self.users: OrderedDict[int, deque[Place]] = OrderedDict()

    @property
    def first(self) -> "Place | None":
        """Whose turn it is."""
        for calls in self.users.values():
            return calls[0]
        return None

    def add(self, place: "Place") -> None:
        """Put a call behind those of its user that came before it."""
        calls = self.users.setdefault(place.user, deque())
        at = len(calls)
        while at and calls[at - 1].number > place.number:
            at -= 1
        calls.insert(at, place)
        self.count += 1
        place.line = self

    def remove(self, place: "Place", *, served: bool) -> None:
        """Take a call out; if it was `served`, it is the next user's turn."""
        calls = self.users[place.user]
        calls.remove(place)
        self.count -= 1
        place.line = None
        if not calls:
            del self.users[place.user]
        elif served:
            self.users.move_to_end(place.user)


class Waiting:
    """All lines of a process. Lives on one event loop; times are the loop's seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, bounds: Bounds) -> None:
        self.loop = loop
        self.lines: dict[str, Line] = {}
        """Only those in which somebody waits."""
        self.calls = self.size = 0
        """How much waits now, in calls and in bytes."""
        self._bounds = bounds
        self._of_user: dict[int, int] = {}
        self._number = 0

    def busy(self, names: Iterable[str]) -> str | None:
        """Return the first of these lines in which anybody waits."""
        for name in names:
            if name in self.lines:
                return name
        return None

    def freed_like(self, prefix: str) -> None:
        """Let those look again who are first in lines whose names begin so."""
        self.freed([name for name in self.lines if name.startswith(prefix)])

    def freed(self, names: Iterable[str]) -> None:
        """Let those look again who are first in these lines."""
        for name in names:
            line = self.lines.get(name)
            if line is not None and line.first is not None:
                line.first.wake()

    def enter(self, user: int, size: int) -> "Place | None":
        """Return a place for a call with a body of so many bytes; None when no more may wait."""
        bounds, of_user = self._bounds, self._of_user.get(user, 0)
        if of_user >= bounds.of_user or self.calls >= bounds.calls:
            return None
        if self.size + size > bounds.size:
            return None
        self._number += 1
        self._of_user[user] = of_user + 1
        self.calls += 1
        self.size += size
        return Place(self, self._number, user, size)

    def join(self, place: "Place", name: str) -> bool:
        """Put a call into a line, out of the one that it stands in; False when that is full."""
        if place.line is not None and place.line.name == name:
            return True
        line = self.lines.get(name) or Line(name)
        if line.count >= self._bounds.in_line:
            return False
        self.step_out(place, served=False)
        self.lines[name] = line
        line.add(place)
        return True

    def step_out(self, place: "Place", *, served: bool) -> None:
        """Take a call out of its line, and let the next one look."""
        line = place.line
        if line is None:
            return
        line.remove(place, served=served)
        if line.first is None:
            del self.lines[line.name]
        else:
            line.first.wake()

    def leave(self, place: "Place", *, served: bool) -> None:
        """Forget a call that waits no longer."""
        self.step_out(place, served=served)
        self.calls -= 1
        self.size -= place.size
        left = self._of_user[place.user] - 1
        if left:
            self._of_user[place.user] = left
        else:
            del self._of_user[place.user]


class Place:
    """One call that waits. It watches its client meanwhile; as a context it is given up at the end."""

    __slots__ = (
        "_pause_s",
        "_turn",
        "_waiting",
        "gone",
        "line",
        "number",
        "served",
        "size",
        "user",
    )

    def __init__(self, waiting: Waiting, number: int, user: int, size: int) -> None:
        """`number` says who came first; `served` is to be set when it got what it waited for."""
        self.number = number
        self.user = user
        self.size = size
        self.line: Line | None = None
        self.gone = self.served = False
        self._waiting = waiting
        self._turn: asyncio.Future[None] | None = None
        self._pause_s = _LOOK_FIRST_S

    def __enter__(self) -> "Place":
        """Begin to wait."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the place up, however the wait ended."""
        self._waiting.leave(self, served=self.served)

    def client_gone(self) -> None:
        """Nobody waits for an answer any more."""
        self.gone = True
        self.wake()

    def client_slow(self) -> None:
        """Nothing has been sent."""

    def client_ready(self) -> None:
        """Nothing has been sent."""

    def wake(self) -> None:
        """Let it look again."""
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(None)

    def behind(self, names: Iterable[str]) -> str | None:
        """Return the first of other lines in which an earlier call of the same user waits."""
        for name in names:
            line = self._waiting.lines.get(name)
            calls = None if line is None or line is self.line else line.users.get(self.user)
            if calls and calls[0].number < self.number:
                return name
        return None

    async def sleep(self, until: float) -> None:
        """Wait for a time, in no line; shorter when the client leaves."""
        await self._pause(until, until - self._waiting.loop.time())

    async def wait(self, name: str, until: float, pause_s: float | None = None) -> bool:
        """Stand in a line until it may be worth to ask again; return False when that is in vain.

        It is in vain when the line is full, the client has left, or `until` has come. `pause_s` is
        after how long to look though nothing was given back; without it, short pauses that grow.
        """
        if not self._waiting.join(self, name):
            return False
        while True:
            await self._pause(until, self._next_pause() if pause_s is None else pause_s)
            if self.gone or self._waiting.loop.time() >= until:
                return False
            if self.line is not None and self.line.first is self:
                return True

    async def _pause(self, until: float, pause_s: float) -> None:
        loop = self._waiting.loop
        first = self.line is None or self.line.first is self
        # Who is not first is woken when it is.
        self._turn = loop.create_future()
        timer = loop.call_at(min(until, loop.time() + pause_s) if first else until, self.wake)
        try:
            await self._turn
        finally:
            timer.cancel()
            self._turn = None

    def _next_pause(self) -> float:
        pause_s, self._pause_s = self._pause_s, min(self._pause_s * _LOOK_GROWTH, _LOOK_MAX_S)
        return pause_s
