"""Owns the calls about a stored response: look at it, list what it was asked, cancel or delete it.

They go to the account that made it, for the user who asked for it, and cost nothing: no hold, no
usage row, a metric alone. Must not know what a response says.
"""

import re
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlencode

from tollbridge.catalog.snapshot import Account, Snapshot
from tollbridge.core.clock import new_tid, now_ms
from tollbridge.core.errors import ApiError, Kind, Surface, render
from tollbridge.core.settings import Settings
from tollbridge.core.telemetry import Metrics
from tollbridge.identity.keys import KeyRecord, KeyStore
from tollbridge.identity.presented import authenticate, check_key, recognise
from tollbridge.relay.bound import RESPONSE_ID, speaks_responses
from tollbridge.relay.exchange import Exchange
from tollbridge.relay.overrides import own_lines
from tollbridge.relay.own_names import stored_body
from tollbridge.relay.passage import Passage
from tollbridge.relay.replies import header_lines, traced
from tollbridge.relay.tokens import OAUTH, Token
from tollbridge.relay.verdicts import of_failure, of_status
from tollbridge.relay.world import World
from tollbridge.upstreams.call import Reply
from tollbridge.upstreams.complaints import read_complaint
from tollbridge.upstreams.failures import UpstreamFailure
from tollbridge.upstreams.http1 import Http1Client
from tollbridge.upstreams.limits import Deadlines
from tollbridge.upstreams.platforms import PLATFORMS
from tollbridge.upstreams.target import Target

_OK: Final = 200
_UNAUTHORIZED: Final = 401
_GONE: Final = 404
_SURFACE: Final = Surface.RESPONSES
_PREFIX: Final = "/v1/responses/"
_PATH: Final = re.compile(rf"{_PREFIX}({RESPONSE_ID.pattern})(/cancel|/input_items)?")
# Endpoints of their own, which no response can be named like.
_TAKEN: Final = frozenset({"compact", "input_tokens"})
_METHODS: Final = frozenset(
    {("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")}
)
_QUERIES: Final = {
    ("GET", ""): frozenset(
        {"include", "include[]", "include_obfuscation", "starting_after", "stream"}
    ),
    ("GET", "/input_items"): frozenset(
        {"after", "before", "include", "include[]", "limit", "order"}
    ),
}


class Errand(NamedTuple):
    """What is asked of which response; `query` is what of the client's may pass."""

    method: str
    response_id: str
    verb: str
    query: str

    @property
    def path(self) -> str:
        """Path and query at the upstream."""
        return f"{_PREFIX}{self.response_id}{self.verb}{'?' if self.query else ''}{self.query}"

    @property
    def streams(self) -> bool:
        """Whether the answer may be a stream."""
        return ("stream", "true") in parse_qsl(self.query)


def is_stored(method: str, path: str) -> bool:
    """Whether a request is about a stored response."""
    return path.startswith(_PREFIX) and _parts(method, path) is not None


def errand_of(exchange: Exchange) -> Errand:
    """Return what a request for which `is_stored` holds asks for."""
    found = _parts(exchange.method, exchange.path)
    assert found is not None
    response_id, verb = found
    allowed = _QUERIES.get((exchange.method, verb), frozenset())
    pairs = parse_qsl(exchange.query.decode("latin-1"))
    query = urlencode([pair for pair in pairs if pair[0] in allowed])
    return Errand(exchange.method, response_id, verb, query)


def _parts(method: str, path: str) -> tuple[str, str] | None:
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    response_id, verb = found[1], found[2] or ""
    known = (method, verb) in _METHODS and response_id not in _TAKEN
    return (response_id, verb) if known else None


class Stored:
    """Handles calls about stored responses, one `handle` each."""

    def __init__(
        self,
        world: World,
        keys: KeyStore,
        client: Http1Client,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        self._world = world
        self._keys = keys
        self._client = client
        self._metrics = metrics
        self._max_bytes = settings.max_reply_bytes
        self._deadlines = Deadlines(
            connect_s=settings.connect_timeout_s,
            first_byte_s=settings.first_byte_timeout_s,
            idle_s=settings.idle_timeout_s,
            total_s=settings.total_timeout_s,
        )

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request."""
        tid, snapshot = new_tid(), self._world.snapshot
        try:
            await self._answer(exchange, tid, snapshot)
        except ApiError as error:
            shown = render(error, _SURFACE, snapshot.site.error_profile, tid)
            self._metrics.request_done(_SURFACE.value, error.kind.value)
            exchange.reply(shown.status, header_lines(shown.headers), shown.body)
        else:
            self._metrics.request_done(_SURFACE.value, "stored")

    async def _answer(self, exchange: Exchange, tid: str, snapshot: Snapshot) -> None:
        key = await self._admit(exchange)
        errand = errand_of(exchange)
        account_id = await self._world.bound.account_id(key.user_id, errand.response_id)
        account = _account(snapshot, account_id)
        if account is None:
            raise _unknown(errand)
        if errand.streams and account.mapping:
            # Events pass as they are, and they would name the upstream's model.
            text = "This response can only be retrieved whole."
            raise ApiError(Kind.INVALID_REQUEST, text, code="unsupported_value", param="stream")
        passage = Passage(exchange, traced(tid))
        reply = await self._asked(passage, errand, account, snapshot)
        if reply is None:
            return
        if reply.status == _GONE:
            await self._world.bound.release(key.user_id, errand.response_id)
            raise _unknown(errand)
        headers = dict(reply.headers)
        if reply.status != _OK:
            raise of_status(
                reply.status, read_complaint(reply.body), headers.get(b"retry-after")
            ).error
        if errand.method == "DELETE":
            await self._world.bound.release(key.user_id, errand.response_id)
        kind = headers.get(b"content-type", b"application/json")
        body = stored_body(account, reply.body)
        exchange.reply(_OK, b"content-type: %b\r\n%b" % (kind, traced(tid)), body)

    async def _admit(self, exchange: Exchange) -> KeyRecord:
        if self._world.draining:
            raise ApiError(Kind.DRAINING)
        headers, query, keys = exchange.headers, exchange.query, self._keys
        key = recognise(headers, query, keys) or await authenticate(headers, query, keys)
        check_key(key, exchange.peer, now_ms())
        return key

    async def _asked(
        self, passage: Passage, errand: Errand, account: Account, snapshot: Snapshot
    ) -> Reply | None:
        """Return the upstream's whole answer; None when it has passed as a stream."""
        target = Target.parse(
            account.base_url, account.proxy or None, snapshot.site.allow_private_upstreams
        )
        try:
            token = await self._world.tokens.token(account) if account.auth == OAUTH else None
            head = _head(target, account, errand, passage.exchange, token)
            if not errand.streams:
                reply = await self._client.fetch(
                    target, head, b"", self._deadlines, self._max_bytes
                )
                if token is not None and reply.status == _UNAUTHORIZED:
                    self._world.tokens.refused(account, token)
                return reply
            call = await self._client.send(target, head, b"", passage, self._deadlines)
            return await passage.over(call)
        except UpstreamFailure as failure:
            raise of_failure(failure).error from None


def _account(snapshot: Snapshot, account_id: int | None) -> Account | None:
    """Return an account while it is one that keeps responses."""
    if account_id is None:
        return None
    every = (account for channel in snapshot.channels.values() for account in channel.accounts)
    found = next((account for account in every if account.id == account_id), None)
    return found if found is not None and speaks_responses(found) else None


def _head(
    target: Target, account: Account, errand: Errand, exchange: Exchange, token: Token | None
) -> bytes:
    platform = PLATFORMS[account.platform]
    auth = (
        platform.auth_lines(account.secret) if token is None else platform.token_lines(token.value)
    )
    line = f"{errand.method} {target.prefix}{errand.path} HTTP/1.1\r\nhost: {target.authority}\r\n"
    length = b"content-length: 0\r\n" if errand.method == "POST" else b""
    accept = b"text/event-stream" if errand.streams else b"application/json"
    return b"".join(
        (
            line.encode(), auth,
            platform.client_lines(exchange.headers, native=True), length,
            b"accept-encoding: identity\r\n", own_lines(account), b"accept: ", accept, b"\r\n\r\n",
        )
    )  # fmt: skip


def _unknown(errand: Errand) -> ApiError:
    facts = {"method": errand.method, "path": errand.path.partition("?")[0]}
    text = f"Response with id '{errand.response_id}' not found."
    return ApiError(Kind.NOT_FOUND, text, facts=facts)
