"""Owns the fork: which half of the product answers a request, and what the edge answers itself.

Relay paths become an `Exchange`; everything else becomes uvicorn's ASGI cycle. Must not know what
either does with a request.
"""

import asyncio
import functools
import logging
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.websocket import Socket
from tollbridge.edge.clients import Clients, canonical
from tollbridge.edge.config import EdgeConfig
from tollbridge.edge.connection_exchange import ConnectionExchange
from tollbridge.edge.delimiting import close_delimited
from tollbridge.edge.head import (
    body_length,
    check_headers,
    folded,
    method_of,
    split_target,
    too_large,
)
from tollbridge.edge.known_head import KnownHead, around_length
from tollbridge.edge.patrol import Patrol
from tollbridge.edge.refusals import refusal, status_line
from tollbridge.edge.serial import BODY, CLOSING, IDLE, LINGER, WAIT, SerialProtocol
from tollbridge.relay.exchange import HeadFacts

_log = logging.getLogger("tollbridge.edge")

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CLOSE = b"connection: close\r\n"
_PIECES_JOINED = 256
# Where every head differs from the one before, no more of them are kept.
_LEARNED_MAX = 8
_LEARNED_BYTES = 8_192
# A connection without an address comes from a Unix socket: from this machine.
_LOCAL_PEER = "127.0.0.1"


class EdgeProtocol(SerialProtocol):
    """One connection. `make_protocol` gives uvicorn what makes them."""

    def __init__(
        self,
        edge: EdgeConfig,
        clients: Clients,
        patrol: Patrol,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Begin a connection of uvicorn's server, with what all connections share."""
        super().__init__(edge.limits, patrol, config, server_state, app_state, _loop)
        self.load = edge.load
        self._edge = edge
        self._clients = clients
        self._peer = _LOCAL_PEER
        self._common_of: list[tuple[bytes, bytes]] | None = None
        self._common = b""
        self._last_request = False
        # Of the request that is being read or relayed.
        self._target = b""
        self._exchange: ConnectionExchange | None = None
        # The head of the request before, and how many became known since one came again.
        self._known: KnownHead | None = None
        self._learned = 0
        self._pieces: list[bytes] = []
        self._joined = 0

    # ------------------------------------------------------------------ the connection's life

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note who is there."""
        super().connection_made(transport)
        if self.client is not None:
            self._peer = canonical(self.client[0]) or self.client[0]

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever is answering that nobody listens any more."""
        super().connection_lost(exc)
        exchange = self._exchange
        if exchange is not None:
            self._exchange = None
            exchange.lost()

    def shutdown(self) -> None:
        """Close at once when idle, else after the answer (uvicorn's graceful shutdown)."""
        if self._phase == IDLE or self._phase >= LINGER:
            self.transport.close()
            return
        self._last_request = True
        self._keep_alive = False
        cycle = self._open_cycle()
        if cycle is not None:
            cycle.keep_alive = False

    def _open_cycle(self) -> RequestResponseCycle | None:
        cycle: RequestResponseCycle | None = self.cycle
        return None if cycle is None or cycle.response_complete else cycle

    # ------------------------------------------------------------------ parser callbacks

    def on_message_begin(self) -> None:
        """Forget the request before; uvicorn's scope is built later and only for its own half."""
        self._fields.clear()
        self._target = b""

    def on_url(self, url: bytes) -> None:
        """Collect the request target, which may come in pieces."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header; the trailers of a chunked body land here too and nobody reads them."""
        self._fields.append((name.lower(), value.strip()))

    def on_headers_complete(self) -> None:
        """Refuse what is malformed, then choose the half; ApiError leaves through the parser."""
        self._check_header_count()
        parser = self.parser
        version = parser.get_http_version()
        method = method_of(parser.get_method(), self._target)
        path, query = split_target(self._target)
        headers = folded(self._fields)
        current = version == "1.1"
        upgrades = current and b"upgrade" in headers and self._edge.upgrades(method, path)
        check_headers(headers, version, upgrades=upgrades)
        length = body_length(headers, version, self._limits.max_body_bytes)
        self._keep_alive = current and not self._last_request and parser.should_keep_alive()
        peer = self._clients.address(self._peer, headers.get(b"x-forwarded-for"))
        wants_continue = False
        if b"expect" in headers and current and length:
            wants_continue = headers[b"expect"].lower() == b"100-continue"
        if self._edge.diverts(method, path):
            if self._edge.draining():
                raise ApiError(Kind.DRAINING)
            facts = HeadFacts()
            self._exchange = ConnectionExchange(
                self, method, path, query, headers, facts, peer, current
            )
            if wants_continue:
                self.transport.write(_CONTINUE)
            elif length > 0 and self._keep_alive:
                self._learn((method, self._target, path, query), headers, facts)
        else:
            self._begin_asgi(peer, wants_continue)
        if length:
            self._expect_body(length)

    def _learn(
        self, request: tuple[str, bytes, str, bytes], headers: dict[bytes, bytes], facts: HeadFacts
    ) -> None:
        """Keep the head, which was accepted, for the next request."""
        if self._learned < _LEARNED_MAX and len(self._piece) <= _LEARNED_BYTES:
            self._learned += 1
            around = around_length(self._piece, headers[b"content-length"])
            self._known = None if around is None else KnownHead(around, request, headers, facts)

    def _take_known(self, data: bytes) -> int:
        """Begin a request with the head of the one before; its body need not be whole yet."""
        known = self._known
        found = None if known is None else known.begins(data)
        if known is None or found is None:
            return 0
        length, start = found
        size = len(data)
        if size - start > length or length > self._limits.max_body_bytes or self._edge.draining():
            return 0
        self._learned = 0
        self._target = known.target
        self._keep_alive = not self._last_request
        peer = self._clients.address(self._peer, known.headers.get(b"x-forwarded-for"))
        exchange = self._exchange = ConnectionExchange(
            self, known.method, known.path, known.query, known.headers, known.facts, peer, True
        )
        if size - start == length:
            exchange.body = data[start:]
            self._run(exchange)
            return size
        self._expect_body(length)
        self._unparsed = True
        return start

    def _begin_asgi(self, peer: str, wants_continue: bool) -> None:
        # The parser has to have seen the request before one that is taken without it.
        self._known = None
        target, fields = self._target, self._fields.copy()
        super().on_message_begin()
        self.url = target
        self.headers = fields
        self.expect_100_continue = wants_continue
        self.scope["headers"] = fields
        port = self.client[1] if self.client is not None and peer == self._peer else 0
        self.scope["client"] = (peer, port)
        super().on_headers_complete()
        self.cycle.keep_alive = self._keep_alive

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; BODY_TOO_LARGE as soon as it is."""
        self._body_bytes += len(body)
        if self._body_bytes > self._limits.max_body_bytes:
            raise too_large(self._limits.max_body_bytes)
        if self._exchange is None:
            super().on_body(body)
            return
        pieces = self._pieces
        pieces.append(body)
        # Many tiny pieces would cost far more memory than their bytes.
        if len(pieces) - self._joined >= _PIECES_JOINED:
            pieces[self._joined :] = [b"".join(pieces[self._joined :])]
            self._joined += 1

    def on_message_complete(self) -> None:
        """Hand a relayed request over; uvicorn's half has been running since its head."""
        exchange = self._exchange
        if exchange is None:
            self._await()
            super().on_message_complete()
            if self._open_cycle() is None:
                self._next_request()
            return
        pieces = self._pieces
        if pieces:
            exchange.body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            self._joined = 0
        self._run(exchange)

    def _run(self, exchange: ConnectionExchange) -> None:
        self._await()
        self.load.in_flight += 1
        exchange.task = self.loop.create_task(self._relay(exchange))
        self.tasks.add(exchange.task)

    def _await(self) -> None:
        """Wait for the answer; what comes before it is done waits too."""
        self._phase = WAIT
        self.deadline = self.loop.time() + self._limits.client_stall_s

    # ------------------------------------------------------------------ answers

    async def _relay(self, exchange: ConnectionExchange) -> None:
        """Run the relay on one request; the outermost place for whatever it raises."""
        try:
            await self._edge.handle(exchange)
        except Exception as error:  # noqa: BLE001 - the client must get an end, the log only a name
            _log.error("the relay failed with %s", type(error).__name__)
        finally:
            self.load.in_flight -= 1
            if exchange.task is not None:
                self.tasks.discard(exchange.task)
            exchange.close_out(self._edge.profile())

    def common_lines(self) -> bytes:
        """Return the lines of every answer now: uvicorn's (date, once a second) and the close."""
        lines = self.server_state.default_headers
        if lines is not self._common_of:
            self._common_of = lines
            self._common = b"".join(b"%b: %b\r\n" % line for line in lines)
        return self._common if self._keep_alive else self._common + _CLOSE

    def answered(self) -> None:
        """Give the next request its turn (called by the exchange)."""
        self._exchange = None
        self.server_state.total_requests += 1
        self._next_request()

    def hand_over(self, head: bytes, socket: Socket) -> None:
        """Give the connection to a WebSocket, with what its client sent early (for the exchange)."""
        held = self._held[self._held_from :]
        self._exchange = None
        self._held = b""
        self._phase = CLOSING
        self._patrol.leave(self)
        self.server_state.total_requests += 1
        self.load.open_streams += 1
        self.connections.discard(self)
        self.connections.add(socket)  # type: ignore[arg-type]  # it has what uvicorn calls
        socket.on_lost = functools.partial(self._lost_socket, socket)
        self.transport.write(head)
        self.transport.set_protocol(socket)
        socket.connection_made(self.transport)
        self.flow.resume_reading()
        if held:
            socket.data_received(held)

    def _lost_socket(self, socket: Socket) -> None:
        self.load.open_streams -= 1
        self.connections.discard(socket)

    def on_response_complete(self) -> None:
        """Give the next request its turn, or wait for the rest of this body (uvicorn's call)."""
        self.server_state.total_requests += 1
        if self._phase == BODY and not self.transport.is_closing():
            self.flow.resume_reading()
        else:
            self._next_request()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if cycle.scope["http_version"] == "1.0":
            app = close_delimited(cycle, app)
        super()._start_asgi_task(cycle, app)

    def _refuse(self, error: ApiError) -> None:
        """Answer what cannot be served and end the connection: its framing is not to be trusted.

        The write side is shut at once, the read side a little later, or the client's kernel would
        throw our answer away while it still sends.
        """
        path = self._target.partition(b"?")[0].decode("latin-1")
        cycle = self._open_cycle()
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        self._exchange = None
        self._pieces.clear()
        self._held = b""
        if self.transport.is_closing() or (cycle is not None and cycle.response_started):
            self.transport.abort()
            return
        self._phase = LINGER
        self._keep_alive = False
        self.deadline = self.loop.time() + self._limits.linger_s
        status, lines, body = refusal(error, path, self._edge.profile())
        length = b"content-length: %d\r\n\r\n" % len(body)
        shown = b"" if self._target and self.parser.get_method() == b"HEAD" else body
        head = status_line(status) + self.common_lines() + lines + length
        self.transport.write(head + shown)
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    # ------------------------------------------------------------------ slow clients

    def pause_writing(self) -> None:
        """Tell whoever is answering to stop."""
        super().pause_writing()
        if self._exchange is not None and self._exchange.watcher is not None:
            self._exchange.watcher.client_slow()

    def resume_writing(self) -> None:
        """Tell whoever is answering to go on."""
        super().resume_writing()
        if self._exchange is not None and self._exchange.watcher is not None:
            self._exchange.watcher.client_ready()

    def grew(self, size: int) -> None:
        """Count what is written to a client that is slow, so that its progress can be told."""
        if self.flow.write_paused:
            self._stall.grew(size)


def make_protocol(edge: EdgeConfig) -> "functools.partial[EdgeProtocol]":
    """Return what `uvicorn.Config(http=…)` takes; its connections share limits and deadlines."""
    clients = Clients(edge.trusted_proxies)
    return functools.partial(EdgeProtocol, edge, clients, Patrol(edge.limits.round_s))
