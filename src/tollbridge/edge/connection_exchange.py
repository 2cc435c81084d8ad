"""Owns the relay's side of one request: how an answer becomes bytes on the connection.

Must not know of parsers, limits or who else uses the connection.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from tollbridge.core.errors import ApiError, Kind, Profile
from tollbridge.core.websocket import Socket
from tollbridge.edge.limits import Load
from tollbridge.edge.refusals import STATUS_LINES, refusal, status_line
from tollbridge.relay.exchange import HeadFacts, Watcher

_BODILESS = frozenset({204, 304})
_LAST_CHUNK = b"0\r\n\r\n"

_OPEN, _STREAMING, _ANSWERED = range(3)


class Wire(Protocol):
    """What an exchange needs of its connection."""

    transport: asyncio.Transport
    load: Load

    def common_lines(self) -> bytes:
        """Return the header lines that every answer has now: date, and connection if it closes."""

    def grew(self, size: int) -> None:
        """Hear that `size` more bytes were given to the transport."""

    def answered(self) -> None:
        """Hear that the answer is complete: the next request may have its turn."""

    def hand_over(self, head: bytes, socket: Socket) -> None:
        """Send `head` and give the connection away for good."""


class ConnectionExchange:
    """One request on one connection (see `relay.exchange.Exchange`)."""

    __slots__ = (
        "_chunked",
        "_mute",
        "_phase",
        "_wire",
        "body",
        "facts",
        "gone",
        "headers",
        "method",
        "path",
        "peer",
        "query",
        "task",
        "watcher",
    )

    def __init__(
        self,
        wire: Wire,
        method: str,
        path: str,
        query: bytes,
        headers: Mapping[bytes, bytes],
        facts: HeadFacts,
        peer: str,
        chunked: bool,
    ) -> None:
        """Hold a request; `chunked` says whether a streamed answer may use chunks (not HTTP/1.0)."""
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.facts = facts
        self.peer = peer
        self.body = b""
        self.gone = False
        self.watcher: Watcher | None = None
        self.task: asyncio.Task[None] | None = None
        self._wire = wire
        self._chunked = chunked
        self._mute = method == "HEAD"
        self._phase = _OPEN

    def reply(self, status: int, headers: bytes, body: bytes) -> None:
        """Send a whole answer in one write; RuntimeError when there was an answer already."""
        self._leave(_OPEN, _ANSWERED)
        if self.gone:
            return
        wire = self._wire
        line = STATUS_LINES.get(status) or status_line(status)
        length = b"" if status in _BODILESS else b"content-length: %d\r\n" % len(body)
        shown = b"" if self._mute or status in _BODILESS else body
        parts = (line, wire.common_lines(), headers, length, b"\r\n", shown)
        wire.transport.write(b"".join(parts))
        wire.answered()

    def start(self, status: int, headers: bytes, first: bytes = b"") -> None:
        """Begin a streamed answer; RuntimeError when there was an answer already."""
        self._leave(_OPEN, _STREAMING)
        if self.gone:
            return
        wire = self._wire
        wire.load.open_streams += 1
        if status in _BODILESS:
            self._mute = True
            framing = b"\r\n"
        else:
            framing = b"transfer-encoding: chunked\r\n\r\n" if self._chunked else b"\r\n"
        line = STATUS_LINES.get(status) or status_line(status)
        wire.transport.write(
            b"".join((line, wire.common_lines(), headers, framing, self._framed(first)))
        )

    def write(self, data: bytes) -> None:
        """Send more of a streamed answer; RuntimeError outside of one."""
        if self._phase != _STREAMING:
            raise RuntimeError("there is no open stream to write to")
        if self.gone or not data or self._mute:
            return
        framed = b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data
        wire = self._wire
        wire.grew(len(framed))
        wire.transport.write(framed)

    def finish(self, data: bytes = b"") -> None:
        """Send the last bytes and end a streamed answer; RuntimeError outside of one."""
        self._leave(_STREAMING, _ANSWERED)
        if self.gone:
            return
        wire = self._wire
        wire.load.open_streams -= 1
        end = _LAST_CHUNK if self._chunked and not self._mute else b""
        last = self._framed(data) + end
        if last:
            wire.grew(len(last))
            wire.transport.write(last)
        wire.answered()

    def switch(self, head: bytes, socket: Socket) -> None:
        """Give the connection to a WebSocket; RuntimeError when there was an answer already."""
        self._leave(_OPEN, _ANSWERED)
        if not self.gone:
            self._wire.hand_over(head, socket)

    def abort(self) -> None:
        """Cut the connection so that the client cannot take the answer for complete."""
        if self._phase == _ANSWERED or self.gone:
            return
        self.watcher = None
        self.lost()
        self._wire.transport.abort()

    def lost(self) -> None:
        """Hear from the connection that the client is gone; tells the watcher once."""
        if self.gone:
            return
        self.gone = True
        if self._phase == _STREAMING:
            self._wire.load.open_streams -= 1
        if self.watcher is not None:
            self.watcher.client_gone()

    def close_out(self, profile: Profile) -> None:
        """Make sure that there is an end: `internal` if nothing was sent, a cut if it was begun."""
        if self._phase == _OPEN and not self.gone:
            self.reply(*refusal(ApiError(Kind.INTERNAL), self.path, profile))
        elif self._phase == _STREAMING:
            self.abort()

    def _leave(self, expected: int, phase: int) -> None:
        if self._phase != expected:
            raise RuntimeError("the exchange is already answered, or was never started")
        self._phase = phase

    def _framed(self, data: bytes) -> bytes:
        if not data or self._mute:
            return b""
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data
