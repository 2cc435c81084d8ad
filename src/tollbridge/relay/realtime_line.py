"""Owns finding an upstream for a realtime session: which account, how it is asked, what it answers.

Accounts are tried as those of other calls (relay/plan.py, relay/verdicts.py). Must not know of the
client's connection or of money.
"""

import asyncio
import ssl
from collections.abc import Callable
from urllib.parse import quote

from tollbridge.catalog.snapshot import Account
from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.settings import Settings
from tollbridge.core.telemetry import Metrics
from tollbridge.core.websocket import Socket
from tollbridge.protocols.realtime import BETA_SUBPROTOCOL
from tollbridge.relay.call import Call
from tollbridge.relay.overrides import own_headers
from tollbridge.relay.pool import Pool
from tollbridge.relay.throttle import Throttle, has_limits
from tollbridge.relay.verdicts import Verdict, of_failure, of_status
from tollbridge.upstreams.complaints import read_complaint
from tollbridge.upstreams.dial import trust
from tollbridge.upstreams.failures import UpstreamFailure
from tollbridge.upstreams.target import Target
from tollbridge.upstreams.websocket import Refused, open_websocket

PLATFORM = "openai"
_BETA = b"openai-beta"


class Lines:
    """Opens WebSockets to accounts."""

    def __init__(
        self, settings: Settings, metrics: Metrics, throttle: Throttle, pool: Pool
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._metrics = metrics
        self._throttle = throttle
        self._loop = asyncio.get_running_loop()
        self._tls: ssl.SSLContext | None = None

    async def open(self, call: Call) -> Socket:
        """Return an open line to the account that took the session; ApiError when none did."""
        tried: set[int] = set()
        waits_ms: list[int] = []
        verdict: Verdict | None = None
        while len(call.attempts) < self._settings.max_attempts:
            account = self._pool.next(call.channel, call.upstream_model, tried, _serving(call))
            if account is None:
                break
            tried.add(account.id)
            if has_limits(account):
                wait_ms = await self._throttle.enter_account(call, account)
                if wait_ms:
                    waits_ms.append(wait_ms)
                    continue
            self._pool.health.began(account)
            call.account = account
            call.bill.account_id = account.id
            outcome = await self._try(call, account)
            if isinstance(outcome, Socket):
                return outcome
            verdict = outcome
            self._throttle.leave_account(call)
            if not verdict.elsewhere:
                break
        if verdict is not None:
            raise verdict.error
        if waits_ms:
            raise self._throttle.full(call, min(waits_ms))
        raise ApiError(Kind.NO_ACCOUNT, facts={"model": call.ask.model})

    async def _try(self, call: Call, account: Account) -> Socket | Verdict:
        started = self._loop.time()
        settings = self._settings
        outcome: Socket | Verdict
        try:
            outcome = await open_websocket(
                _target(call, account),
                f"/v1/realtime?model={quote(call.upstream_model, safe='')}",
                _headers(call, account),
                self._context(),
                settings.connect_timeout_s,
                settings.connect_timeout_s,
            )
        except UpstreamFailure as failure:
            outcome = of_failure(failure)
        except Refused as refused:
            wait = refused.retry_after.encode() if refused.retry_after else None
            # A success that is no WebSocket is none.
            status = refused.status if refused.status >= 400 else 502
            outcome = of_status(status, read_complaint(refused.body), wait)
        took_ms = int((self._loop.time() - started) * 1000)
        name = outcome.outcome if isinstance(outcome, Verdict) else "ok"
        call.attempts.append((account.id, name, took_ms))
        model = call.upstream_model
        if not isinstance(outcome, Verdict):
            self._pool.health.succeeded(account, model)
            return outcome
        self._metrics.upstream_failed(name)
        if outcome.effect is not None:
            self._pool.failed(call.channel, account, model, outcome.effect, name)
        return outcome

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = trust()
        return self._tls


def accounts_of(call: Call) -> list[Account]:
    """Return the accounts of a call's channel that speak the protocol."""
    return [one for one in call.channel.accounts if _serving(call)(one)]


def _serving(call: Call) -> Callable[[Account], bool]:
    """Return who can be asked: a session's messages pass as they are, so its model has one name."""
    model = call.upstream_model
    return lambda account: account.platform == PLATFORM and account.sent(model) == model


def _target(call: Call, account: Account) -> Target:
    private = call.snapshot.site.allow_private_upstreams
    return Target.parse(account.base_url, account.proxy or None, private)


def _headers(call: Call, account: Account) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {account.secret}", **own_headers(account)}
    given = call.exchange.headers
    if _BETA in given:
        headers["OpenAI-Beta"] = given[_BETA].decode("latin-1")
    elif BETA_SUBPROTOCOL.encode() in given.get(b"sec-websocket-protocol", b""):
        headers["OpenAI-Beta"] = "realtime=v1"
    return headers
