"""Owns the path of one realtime session from its handshake to its settle.

Everything that can be refused is refused before the upgrade, as plain HTTP; afterwards an `error`
event and a close code tell why (docs/decisions/0023-realtime.md). Every session that held money
ends in exactly one settle, whatever raises and whoever leaves.
"""

import asyncio
from typing import Final, NamedTuple, cast
from urllib.parse import parse_qsl

import msgspec
from websockets.http11 import Response

from tollbridge.billing.budgets import Budgets
from tollbridge.billing.ledger import Ledger
from tollbridge.catalog.snapshot import Account
from tollbridge.core.clock import new_tid
from tollbridge.core.errors import (
    ApiError,
    Kind,
    Rendered,
    Surface,
    clean_upstream_message,
    render,
)
from tollbridge.core.money import format_usd
from tollbridge.core.settings import Settings
from tollbridge.core.telemetry import Metrics, get_logger
from tollbridge.core.websocket import Socket, accept, frames_of_server
from tollbridge.identity import presented
from tollbridge.identity.keys import KeyRecord, KeyStore
from tollbridge.notify.kinds import Kind as Alert
from tollbridge.notify.kinds import of_wallet
from tollbridge.protocols.blobs import BlobScan
from tollbridge.protocols.realtime import KEY_SUBPROTOCOL, SUBPROTOCOL, error_event
from tollbridge.relay import gate
from tollbridge.relay.call import Call
from tollbridge.relay.choice import Choice
from tollbridge.relay.dialects import Asked, Dialect, Wish
from tollbridge.relay.exchange import Exchange
from tollbridge.relay.pins import HEADER, pin
from tollbridge.relay.pool import Pool
from tollbridge.relay.purses import Purses
from tollbridge.relay.realtime import Cause, Session, SessionLimits
from tollbridge.relay.realtime_line import PLATFORM, Lines, accounts_of, serving
from tollbridge.relay.realtime_tab import Tab, durable
from tollbridge.relay.replies import header_lines
from tollbridge.relay.reserve import make_bill
from tollbridge.relay.talk import Talk
from tollbridge.relay.throttle import Throttle, is_limited
from tollbridge.relay.world import World
from tollbridge.storage.ledger_items import Settle

_log = get_logger(__name__)
PATH: Final = "/v1/realtime"
# Below the hour after which an open hold is reported.
_SESSION_S: Final = 3_540.0
_FIELDS_MAX: Final = 20
_NORMAL, _AWAY, _POLICY, _INTERNAL = 1000, 1001, 1008, 1011
_SENDABLE: Final = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011})


def is_realtime(method: str, path: str) -> bool:
    """Whether a request is for this door."""
    return method == "GET" and path == PATH


class RealtimeAsk(NamedTuple):
    """What a handshake asks for."""

    model: str
    limit: None = None
    stream: bool = True


class _Realtime(Talk):
    """What the steps that all calls share want to know of the surface."""

    surface = Surface.MEDIA
    surface_name = Surface.MEDIA.value

    def wish(self, _ask: Asked) -> Wish:
        """Nothing is known of the responses to come."""
        return Wish(None, 1, media_out=True, searches=0)

    def serves(self, account: Account) -> bool:
        """Only this platform speaks the protocol, and nothing is translated into it."""
        return account.platform == PLATFORM


_DIALECT = cast("Dialect", _Realtime())


class _Ending(NamedTuple):
    """What a cause means: for the usage row, and for a client that is still there."""

    state: str
    code: int
    error: ApiError | None = None
    flags: tuple[str, ...] = ()
    reason: str = ""
    status: int = 101


_LEFT = _Ending("client_gone", _NORMAL, None, ("client_disconnected",), status=499)
_FAULT = _Ending("partial", _INTERNAL, ApiError(Kind.INTERNAL))
_EXPIRED = ApiError(
    Kind.INVALID_REQUEST, "The session has lasted as long as one may.", code="session_expired"
)


class RealtimeDoor:
    """Takes realtime sessions, one `handle` each."""

    def __init__(
        self,
        world: World,
        ledger: Ledger,
        keys: KeyStore,
        settings: Settings,
        metrics: Metrics,
        budgets: Budgets,
        throttle: Throttle,
        pool: Pool,
    ) -> None:
        self._world = world
        self._ledger = ledger
        self._keys = keys
        self._settings = settings
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        choice = Choice(pool, throttle, metrics, self._loop.time, settings.max_attempts, serving)
        self._offers = gate.Offers(choice.readiness)
        self._purses = Purses(budgets)
        self._throttle = throttle
        self._lines = Lines(world, settings, choice)
        self._limits = SessionLimits(
            total_s=_SESSION_S,
            client_silence_s=settings.client_stall_s,
            upstream_silence_s=settings.idle_timeout_s,
            settling_s=settings.drain_cap_s,
            silence_s=settings.finish_silence_s,
        )

    async def handle(self, exchange: Exchange) -> None:
        """Serve one handshake and the session after it; nothing escapes but cancellation."""
        call = Call(exchange, new_tid(), _DIALECT, self._loop.time())
        tab = Tab(call, self._ledger, self._settings.slice_tokens)
        try:
            call.snapshot = self._world.snapshot
            response = _handshake(exchange)
            await self._admit(call)
            await tab.open()
            upstream = await self._lines.open(call)
        except ApiError as error:
            self._refuse(call, tab, error)
        except BaseException as error:
            _log.error("session failed", tid=call.tid, fault=type(error).__name__, exc_info=True)
            self._refuse(call, tab, ApiError(Kind.INTERNAL))
            if not isinstance(error, Exception):
                raise
        else:
            await self._serve(call, tab, upstream, response)
        finally:
            self._throttle.leave(call)

    async def _admit(self, call: Call) -> None:
        if self._world.draining:
            raise ApiError(Kind.DRAINING)
        if not self._ledger.ready:
            raise ApiError(Kind.DATABASE_DOWN)
        exchange = call.exchange
        call.key = await _authenticate(exchange, self._keys)
        gate.check_key(call.key, exchange.peer, call.at_ms)
        if call.key.pin or HEADER in exchange.headers:
            pin(call)
        # It satisfies what is asked of an ask here: a model, no limit, a stream.
        call.ask = cast("Asked", RealtimeAsk(_model_of(exchange.query)))
        call.wish, call.blobs = _DIALECT.wish(call.ask), BlobScan()
        self._offers.choose(call)
        facts = {"model": call.ask.model, "key_last6": call.key.last6}
        if call.upstream_model != call.ask.model:
            # An effort at the end of the name, for which a session has no place.
            raise ApiError(Kind.MODEL_UNKNOWN, facts={**facts, "nearest": call.upstream_model})
        if not accounts_of(call):
            raise ApiError(Kind.NO_ACCOUNT, facts=facts)
        call.bill = make_bill(call)
        known = self._purses.known(call.key, call.at_ms)
        call.purses = known or await self._purses.find(call.key, call.at_ms)
        if is_limited(call):
            await self._throttle.enter(call)

    async def _serve(self, call: Call, tab: Tab, upstream: Socket, response: Response) -> None:
        exchange = call.exchange
        if exchange.gone:
            upstream.abort()
            self._settle(tab, _LEFT, unfinished=False)
            return
        client = Socket(frames_of_server())
        session = Session(client, upstream, tab, self._limits, call.tid)
        client.on_shutdown = session.drain
        response.headers["x-request-id"] = call.tid
        exchange.switch(response.serialize(), client)
        ending = _FAULT
        try:
            cause = await session.run()
            ending = _ending(cause, client, upstream, tab)
        except BaseException:
            client.close(_AWAY)
            raise
        finally:
            # Nothing is awaited before this: a session that is cancelled is settled as well.
            settle = self._settle(tab, ending, unfinished=session.unfinished)
            upstream.close(_NORMAL)
        if settle is not None and (loss := await durable(settle)):
            told = f"${format_usd(loss)} in one session"
            self._world.alarm(Alert.OPERATOR_LOSS, of_wallet(call.purses[0]), told)
        client.close(ending.code, ending.reason, self._last_event(call, ending))
        await client.gone()

    def _settle(self, tab: Tab, ending: _Ending, *, unfinished: bool) -> Settle | None:
        flags = (*ending.flags, "partial") if unfinished else ending.flags
        self._metrics.request_done(_DIALECT.surface_name, ending.state)
        return tab.settle(ending.state, ending.status, tuple(dict.fromkeys(flags)), None)

    def _last_event(self, call: Call, ending: _Ending) -> bytes | None:
        if ending.error is None:
            return None
        error = msgspec.json.decode(self._rendered(call, ending.error).body)["error"]
        return error_event(call.tid, error)

    def _refuse(self, call: Call, tab: Tab, error: ApiError) -> None:
        rendered = self._rendered(call, error)
        state = error.kind.value
        if error.kind is Kind.NO_ACCOUNT:
            self._world.alarm(Alert.POOL_EMPTY, call.channel.name, "no account to try")
        if call.purses:
            # It was admitted: its row says why it came to nothing.
            state = "upstream_error" if call.attempts else "refused"
            state = "database_lost" if error.kind is Kind.DATABASE_DOWN else state
            tab.settle(state, rendered.status, (), error.kind.value)
        self._metrics.request_done(_DIALECT.surface_name, state)
        lines = header_lines(rendered.headers) + call.rate_lines
        call.exchange.reply(rendered.status, lines, rendered.body)

    @staticmethod
    def _rendered(call: Call, error: ApiError) -> Rendered:
        return render(error, _DIALECT.surface, call.snapshot.site.error_profile, call.tid)


def _ending(cause: Cause, client: Socket, upstream: Socket, tab: Tab) -> _Ending:
    match cause:
        case Cause.CLIENT:
            return _LEFT if client.closed is None else _Ending("complete", _NORMAL)
        case Cause.UPSTREAM:
            return _upstream_left(upstream.closed)
        case Cause.SHORT:
            error = tab.shortage()
            return _Ending("limited", _POLICY, error, ("balance_short",), error.kind.value)
        case Cause.LOST:
            return _Ending("partial", _INTERNAL, ApiError(Kind.DATABASE_DOWN))
        case Cause.CAPPED:
            return _Ending("complete", _AWAY, _EXPIRED, (), "session_expired")
        case Cause.DRAINED:
            return _Ending("complete", _AWAY, ApiError(Kind.DRAINING))
        case Cause.FAULT:
            return _FAULT


def _upstream_left(told: tuple[int, str] | None) -> _Ending:
    if told is None:
        return _Ending("partial", _INTERNAL, ApiError(Kind.STREAM_BROKEN), ("partial",))
    code, reason = told
    # Some codes are only ever reported, never sent.
    sendable = code in _SENDABLE or 3000 <= code < 5000
    return _Ending("complete", code if sendable else _NORMAL, reason=clean_upstream_message(reason))


def _handshake(exchange: Exchange) -> Response:
    response = accept(exchange.path, exchange.headers, (SUBPROTOCOL,))
    if response is None:
        raise ApiError(
            Kind.INVALID_REQUEST,
            "This endpoint speaks WebSocket: connect to it with a realtime client.",
            code="websocket_required",
        )
    return response


async def _authenticate(exchange: Exchange, keys: KeyStore) -> KeyRecord:
    """Return the key's record; a key in the query is none, as URLs are logged on their way."""
    headers = exchange.headers
    offered = headers.get(b"sec-websocket-protocol", b"").decode("latin-1").split(",")
    if b"authorization" not in headers:
        secret = next(
            (
                name.strip().removeprefix(KEY_SUBPROTOCOL)
                for name in offered
                if name.strip().startswith(KEY_SUBPROTOCOL)
            ),
            "",
        )
        if secret:
            headers = {**headers, b"authorization": b"Bearer " + secret.encode("latin-1")}
    return presented.recognise(headers, b"", keys) or await presented.authenticate(
        headers, b"", keys
    )


def _model_of(query: bytes) -> str:
    """Return the model that a query names; what else it asks for would be ignored, so it is refused."""
    try:
        fields = parse_qsl(query.decode("latin-1"), True, max_num_fields=_FIELDS_MAX)
    except ValueError:
        fields = []
    for name, _ in fields:
        if name != "model":
            raise ApiError(
                Kind.INVALID_REQUEST,
                "Only the parameter 'model' is known here.",
                code="unknown_parameter",
                param=name,
            )
    if len(fields) != 1 or not fields[0][1]:
        raise ApiError(
            Kind.INVALID_REQUEST,
            "Name the model in the address: /v1/realtime?model=…",
            code="missing_model",
            param="model",
        )
    return fields[0][1]
