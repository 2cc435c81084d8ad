"""Owns the idle connections: per target, the last used first, no lock, nothing slower than O(1).

A connection that has rested for some milliseconds has been read by the loop since: had it got
surplus bytes or its end, it would be gone. One that came back just now has to be asked whether it
is silent, which costs a system call; so rested ones go first. It must not know what a reply is: its
owner puts only clean connections in.
"""

from typing import Generic, Protocol, TypeVar

from tollbridge.upstreams.target import Target


class Idle(Protocol):
    """What the pool needs of a connection."""

    target: Target

    @property
    def alive(self) -> bool:
        """Whether it can carry another request, as far as is known."""

    @property
    def silent(self) -> bool:
        """Whether nothing waits in it unread."""

    def drop(self) -> None:
        """Close at once."""


C = TypeVar("C", bound=Idle)


_RESTED_S = 0.005


class _Lane(Generic[C]):
    """One target's idle connections and since when; a dict is a stack that loses any in O(1)."""

    __slots__ = ("fresh", "rested")

    def __init__(self) -> None:
        self.rested: dict[C, float] = {}
        self.fresh: dict[C, float] = {}

    def __len__(self) -> int:
        return len(self.rested) + len(self.fresh)

    def settle(self, until: float) -> None:
        """Move those that came back before `until` over, the oldest first."""
        fresh = self.fresh
        while fresh:
            connection = next(iter(fresh))
            if fresh[connection] > until:
                return
            self.rested[connection] = fresh.pop(connection)


class Pool(Generic[C]):
    """Idle connections by target; `now` is always the same steady clock, in seconds."""

    __slots__ = ("_keep_s", "_lanes", "_per_target")

    def __init__(self, per_target: int, keep_s: float) -> None:
        """Keep at most `per_target` connections a target, each for at most `keep_s` seconds."""
        self._per_target = per_target
        self._keep_s = keep_s
        self._lanes: dict[Target, _Lane[C]] = {}

    def take(self, target: Target, now: float) -> C | None:
        """Return the connection that was used last, if any is fresh and alive."""
        lane = self._lanes.get(target)
        if lane is None:
            return None
        lane.settle(now - _RESTED_S)
        rested = lane.rested
        while rested:
            connection, since = rested.popitem()
            if connection.alive and now - since < self._keep_s:
                return connection
            connection.drop()
        while lane.fresh:
            connection, _ = lane.fresh.popitem()
            if connection.alive and connection.silent:
                return connection
            connection.drop()
        return None

    def put(self, connection: C, now: float) -> bool:
        """Keep a clean connection; False when there is no room, then it is still the caller's."""
        lane = self._lanes.get(connection.target)
        if lane is None:
            lane = self._lanes[connection.target] = _Lane()
        elif len(lane) >= self._per_target:
            return False
        lane.fresh[connection] = now
        return True

    def forget(self, connection: C) -> None:
        """Remove a connection that is lost, whether it is here or not."""
        lane = self._lanes.get(connection.target)
        if lane is not None:
            lane.rested.pop(connection, None)
            lane.fresh.pop(connection, None)

    def sweep(self, now: float) -> bool:
        """Close what has been idle for too long; return whether anything is left."""
        for target, lane in list(self._lanes.items()):
            for part in (lane.rested, lane.fresh):
                stale = [each for each, since in part.items() if now - since >= self._keep_s]
                for connection in stale:
                    del part[connection]
                    connection.drop()
            if not len(lane):
                del self._lanes[target]
        return bool(self._lanes)

    def clear(self) -> None:
        """Close everything."""
        lanes, self._lanes = self._lanes, {}
        for lane in lanes.values():
            for connection in (*lane.rested, *lane.fresh):
                connection.drop()

    def count(self, target: Target) -> int:
        """Return how many connections to `target` are idle."""
        lane = self._lanes.get(target)
        return 0 if lane is None else len(lane)
