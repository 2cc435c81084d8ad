"""Owns which account a call tries next, whether it may try another, and what a try taught us.

The same for all calls, whatever they send and however: each starts with nobody tried. Must not know
what is sent or how an answer is read.
"""

import math
from collections.abc import Callable

from tollbridge.catalog.snapshot import Account, Channel
from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.telemetry import Metrics
from tollbridge.relay.call import Call
from tollbridge.relay.effects import FAILING
from tollbridge.relay.own_names import in_clients_words
from tollbridge.relay.pool import Pool
from tollbridge.relay.sticky import session_of
from tollbridge.relay.throttle import Throttle, has_limits
from tollbridge.relay.verdicts import Verdict
from tollbridge.storage.counters import Refusal

_RETRY_AFTER_MAX_S = 120

Serving = Callable[[Call], Callable[[Account], bool]]
"""Returns which accounts may be tried for a call."""


class Choice:
    """Chooses accounts for the calls of a process."""

    __slots__ = ("_clock", "_max_attempts", "_metrics", "_pool", "_serving", "_throttle")

    def __init__(
        self,
        pool: Pool,
        throttle: Throttle,
        metrics: Metrics,
        clock: Callable[[], float],
        max_attempts: int,
        serving: Serving,
    ) -> None:
        """`clock` gives seconds that only rise; `max_attempts` is for one call."""
        self._pool = pool
        self._throttle = throttle
        self._metrics = metrics
        self._clock = clock
        self._max_attempts = max_attempts
        self._serving = serving

    def must_have_account(self, call: Call) -> None:
        """Raise ApiError no_account when the channel has none to try."""
        if not self._any_left(call, set()):
            raise self._nobody(call, None)

    async def next(self, call: Call, tried: set[int], last: Verdict | None) -> Account:
        """Return the next account with room; `last` is what the try before came to.

        Where all are full the call waits for room. ApiError when there is nobody to try: the last
        one's failure, or why there is none.
        """
        self._throttle.leave_account(call)
        # Hashed once: where accounts are full, many are looked at.
        session = session_of(call) if len(call.channel.accounts) > 1 else None
        account = self._pick(call, tried, session)
        if account is None:
            raise self._nobody(call, last)
        if has_limits(account):
            account = await self._with_room(call, tried, account, last, session)
        tried.add(account.id)
        call.account = account
        call.bill.account_id = account.id
        call.bill.model_sent = account.sent(call.upstream_model)
        self._pool.health.began(account)
        if not call.attempts:
            self._pool.retries.called(call.channel.id, self._clock())
        return account

    def _pick(self, call: Call, tried: set[int], session: int | None) -> Account | None:
        serves = self._serving(call)
        return self._pool.next(call.channel, call.upstream_model, tried, serves, session)

    async def _with_room(
        self,
        call: Call,
        tried: set[int],
        first: Account,
        last: Verdict | None,
        session: int | None,
    ) -> Account:
        """Return an account that has room, `first` if it has; an account without is not tried."""
        begin: Account | None = first

        async def look() -> Account | Refusal:
            nonlocal begin
            passed, refusals = set(tried), []
            account, begin = begin or self._pick(call, passed, session), None
            while account is not None:
                passed.add(account.id)
                refusal = None
                if has_limits(account):
                    refusal = await self._throttle.enter_account(call, account)
                if refusal is None:
                    return account
                refusals.append(refusal)
                account = self._pick(call, passed, session)
            if not refusals:
                raise self._nobody(call, last)
            return min(refusals, key=lambda one: one.wait_ms)

        found = await self._throttle.room(call, look)
        if isinstance(found, Refusal):
            raise last.error if last is not None else self._throttle.full(call, found)
        return found

    def go_on(self, call: Call, tried: set[int], verdict: Verdict) -> None:
        """Return when another account may be tried; raise what the client hears when not."""
        if (
            not verdict.elsewhere
            or len(call.attempts) >= self._max_attempts
            or not self._any_left(call, tried)
        ):
            raise verdict.error
        if not self._pool.retries.may_retry(call.channel.id, self._clock()):
            self._metrics.upstream_failed("retry_budget")
            raise verdict.error

    def note(self, call: Call, account: Account, started: float, verdict: Verdict | None) -> None:
        """Remember a try that began at `started` of the clock: in the call and for the account."""
        took_ms = int((self._clock() - started) * 1000)
        call.attempts.append((account.id, verdict.outcome if verdict else "ok", took_ms))
        # What is held against an account is held by the name that is sold, mapped or not.
        model, sent = call.upstream_model, call.bill.model_sent
        if verdict is None:
            self._pool.health.succeeded(account, model)
            return
        if verdict.error.message and sent != model:
            verdict.error.message = in_clients_words(verdict.error.message, sent, call.ask.model)
        self._metrics.upstream_failed(verdict.outcome)
        if verdict.effect is not None:
            self._pool.failed(call.channel, account, model, verdict.effect, verdict.outcome)
        elif not verdict.elsewhere:
            # It judged the request: that is an answer.
            self._pool.health.succeeded(account, model)
        else:
            self._pool.health.undecided(account)

    def broke_off(self, call: Call, verdict: Verdict) -> None:
        """The account's answer ended after its content and before its end: too late for another."""
        account = call.account
        if account is not None and verdict.effect is not None:
            self._metrics.upstream_failed("broke_off")
            # It could begin, so whatever it said at last is a failure among others.
            model, outcome = call.upstream_model, verdict.outcome
            self._pool.failed(call.channel, account, model, FAILING, outcome)

    def readiness(self, call: Call, channel: Channel) -> int:
        """Return what a channel has for a call now: 0 nobody, 1 an account to ask, 2 one that answers."""
        model, serves = call.upstream_model, call.dialect.serves
        if self._pool.any_steady(channel, model, serves):
            return 2
        return int(self._pool.any_left(channel, model, (), serves))

    def _any_left(self, call: Call, tried: set[int]) -> bool:
        return self._pool.any_left(call.channel, call.upstream_model, tried, self._serving(call))

    def _nobody(self, call: Call, last: Verdict | None) -> ApiError:
        if last is not None:
            return last.error
        wait_s = self._pool.wait_s(call.channel, call.upstream_model, self._serving(call))
        retry_after_s = min(math.ceil(wait_s), _RETRY_AFTER_MAX_S) or None
        return ApiError(
            Kind.NO_ACCOUNT, facts={"model": call.ask.model}, retry_after_s=retry_after_s
        )
