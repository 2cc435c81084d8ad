"""Owns one connection to an upstream: parsing replies, judging them, and when it may be kept.

The parser only records; everything is reported after it has returned, so nobody is called from
inside it and what arrived together is reported together. It must not know of pools and dialling.
"""

import asyncio
import select
from typing import Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from tollbridge.upstreams.call import Call
from tollbridge.upstreams.decode import BadEncodingError, Decoder, OversizeError
from tollbridge.upstreams.failures import Reason
from tollbridge.upstreams.limits import Limits
from tollbridge.upstreams.target import Target

_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"content-encoding"))
_BODY_HEADERS = frozenset((b"content-length", b"content-encoding"))
_JOINED_MAX = 65_536
_BODILESS = 204


class Owner(Protocol):
    """Who opened the connection and takes it back."""

    def completed(self, connection: "Connection", call: Call, *, clean: bool) -> None:
        """The reply is complete; `clean`: the connection may carry another request."""

    def lost(self, connection: "Connection") -> None:
        """The connection is closed."""

    def died(self, call: Call) -> bool:
        """The connection closed before any byte of the reply; True when the owner sends again."""


class _Surplus(Exception):
    """Raised into the parser to stop it; what it means is read from the connection's state."""


class Connection(asyncio.Protocol):
    """One connection; carries one call at a time, and none after anything unexpected."""

    __slots__ = (
        "_barren",
        "_chunked",
        "_complete",
        "_decoder",
        "_encoding",
        "_fault",
        "_feed",
        "_final",
        "_head_bytes",
        "_headers",
        "_interim",
        "_keep",
        "_length",
        "_limits",
        "_owner",
        "_parser",
        "_pieces",
        "_poll",
        "_trailers",
        "call",
        "head_seen",
        "on_body",
        "reads",
        "status",
        "target",
        "transport",
    )

    # Of the reply in hand; set by `_reset`.
    status: int
    reads: int
    head_seen: bool
    _headers: list[tuple[bytes, bytes]]
    _final: bool
    _complete: bool
    _keep: bool
    _length: int
    _chunked: bool
    _encoding: bytes
    _decoder: Decoder | None
    _fault: Reason | None
    _head_bytes: int
    _barren: int
    _interim: int
    _trailers: int

    def __init__(self, target: Target, owner: Owner, limits: Limits) -> None:
        self.target = target
        self._owner = owner
        self._limits = limits
        self.transport: asyncio.Transport | None = None
        self._poll = select.poll()
        self.call: Call | None = None
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append
        self._reset()
        # One parser for all replies: a new one would cost a fifth of parsing a whole reply.
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._feed = self._parser.feed_data

    def begin(self, call: Call, now: float) -> None:
        """Write the call's request and expect its reply. The connection must be alive and free."""
        transport = self.transport
        assert transport is not None
        self._reset()
        self.call = call
        call.carrier = self
        call.stamp = now
        if call.paused:
            transport.pause_reading()
        body = call.body
        if len(body) <= _JOINED_MAX:
            transport.write(call.head + body if body else call.head)
        else:
            transport.writelines((call.head, body))

    @property
    def alive(self) -> bool:
        """Whether the connection stands, as far as is known."""
        return self.transport is not None and not self.transport.is_closing()

    @property
    def silent(self) -> bool:
        """Whether nothing has arrived that the loop did not read yet: surplus bytes or the end.

        Asked before a kept connection is used again. A reply that was sent unasked and lies in the
        socket would otherwise be taken for the answer to the next request.
        """
        return not self._poll.poll(0)

    def drop(self) -> None:
        """Close at once, without a word to the call."""
        self.call = None
        if self.transport is not None:
            self.transport.abort()

    def hold(self, *, paused: bool) -> None:
        """Stop or continue to read."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if paused:
            transport.pause_reading()
        else:
            transport.resume_reading()

    # ------------------------------------------------------------ from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport  # type: ignore[assignment]
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Parse, then report what was found."""
        call = self.call
        if call is None:
            self.drop()  # nothing was asked, so the next answer could not be told from this
            return
        self.reads += 1
        try:
            self._feed(data)
        except (HttpParserError, HttpParserUpgrade):
            if not self._complete:
                call.break_off(self._fault or Reason.PROTOCOL_ERROR)
                return
            self._keep = False
        if not self.head_seen and not self._report_head(call, len(data)):
            return
        if self._pieces:
            self._barren = 0
            if not self._report_body(call):
                return
        elif not self._complete and not self._has_patience(call, len(data)):
            return
        if self._complete:
            self._finish(call)

    def connection_lost(self, exc: Exception | None) -> None:
        """Settle the call, if there is one: end of a body without length, resend, or failure."""
        call = self.call
        self._owner.lost(self)
        self.transport = None
        self._parser = None
        del self._feed, self.on_body  # they hold this connection in a circle
        if call is None:
            return
        if self._ends_by_close() and exc is None:
            self._keep = False
            self._finish(call)
        elif self.reads or not self._owner.died(call):
            call.break_off(Reason.CLOSED_EARLY)

    # ------------------------------------------------------------ from the parser

    def on_message_begin(self) -> None:
        """Stop the parser when something follows a complete reply."""
        if self._complete:
            raise _Surplus

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect headers; drop trailers."""
        if self._final:
            self._trailers += 1
            if self._trailers > self._limits.trailers:
                raise _Surplus
            return
        name = name.lower()
        if name in _FRAMING:
            self._note(name, value)
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Skip interim heads; judge the size of the final one."""
        status = self._parser.get_status_code()  # type: ignore[union-attr]
        if status < 200:
            self._interim += 1
            if status == 101 or self._interim > self._limits.interim_replies:
                raise _Surplus
            self._headers.clear()
            self._encoding = b""
            self._length = -1
            self._chunked = False
            return
        if len(self._headers) > self._limits.headers:
            self._fault = Reason.HEAD_TOO_LARGE
            raise _Surplus
        self.status = status
        self._final = True
        self._keep = self._parser.should_keep_alive()  # type: ignore[union-attr]

    def on_message_complete(self) -> None:
        """Note the end; an interim reply has none of its own."""
        self._complete = self._final

    # ------------------------------------------------------------ inside

    def _reset(self) -> None:
        self._headers = []
        self.status = 0
        self.reads = 0
        self._final = False
        self.head_seen = False
        self._complete = False
        self._keep = False
        self._length = -1
        self._chunked = False
        self._encoding = b""
        self._decoder = None
        self._fault = None
        self._head_bytes = 0
        self._barren = 0
        self._interim = 0
        self._trailers = 0

    def _note(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            self._length = int(value)  # digits, the parser has seen to that
        elif name == b"transfer-encoding":
            # Anything but exactly chunked, once, would be framed differently by somebody.
            if self._chunked or value.strip().lower() != b"chunked":
                raise _Surplus
            self._chunked = True
        else:
            value = value.strip().lower()
            if value != b"identity":
                self._encoding = self._encoding + b"," + value if self._encoding else value

    def _report_head(self, call: Call, size: int) -> bool:
        """Report the head if it is there; False when there is nothing more to report now."""
        self._head_bytes += size
        if self._head_bytes > self._limits.head_bytes and self._head_floods():
            call.break_off(Reason.HEAD_TOO_LARGE)
            return False
        if not self._final:
            return False
        call.body = b""  # not needed for a second attempt any more
        if 300 <= self.status < 400:
            call.break_off(Reason.REDIRECTED)
            return False
        if self._encoding and self.status != _BODILESS:
            if not self._decode(call):
                return False
        elif self._length > call.budget:
            call.break_off(Reason.REPLY_TOO_LARGE)
            return False
        self.head_seen = True
        call.sink.head(self.status, self._headers)
        return self.call is call

    def _head_floods(self) -> bool:
        """Count exactly, as what came with the head may be body."""
        if not self._final:
            return True
        size = sum(len(name) + len(value) + 4 for name, value in self._headers)
        return size > self._limits.head_bytes

    def _decode(self, call: Call) -> bool:
        limit = min(call.budget, self._limits.decoded_bytes)
        try:
            self._decoder = Decoder(self._encoding, limit)
        except BadEncodingError:
            call.break_off(Reason.BAD_ENCODING)
            return False
        self._headers = [pair for pair in self._headers if pair[0] not in _BODY_HEADERS]
        return True

    def _report_body(self, call: Call) -> bool:
        """Report what was collected; False when the call is over thereby."""
        pieces = self._pieces
        chunk = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        if self._decoder is not None:
            try:
                chunk = self._decoder.feed(chunk)
            except BadEncodingError:
                call.break_off(Reason.BAD_ENCODING)
                return False
            except OversizeError:
                call.break_off(Reason.REPLY_TOO_LARGE)
                return False
            if not chunk:
                return True
        call.budget -= len(chunk)
        if call.budget < 0:
            call.break_off(Reason.REPLY_TOO_LARGE)
            return False
        call.sink.data(chunk)
        return self.call is call

    def _has_patience(self, call: Call, size: int) -> bool:
        """Bound what may come without yielding any body: endless trailers, chunk extensions."""
        self._barren += size
        if self._barren <= self._limits.head_bytes:
            return True
        call.break_off(Reason.PROTOCOL_ERROR)
        return False

    def _ends_by_close(self) -> bool:
        return self.head_seen and self._length < 0 and not self._chunked

    def _finish(self, call: Call) -> None:
        if self._decoder is not None:
            try:
                self._decoder.finish()
            except BadEncodingError:
                call.break_off(Reason.BAD_ENCODING)
                return
        self.call = call.carrier = None
        transport = self.transport
        clean = (
            self._keep
            and not self._trailers  # the parser may still hold the last of them
            and transport is not None
            and not transport.get_write_buffer_size()
        )
        if clean and call.paused:
            self.hold(paused=False)
        self._owner.completed(self, call, clean=clean)
        call.sink.end()
