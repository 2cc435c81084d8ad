"""Owns the limits of calls: which scopes a call counts in, how much, and what a refused one hears.

A call takes key, user and channel in one step and its account in another; it gives all back when it
ends, however it does. Must not know where counts are kept (docs/decisions/0013-limits.md).
"""

from typing import Protocol

from tollbridge.catalog.snapshot import Account
from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.telemetry import Metrics
from tollbridge.protocols.usage import Usage
from tollbridge.relay.call import Call
from tollbridge.relay.meter import estimate_input
from tollbridge.relay.replies import rate_lines
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

    def __init__(self, counters: Counters, metrics: Metrics) -> None:
        self._counters = counters
        self._metrics = metrics

    async def enter(self, call: Call) -> None:
        """Count a call for its key, user and channel; ApiError rate_limited when one has no room."""
        scopes = _scopes(call)
        answer = await self._counters.take(scopes, _estimate(call, scopes))
        call.rate_lines = rate_lines(scopes, answer.states)
        if isinstance(answer, Ticket):
            call.ticket = answer
        else:
            self._metrics.rate_limited(answer.limit.value)
            raise _refused(call, answer)

    async def enter_account(self, call: Call, account: Account) -> int:
        """Count a call for an account; return 0, or for how many milliseconds it has no room."""
        scopes = (Scope(f"account:{account.id}", account.rpm, account.tpm, account.concurrency),)
        answer = await self._counters.take(scopes, _estimate(call, scopes))
        if isinstance(answer, Refusal):
            return max(answer.wait_ms, 1)
        call.account_ticket = answer
        return 0

    def leave_account(self, call: Call) -> None:
        """An attempt failed: its account has room for another call, which counts as made."""
        if call.account_ticket is not None:
            self._counters.give(call.account_ticket, 0, sent=True)
            call.account_ticket = None

    def leave(self, call: Call) -> None:
        """End a call: free its slots and count the tokens that it used in place of the estimate.

        One of which nothing was sent to an upstream (no money, no account) counts nowhere.
        """
        if call.ticket is None and call.account_ticket is None:
            return
        tokens = 0 if call.used is None else _total(call.used)
        sent = call.account is not None
        for ticket in (call.ticket, call.account_ticket):
            if ticket is not None:
                self._counters.give(ticket, tokens, sent=sent)
        call.ticket = call.account_ticket = None

    def full(self, call: Call, wait_ms: int) -> ApiError:
        """Return what a call hears when no account has room for `wait_ms` milliseconds."""
        self._metrics.rate_limited("account")
        return _error(call, "This channel has no room for more calls at the moment", wait_ms)


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
