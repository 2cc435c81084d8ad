"""Owns what limits are counted with: scopes, windows, tickets, and what every store of them can do.

A limit on a minute is kept by 6-second buckets, conservatively: the bucket that runs and the ten
before it may together hold no more than the limit, so no 60 seconds ever do. Must not know what a
scope stands for. Values and arithmetic only: no clock, no I/O.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

BUCKET_MS = 6_000
BACK = 10
"""Full buckets that count beside the running one: together they cover any 60 seconds."""
CONCURRENCY_WAIT_MS = 2_000
"""Nobody knows when a running call ends; this is the wait that a refusal advises."""


class Limit(StrEnum):
    """What can be limited."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    CONCURRENCY = "concurrency"


class Scope(NamedTuple):
    """Something that is limited, by its name: calls a minute, tokens a minute, calls at once.

    0 is no limit.
    """

    name: str
    rpm: int
    tpm: int
    concurrency: int


class State(NamedTuple):
    """What a scope's windows hold after a take, and in how many milliseconds that gets less."""

    requests: int
    requests_reset_ms: int
    tokens: int
    tokens_reset_ms: int


class Ticket:
    """The leave to make one call. It is given back once; giving it back again does nothing."""

    __slots__ = ("bucket", "open", "scopes", "shared", "states", "tokens")

    def __init__(
        self,
        scopes: Sequence[Scope],
        tokens: int,
        bucket: int,
        states: Sequence[State],
        *,
        shared: bool,
    ) -> None:
        """`bucket` is that of the count, by the clock of the shared store or of this process."""
        self.scopes = scopes
        self.tokens = tokens
        self.bucket = bucket
        self.states = states
        self.shared = shared
        self.open = True

    def close(self) -> bool:
        """Return whether this was the first time."""
        was_open, self.open = self.open, False
        return was_open


class Refusal(NamedTuple):
    """No leave: the limit of a scope stands against it, for at least so many milliseconds."""

    scope: Scope
    limit: Limit
    wait_ms: int
    states: Sequence[State]


class Counters(Protocol):
    """A store of counts. It lives on one event loop."""

    @property
    def shared(self) -> bool:
        """Whether other processes see these counts now."""

    async def start(self) -> None:
        """Begin to count; does not fail when a shared store is away."""

    async def stop(self) -> None:
        """Let go of everything."""

    async def take(self, scopes: Sequence[Scope], tokens: int) -> Ticket | Refusal:
        """Count a call in all scopes, or in none of them when one has no room.

        `tokens` are reserved in each scope, but no more than its limit, so that a call larger than
        that can pass alone.
        """

    def give(self, ticket: Ticket, tokens: int, *, sent: bool) -> None:
        """End a call that used `tokens`; one that was not `sent` takes its request back as well."""


def reserved(tokens: int, scope: Scope) -> int:
    """Return what a call reserves in a scope of an estimate."""
    return min(tokens, scope.tpm)


def leaves_in_ms(bucket: int, now_ms: int, bucket_ms: int = BUCKET_MS) -> int:
    """Return in how many milliseconds a bucket no longer counts; 0 when it does not now."""
    return max((bucket + BACK + 1) * bucket_ms - now_ms, 0)


class Window:
    """The counts of one thing in one scope, by bucket. Buckets come in growing order."""

    __slots__ = ("buckets", "used")

    def __init__(self) -> None:
        self.buckets: dict[int, int] = {}
        self.used = 0

    def roll(self, bucket: int) -> None:
        """Forget what no longer counts when `bucket` is the one that runs."""
        buckets = self.buckets
        while buckets:
            first = next(iter(buckets))
            if first >= bucket - BACK:
                break
            self.used -= buckets.pop(first)

    def add(self, bucket: int, count: int) -> None:
        """Count in the bucket that runs."""
        self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        self.used += count

    def take_back(self, bucket: int, count: int) -> None:
        """Uncount what was counted in a bucket, as far as that still counts."""
        there = self.buckets.get(bucket, 0)
        count = min(count, there)
        if count:
            self.used -= count
            self.buckets[bucket] = there - count
            if count == there:
                del self.buckets[bucket]

    def frees(self, excess: int, bucket: int) -> int:
        """Return the bucket with which at least `excess` will have left."""
        for at, count in self.buckets.items():
            excess -= count
            if excess <= 0:
                return at
        return bucket
