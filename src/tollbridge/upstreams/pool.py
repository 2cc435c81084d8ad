"""Owns the idle connections: per target, the last used first, no lock, nothing slower than O(1).

It must not know what a reply is: its owner puts only clean connections in.
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


class Pool(Generic[C]):
    """Idle connections by target; `now` is always the same steady clock, in seconds."""

    __slots__ = ("_keep_s", "_lanes", "_per_target")

    def __init__(self, per_target: int, keep_s: float) -> None:
        """Keep at most `per_target` connections a target, each for at most `keep_s` seconds."""
        self._per_target = per_target
        self._keep_s = keep_s
        # A dict is a stack here that can also lose an element from its middle in O(1).
        self._lanes: dict[Target, dict[C, float]] = {}

    def take(self, target: Target, now: float) -> C | None:
        """Return the connection that was used last, if any is fresh and alive."""
        lane = self._lanes.get(target)
        while lane:
            connection, since = lane.popitem()
            if connection.alive and connection.silent and now - since < self._keep_s:
                return connection
            connection.drop()
        return None

    def put(self, connection: C, now: float) -> bool:
        """Keep a clean connection; False when there is no room, then it is still the caller's."""
        lane = self._lanes.get(connection.target)
        if lane is None:
            lane = self._lanes[connection.target] = {}
        elif len(lane) >= self._per_target:
            return False
        lane[connection] = now
        return True

    def forget(self, connection: C) -> None:
        """Remove a connection that is lost, whether it is here or not."""
        lane = self._lanes.get(connection.target)
        if lane is not None:
            lane.pop(connection, None)

    def sweep(self, now: float) -> bool:
        """Close what has been idle for too long; return whether anything is left."""
        for target, lane in list(self._lanes.items()):
            stale = [each for each, since in lane.items() if now - since >= self._keep_s]
            for connection in stale:
                del lane[connection]
                connection.drop()
            if not lane:
                del self._lanes[target]
        return bool(self._lanes)

    def clear(self) -> None:
        """Close everything."""
        lanes, self._lanes = self._lanes, {}
        for lane in lanes.values():
            for connection in lane:
                connection.drop()

    def count(self, target: Target) -> int:
        """Return how many connections to `target` are idle."""
        return len(self._lanes.get(target, ()))
