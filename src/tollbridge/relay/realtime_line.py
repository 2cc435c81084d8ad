"""Owns finding an upstream for a realtime session: which account, how it is asked, what it answers.

Accounts are tried as those of other calls (relay/plan.py, relay/verdicts.py). Must not know of the
client's connection or of money.
"""

import asyncio
import ssl
from collections.abc import Callable
from urllib.parse import quote

from tollbridge.catalog.snapshot import Account
from tollbridge.core.settings import Settings
from tollbridge.core.websocket import Socket
from tollbridge.protocols.realtime import BETA_SUBPROTOCOL
from tollbridge.relay.call import Call
from tollbridge.relay.choice import Choice
from tollbridge.relay.overrides import own_headers
from tollbridge.relay.tokens import OAUTH, Token
from tollbridge.relay.verdicts import Verdict, of_failure, of_status
from tollbridge.relay.world import World
from tollbridge.upstreams.complaints import read_complaint
from tollbridge.upstreams.dial import trust
from tollbridge.upstreams.failures import UpstreamFailure
from tollbridge.upstreams.target import Target
from tollbridge.upstreams.websocket import Refused, open_websocket

PLATFORM = "openai"
_BETA = b"openai-beta"


class Lines:
    """Opens WebSockets to accounts."""

    def __init__(self, world: World, settings: Settings, choice: Choice) -> None:
        """`choice` is among the accounts that `serving` names."""
        self._world = world
        self._choice = choice
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._tls: ssl.SSLContext | None = None

    async def open(self, call: Call) -> Socket:
        """Return an open line to the account that took the session; ApiError when none did."""
        tried: set[int] = set()
        verdict: Verdict | None = None
        while True:
            account = await self._choice.next(call, tried, verdict)
            started = self._loop.time()
            outcome = await self._try(call, account)
            verdict = outcome if isinstance(outcome, Verdict) else None
            self._choice.note(call, account, started, verdict)
            if isinstance(outcome, Socket):
                return outcome
            self._choice.go_on(call, tried, outcome)

    async def _try(self, call: Call, account: Account) -> Socket | Verdict:
        settings = self._settings
        token: Token | None = None
        try:
            if account.auth == OAUTH:
                token = await self._world.tokens.token(account)
            return await open_websocket(
                _target(call, account),
                f"/v1/realtime?model={quote(call.upstream_model, safe='')}",
                _headers(call, account, token),
                self._context(),
                settings.connect_timeout_s,
                settings.connect_timeout_s,
            )
        except UpstreamFailure as failure:
            return of_failure(failure)
        except Refused as refused:
            wait = refused.retry_after.encode() if refused.retry_after else None
            # A success that is no WebSocket is none.
            status = refused.status if refused.status >= 400 else 502
            verdict = of_status(status, read_complaint(refused.body), wait)
            return verdict if token is None else self._world.tokens.judged(account, token, verdict)

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = trust()
        return self._tls


def accounts_of(call: Call) -> list[Account]:
    """Return the accounts of a call's channel that could take it."""
    return [one for one in call.channel.accounts if serving(call)(one)]


def serving(call: Call) -> Callable[[Account], bool]:
    """Return who can be asked: a session's messages pass as they are, so its model has one name."""
    model, only = call.upstream_model, call.only_account
    return lambda account: (
        account.platform == PLATFORM
        and account.sent(model) == model
        and (only is None or account.id == only)
    )


def _target(call: Call, account: Account) -> Target:
    private = call.snapshot.site.allow_private_upstreams
    return Target.parse(account.base_url, account.proxy or None, private)


def _headers(call: Call, account: Account, token: Token | None) -> dict[str, str]:
    credential = account.secret if token is None else token.value
    headers = {"Authorization": f"Bearer {credential}", **own_headers(account)}
    given = call.exchange.headers
    if _BETA in given:
        headers["OpenAI-Beta"] = given[_BETA].decode("latin-1")
    elif BETA_SUBPROTOCOL.encode() in given.get(b"sec-websocket-protocol", b""):
        headers["OpenAI-Beta"] = "realtime=v1"
    return headers
