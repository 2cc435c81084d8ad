"""Owns the numbers that bound a call to an upstream: deadlines of one call, limits of the client."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Longest waits of one call, in seconds; each may be noticed up to one tick late.

    `connect_s` covers name resolution, TCP, the proxy and TLS together. `first_byte_s` runs from
    the moment the request was written until the head of the final reply is complete, so dripping
    interim replies or half a head does not stretch it. `idle_s` is the longest silence after that.
    `total_s` covers everything. Time in which the caller has paused reading counts for `total_s` alone.
    """

    connect_s: float
    first_byte_s: float
    idle_s: float
    total_s: float


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that hold for every call of one client."""

    head_bytes: int = 65_536
    headers: int = 200
    interim_replies: int = 8
    trailers: int = 64
    decoded_bytes: int = 64 * 1024 * 1024
    """Largest size of a compressed reply once decompressed; nobody asked for compression."""
    idle_per_target: int = 256
    idle_keep_s: float = 30.0
    tick_s: float = 0.1
    """How often deadlines are looked at; one timer for all calls."""
    resend_within_s: float = 1.0
    """A reused connection that dies later than this after the request was written may have been
    working on it, so the request is not sent again."""
