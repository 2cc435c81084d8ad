"""Owns the counts of limits inside one process: exact, quick, gone when the process ends.

It is the store of a single process, and what a process goes by while the shared store is away. Its
slots are this process's own in both cases. Idle scopes are forgotten.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from tollbridge.core.clock import monotonic_ms
from tollbridge.storage.counters import (
    BACK,
    BUCKET_MS,
    CONCURRENCY_WAIT_MS,
    Limit,
    Refusal,
    Scope,
    State,
    Ticket,
    Window,
    leaves_in_ms,
    reserved,
)

# Each take looks at so many of the longest unused scopes: more than it can add, so memory shrinks.
_FORGET = 8


class _Counts:
    """The two windows of one scope, and the bucket of its last take."""

    __slots__ = ("requests", "seen", "tokens")

    def __init__(self, bucket: int) -> None:
        self.requests = Window()
        self.tokens = Window()
        self.seen = bucket


class MemoryCounters:
    """Counts by a monotonic clock. Everything happens at once, without waiting."""

    def __init__(
        self, clock_ms: Callable[[], int] = monotonic_ms, bucket_ms: int = BUCKET_MS
    ) -> None:
        self._clock_ms = clock_ms
        self._bucket_ms = bucket_ms
        self._counts: OrderedDict[str, _Counts] = OrderedDict()
        self.slots: dict[str, int] = {}
        """Calls under way here, by scope; only scopes that limit them and have some."""

    @property
    def shared(self) -> bool:
        """Never: these are this process's."""
        return False

    @property
    def remembered(self) -> int:
        """How many scopes have counts."""
        return len(self._counts)

    async def start(self) -> None:
        """There is nothing to open."""

    async def stop(self) -> None:
        """There is nothing to close."""

    async def take(self, scopes: Sequence[Scope], tokens: int) -> Ticket | Refusal:
        """Count a call in all scopes or in none."""
        return self.take_now(scopes, tokens)

    def take_now(self, scopes: Sequence[Scope], tokens: int) -> Ticket | Refusal:
        """Do what `take` does, at once."""
        now_ms = self._clock_ms()
        bucket = now_ms // self._bucket_ms
        both = [(scope, self._rolled(scope.name, bucket)) for scope in scopes]
        self._forget(bucket)
        for scope, counts in both:
            if not self._fits(scope, counts, tokens):
                return self._refusal(both, tokens, now_ms)
        for scope, counts in both:
            self._count(scope, counts, bucket, tokens)
        states = [self._state(counts, now_ms) for _, counts in both]
        return Ticket(scopes, tokens, bucket, states, shared=False)

    def give(self, ticket: Ticket, tokens: int, *, sent: bool) -> None:
        """End a call."""
        if not ticket.close():
            return
        self.free(ticket)
        now = self._clock_ms() // self._bucket_ms
        for scope in ticket.scopes:
            counts = self._rolled(scope.name, now)
            if scope.rpm and not sent:
                counts.requests.take_back(ticket.bucket, 1)
            if scope.tpm:
                more = tokens - reserved(ticket.tokens, scope)
                if more > 0:
                    counts.tokens.add(now, more)
                elif more:
                    counts.tokens.take_back(ticket.bucket, -more)

    def occupy(self, scopes: Sequence[Scope]) -> None:
        """Take the slots of a call that another store has let pass."""
        for scope in scopes:
            if scope.concurrency:
                self.slots[scope.name] = self.slots.get(scope.name, 0) + 1

    def free(self, ticket: Ticket) -> None:
        """Free the slots of a ticket that is being closed."""
        slots = self.slots
        for scope in ticket.scopes:
            if scope.concurrency:
                left = slots.get(scope.name, 0) - 1
                if left > 0:
                    slots[scope.name] = left
                else:
                    slots.pop(scope.name, None)

    def _rolled(self, name: str, bucket: int) -> _Counts:
        counts = self._counts.get(name)
        if counts is None:
            counts = self._counts[name] = _Counts(bucket)
            return counts
        if counts.seen != bucket:
            counts.seen = bucket
            counts.requests.roll(bucket)
            counts.tokens.roll(bucket)
            # Once a bucket is often enough to keep the longest unused in front.
            self._counts.move_to_end(name)
        return counts

    def _fits(self, scope: Scope, counts: _Counts, tokens: int) -> bool:
        _, rpm, tpm, concurrency = scope
        if rpm and counts.requests.used >= rpm:
            return False
        if tpm and counts.tokens.used + reserved(tokens, scope) > tpm:
            return False
        return not concurrency or self.slots.get(scope.name, 0) < concurrency

    def _refusal(self, both: Sequence[tuple[Scope, _Counts]], tokens: int, now_ms: int) -> Refusal:
        """Return the refusal that takes longest to go away."""
        states = [self._state(counts, now_ms) for _, counts in both]
        lacks = [
            Refusal(scope, limit, wait_ms, states)
            for scope, counts in both
            for limit, wait_ms in self._lacks(scope, counts, tokens, now_ms)
        ]
        return max(lacks, key=lambda refusal: refusal.wait_ms)

    def _lacks(
        self, scope: Scope, counts: _Counts, tokens: int, now_ms: int
    ) -> list[tuple[Limit, int]]:
        found: list[tuple[Limit, int]] = []
        if scope.rpm:
            excess = counts.requests.used + 1 - scope.rpm
            if excess > 0:
                found.append((Limit.REQUESTS, self._wait_ms(counts.requests, excess, now_ms)))
        if scope.tpm:
            excess = counts.tokens.used + reserved(tokens, scope) - scope.tpm
            if excess > 0:
                found.append((Limit.TOKENS, self._wait_ms(counts.tokens, excess, now_ms)))
        if scope.concurrency and self.slots.get(scope.name, 0) >= scope.concurrency:
            found.append((Limit.CONCURRENCY, CONCURRENCY_WAIT_MS))
        return found

    def _wait_ms(self, window: Window, excess: int, now_ms: int) -> int:
        bucket = window.frees(excess, now_ms // self._bucket_ms)
        return leaves_in_ms(bucket, now_ms, self._bucket_ms)

    def _count(self, scope: Scope, counts: _Counts, bucket: int, tokens: int) -> None:
        if scope.rpm:
            counts.requests.add(bucket, 1)
        if scope.tpm:
            counts.tokens.add(bucket, reserved(tokens, scope))
        if scope.concurrency:
            self.slots[scope.name] = self.slots.get(scope.name, 0) + 1

    def _state(self, counts: _Counts, now_ms: int) -> State:
        requests, tokens = counts.requests, counts.tokens
        return State(
            requests.used,
            self._wait_ms(requests, 1, now_ms) if requests.used else 0,
            tokens.used,
            self._wait_ms(tokens, 1, now_ms) if tokens.used else 0,
        )

    def _forget(self, bucket: int) -> None:
        for _ in range(_FORGET):
            name = next(iter(self._counts), None)
            if name is None or self._counts[name].seen >= bucket - BACK:
                break
            del self._counts[name]
