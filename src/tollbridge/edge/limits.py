"""Owns what a client may send and how long it may take, and the count of what is in flight.

Pure values. Must not know of sockets, parsers or how a refusal looks.
"""

from dataclasses import dataclass

_ROUNDS_PER_LIMIT = 4
_SLOWEST_ROUND_S = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one connection (architecture.md, The edge); times in seconds, sizes in bytes.

    `max_head_bytes` counts everything from the first byte of a request to its blank line, and again
    what a chunked body spends on anything but content. `head_timeout_s` runs from the accepted
    connection to the end of the first head, later from a head's first byte. `body_progress_s` and
    `client_stall_s` are the longest pauses: no new byte of the body; no byte of the answer taken.
    """

    max_head_bytes: int = 65_536
    max_headers: int = 100
    max_body_bytes: int = 67_108_864
    head_timeout_s: float = 10.0
    body_progress_s: float = 30.0
    keep_alive_s: float = 75.0
    client_stall_s: float = 60.0
    linger_s: float = 2.0

    def __post_init__(self) -> None:
        """Refuse a limit that no request could meet; ValueError names it."""
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive")

    @property
    def round_s(self) -> float:
        """How often deadlines are looked at: fine enough for the shortest of them."""
        shortest = min(
            self.head_timeout_s,
            self.body_progress_s,
            self.keep_alive_s,
            self.client_stall_s,
            self.linger_s,
        )
        return min(_SLOWEST_ROUND_S, shortest / _ROUNDS_PER_LIMIT)


@dataclass(slots=True)
class Load:
    """What the relay half of this process is busy with: relayed calls, and streams among them."""

    in_flight: int = 0
    open_streams: int = 0
