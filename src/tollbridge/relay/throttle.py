"""Owns the limits of calls: which scopes a call counts in, how much, and what a refused one hears.

A call takes key, user and channel in one step and its account in another; it gives all back when it
ends, however it does. Without room it waits for some, where calls may wait. Must not know where
counts are kept (docs/decisions/0013-limits.md).
"""

import asyncio
import math
from collections.abc import Sequence
from typing import Protocol

from tollbridge.catalog.snapshot import Account
from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.telemetry import Metrics
from tollbridge.protocols.usage import Usage
from tollbridge.relay.call import Call
from tollbridge.relay.meter import estimate_input
from tollbridge.relay.queue import CROWD, Look, Queue
from tollbridge.relay.replies import rate_lines
from tollbridge.relay.smoothing import Smoother
from tollbridge.storage.counters import Counters, Limit, Refusal, Scope, Ticket

_OUTPUT_ESTIMATE_TOKENS = 1_024
_RETRY_AFTER_MAX_S = 120
# An upstream can claim anything; sums of more would not be exact in every store.
_TOKENS_MAX = 1_000_000_000
_WORDS = {
    Limit.REQUESTS: "requests a minute",
    Limit.TOKENS: "tokens a minute",
    Limit.CONCURRENCY: "calls at once",
}


class Limited(Protocol):
    """A channel or an account: what may have limits of its own, 0 for none."""

    @property
    def rpm(self) -> int:
        """Calls a minute."""

    @property
    def tpm(self) -> int:
        """Tokens a minute."""

    @property
    def concurrency(self) -> int:
        """Calls at once."""


def is_limited(call: Call) -> bool:
    """Say whether anything limits the call but its account. Most calls end here."""
    key = call.key
    return bool(
        key.rpm or key.tpm or key.concurrency
        or key.user_rpm or key.user_tpm or key.user_concurrency
        or has_limits(call.channel)
    )  # fmt: skip


def has_limits(one: Limited) -> bool:
    """Say whether a channel or an account is limited."""
    return bool(one.rpm or one.tpm or one.concurrency)


class Throttle:
    """Lets calls in and out."""

    def __init__(self, counters: Counters, metrics: Metrics, queue: Queue | None = None) -> None:
        """Without a `queue` nobody waits."""
        self._counters = counters
        self._metrics = metrics
        self._queue = queue
        self._smoother = Smoother()
        self._loop = asyncio.get_running_loop()

    async def enter(self, call: Call) -> None:
        """Count a call for its key, user and channel; ApiError rate_limited when one has no room."""
        scopes = _scopes(call)
        tokens = _estimate(call, scopes)
        queue, counters = self._queue, self._counters
        if queue is None:
            answer = await counters.take(scopes, tokens)
        else:
            if call.channel.rpm:
                await self._smooth(call, queue)
            names = [scope.name for scope in scopes]
            answer = await queue.take(call, names, lambda: counters.take(scopes, tokens))
        call.rate_lines = rate_lines(scopes, answer.states) if answer.states else b""
        if isinstance(answer, Ticket):
            call.ticket = answer
        else:
            self._metrics.rate_limited(answer.limit.value)
            raise _refused(call, answer)

    async def _smooth(self, call: Call, queue: Queue) -> None:
        """Hold a call back that comes faster than its channel's pace; ApiError rate_limited."""
        channel, most_s = call.channel, queue.left_s(call)
        delay_s = self._smoother.delay_s(channel.id, channel.rpm, self._loop.time(), most_s)
        if delay_s and not await queue.sleep(call, delay_s):
            self._metrics.rate_limited("pace")
            reason = "Calls to this channel come faster than it takes them"
            raise _error(call, reason, math.ceil(delay_s * 1000))

    async def room(self, call: Call, look: Look[Account]) -> Account | Refusal:
        """Return the account that `look` finds room at, at once or after a while.

        Calls of one channel and model stand in one line.
        """
        if self._queue is None:
            return await look()
        line = f"pool:{call.channel.id}:{call.upstream_model}"
        if call.only_account is not None:
            line = f"account:{call.only_account}"
        return await self._queue.take(call, (line,), look, line)

    async def enter_account(self, call: Call, account: Account) -> Refusal | None:
        """Count a call for an account; return why it has no room, None when it has."""
        scopes = (Scope(f"account:{account.id}", account.rpm, account.tpm, account.concurrency),)
        answer = await self._counters.take(scopes, _estimate(call, scopes))
        if isinstance(answer, Refusal):
            return answer
        call.account_ticket = answer
        return None

    def leave_account(self, call: Call) -> None:
        """An attempt failed: its account has room for another call, which counts as made."""
        if call.account_ticket is not None:
            ticket, call.account_ticket = call.account_ticket, None
            self._counters.give(ticket, 0, sent=True)
            self._freed_account(call, ticket.scopes)

    def leave(self, call: Call) -> None:
        """End a call: free its slots and count the tokens that it used in place of the estimate.

        One of which nothing was sent to an upstream (no money, no account) counts nowhere.
        """
        if call.ticket is None and call.account_ticket is None:
            return
        tokens = 0 if call.used is None else _total(call.used)
        sent = call.account is not None
        for_all, for_account = call.ticket, call.account_ticket
        call.ticket = call.account_ticket = None
        if for_account is not None:
            self._counters.give(for_account, tokens, sent=sent)
            self._freed_account(call, for_account.scopes)
        if for_all is not None:
            self._counters.give(for_all, tokens, sent=sent)
            if self._queue is not None and self._queue.waiting.calls:
                # The widest first: whoever waits there has waited for nothing else.
                self._queue.waiting.freed(scope.name for scope in reversed(for_all.scopes))

    def full(self, call: Call, refusal: Refusal) -> ApiError:
        """Return what a call hears that no account has room for."""
        self._metrics.rate_limited("account")
        reason = "This channel has no room for more calls at the moment"
        return _error(call, reason, max(refusal.wait_ms, 1))

    def _freed_account(self, call: Call, scopes: Sequence[Scope]) -> None:
        if self._queue is None or not self._queue.waiting.calls:
            return
        self._queue.waiting.freed(scope.name for scope in scopes)
        self._queue.waiting.freed_like(f"pool:{call.channel.id}:")


def _scopes(call: Call) -> tuple[Scope, ...]:
    key, channel = call.key, call.channel
    every = (
        Scope(f"key:{key.id}", key.rpm, key.tpm, key.concurrency),
        Scope(f"user:{key.user_id}", key.user_rpm, key.user_tpm, key.user_concurrency),
        Scope(f"channel:{channel.id}", channel.rpm, channel.tpm, channel.concurrency),
    )
    return tuple(scope for scope in every if has_limits(scope))


def _estimate(call: Call, scopes: tuple[Scope, ...]) -> int:
    """Return the tokens that a call will probably use; only asked for where they are limited."""
    if not any(scope.tpm for scope in scopes):
        return 0
    body, blobs, wish = call.exchange.body, call.blobs, call.wish
    tokens_in = estimate_input(len(body), blobs)
    limit = _OUTPUT_ESTIMATE_TOKENS if wish.limit is None else wish.limit
    return min(tokens_in, call.model.context) + min(limit, call.model.max_output) * wish.copies


def _total(used: Usage) -> int:
    tokens = used.tokens_in() + used.output + used.audio_output + used.image_output
    return min(tokens, _TOKENS_MAX)


def _refused(call: Call, refusal: Refusal) -> ApiError:
    scope, limit = refusal.scope, refusal.limit
    if scope.name == CROWD:
        return _error(call, "Too many calls wait for room already", refusal.wait_ms)
    most = {
        Limit.REQUESTS: scope.rpm,
        Limit.TOKENS: scope.tpm,
        Limit.CONCURRENCY: scope.concurrency,
    }[limit]
    whose = scope.name.partition(":")[0]
    return _error(
        call, f"The {whose}'s limit of {most} {_WORDS[limit]} is reached", refusal.wait_ms
    )


def _error(call: Call, reason: str, wait_ms: int) -> ApiError:
    wait_s = min(max(-(-wait_ms // 1000), 1), _RETRY_AFTER_MAX_S)
    return ApiError(
        Kind.RATE_LIMITED,
        f"{reason}; try again in {wait_s} s.",
        retry_after_s=wait_s,
        facts={"model": call.ask.model},
    )
