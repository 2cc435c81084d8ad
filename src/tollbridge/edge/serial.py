"""Owns the bytes of a connection and whose turn it is: one parser, one request at a time.

Must not know what a request means nor who answers it.

Why pipelined requests cannot get mixed up: a request ends with the blank line of its head, with the
last byte that its content-length announced, or with the blank line behind its last chunk. The
parser is fed up to the next place where that can be and no further, so it never sees a byte of the
next request before this one has its answer. What came too early waits as raw bytes, and reading is
paused while anything waits. (It is not paused before: that would hide a client that leaves.)
"""

import asyncio
from abc import abstractmethod
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from tollbridge.core.errors import ApiError, Kind
from tollbridge.edge.head import CHUNKED, malformed
from tollbridge.edge.limits import Limits
from tollbridge.edge.patrol import Patrol
from tollbridge.edge.stall import Stall

_BLANK_LINE = b"\r\n\r\n"
_WRITE_BUFFER_BYTES = 65_536
# Only an application that polls for a disconnect lets more than one read pile up.
_HELD_MAX = 1_048_576

# Where a connection stands; the order matters: below BODY a head is awaited, from WAIT on nothing
# is fed to the parser.
IDLE, HEAD, BODY, WAIT, LINGER, CLOSING = range(6)


class SerialProtocol(HttpToolsProtocol):
    """uvicorn's protocol, made to take one request after the other and none for ever."""

    def __init__(
        self,
        limits: Limits,
        patrol: Patrol,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Begin a connection; `deadline` is on the loop's clock and read by the patrol."""
        super().__init__(config, server_state, app_state, _loop)
        self.deadline = 0.0
        self._limits = limits
        self._patrol = patrol
        self._phase = IDLE
        self._stall: Stall
        # What came before its turn: bytes, and where the part that is still to be used begins.
        self._held = b""
        self._held_from = 0
        # Of the request that is being read; `_tail` is what may be the start of a cut blank line.
        self._fields: list[tuple[bytes, bytes]] = []
        self._tail = b""
        self._head_bytes = 0
        self._body_bytes = 0
        self._body_left = 0
        self._overhead = 0
        self._keep_alive = True
        # The head that is being parsed, where it came in one piece.
        self._piece = b""
        # This body belongs to a head that the parser has not seen, so it does not see the body.
        self._unparsed = False

    @abstractmethod
    def _take_known(self, data: bytes) -> int:
        """Take a request whose head is known; return how many bytes that was, 0 for none."""

    @abstractmethod
    def _refuse(self, error: ApiError) -> None:
        """Answer what cannot be served and end the connection."""

    # ------------------------------------------------------------------ the connection's life

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to expect a head."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        self._stall = Stall(transport, self._limits.client_stall_s)
        self.deadline = self.loop.time() + self._limits.head_timeout_s
        self._patrol.join(self, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what waited."""
        self._patrol.leave(self)
        self._phase = CLOSING
        self._held = b""
        super().connection_lost(exc)

    def overdue(self, now: float) -> None:
        """Act on a passed deadline: what it means depends on where the connection stands."""
        phase = self._phase
        if phase == LINGER:
            self.transport.abort()
        elif phase == CLOSING or self.flow.write_paused or self.transport.is_closing():
            again = self._stall.look(now)
            if again is None:
                self.transport.abort()
            else:
                self.deadline = again
        elif phase == IDLE:
            self.transport.close()
        elif phase == WAIT or (phase == BODY and self.flow.read_paused):
            self.deadline = now + self._limits.client_stall_s
        else:
            part = "head" if phase == HEAD else "body"
            message = f"The request's {part} stopped arriving."
            self._refuse(ApiError(Kind.INVALID_REQUEST, message, code="request_timeout"))

    # ------------------------------------------------------------------ bytes in

    def data_received(self, data: bytes) -> None:
        """Feed the parser, or keep the bytes until it is their turn."""
        phase = self._phase
        if phase >= WAIT or self.flow.write_paused:
            self._hold(data, 0)
            return
        at = self._take_known(data) if phase == IDLE else 0
        if at < len(data):
            self._feed(data, at)

    def _feed(self, data: bytes, at: int) -> None:
        size = len(data)
        try:
            while at < size:
                if self._phase < BODY:
                    at = self._feed_head(data, at)
                elif self._phase == BODY:
                    at = self._feed_body(data, at)
                else:
                    self._hold(data, at)
                    return
        except HttpParserError as error:
            # What our own callbacks raise inside the parser comes out wrapped.
            cause = error.__context__
            unreadable = malformed("The request is not valid HTTP/1.1.")
            self._refuse(cause if isinstance(cause, ApiError) else unreadable)
        except ApiError as error:
            self._refuse(error)

    def _feed_head(self, data: bytes, at: int) -> int:
        fresh = self._phase == IDLE
        if fresh:
            self._phase = HEAD
            self._head_bytes = 0
            self._tail = b""
        end = self._block_end(data, at)
        self._head_bytes += end - at
        limits = self._limits
        if self._head_bytes > limits.max_head_bytes:
            raise malformed(f"The request head is larger than {limits.max_head_bytes} bytes.")
        piece = data if end - at == len(data) else data[at:end]
        self._piece = piece if fresh else b""
        try:
            self.parser.feed_data(piece)
        except HttpParserUpgrade:
            # One that was let through; the piece ends with its head, so nothing is lost.
            self._keep_alive = False
        if self._phase == HEAD:
            self._check_header_count()
            self._tail = (self._tail + piece)[-3:]
            if fresh:
                self.deadline = self.loop.time() + limits.head_timeout_s
        return end

    def _feed_body(self, data: bytes, at: int) -> int:
        if self._unparsed:
            return self._feed_unparsed(data, at)
        before = self._body_bytes
        if self._body_left == CHUNKED:
            end = self._block_end(data, at)
            piece: bytes | memoryview = data[at:end]
            self._tail = (self._tail + data[max(at, end - 3) : end])[-3:]
        else:
            end = min(at + self._body_left, len(data))
            self._body_left -= end - at
            piece = data if end - at == len(data) else memoryview(data)[at:end]
        self.parser.feed_data(piece)
        if self._phase == BODY:
            self._judge_progress(self._body_bytes - before, end - at)
        return end

    def _feed_unparsed(self, data: bytes, at: int) -> int:
        end = min(at + self._body_left, len(data))
        self._body_left -= end - at
        self.on_body(data if end - at == len(data) else data[at:end])
        if self._body_left:
            self.deadline = self.loop.time() + self._limits.body_progress_s
        else:
            self._unparsed = False
            self.on_message_complete()
        return end

    def _judge_progress(self, content: int, fed: int) -> None:
        """Give the body more time for content; count what is none (chunk extensions, trailers)."""
        if content:
            self._overhead = 0
            self.deadline = self.loop.time() + self._limits.body_progress_s
            return
        self._overhead += fed
        if self._overhead > self._limits.max_head_bytes:
            raise malformed("The chunked body has too much around its content.")

    def _block_end(self, data: bytes, at: int) -> int:
        """Return where the next blank line ends, also one cut by the reads; else the data's end."""
        tail = self._tail
        if tail:
            cut = (tail + data[at : at + 3]).find(_BLANK_LINE)
            if cut >= 0:
                return at + cut + len(_BLANK_LINE) - len(tail)
        found = data.find(_BLANK_LINE, at)
        return len(data) if found < 0 else found + len(_BLANK_LINE)

    def _check_header_count(self) -> None:
        if len(self._fields) > self._limits.max_headers:
            raise malformed(f"The request has more than {self._limits.max_headers} headers.")

    def _expect_body(self, length: int) -> None:
        """Take what follows for a body of `length` bytes, or CHUNKED."""
        self._phase = BODY
        self._body_left = length
        self._body_bytes = 0
        self._overhead = 0
        self._tail = b""
        self.deadline = self.loop.time() + self._limits.body_progress_s

    # ------------------------------------------------------------------ turns

    def _hold(self, data: bytes, at: int) -> None:
        if self._phase >= LINGER:
            return
        if self._held:
            data = self._held[self._held_from :] + data[at:]
            at = 0
        if len(data) - at > _HELD_MAX:
            self.transport.abort()
            return
        self._held = data
        self._held_from = at
        self.flow.pause_reading()

    def _next_request(self) -> None:
        """Give the next request its turn; the answer to the one before is complete."""
        if self._phase == LINGER:
            return
        if not self._keep_alive or self.transport.is_closing():
            self._close()
            return
        self._phase = IDLE
        if self.flow.write_paused:
            return
        self.deadline = self.loop.time() + self._limits.keep_alive_s
        # uvicorn's half resumes reading by itself, so a running read does not mean an empty hold.
        if self._held or self.flow.read_paused:
            self._release()

    def _release(self) -> None:
        """Go on with what was held, then with new bytes."""
        data = self._held
        if data:
            self._held = b""
            self._feed(data, self._held_from)
        if not self._held and not self.transport.is_closing():
            self.flow.resume_reading()

    def _close(self) -> None:
        """Close once the client has taken what is on its way; one that does not is cut off."""
        self._phase = CLOSING
        self.deadline = self._stall.begin(self.loop.time())
        self.transport.close()

    # ------------------------------------------------------------------ slow clients

    def pause_writing(self) -> None:
        """Begin to watch whether the client goes on taking its answer."""
        super().pause_writing()
        if self._phase < LINGER:
            self.deadline = self._stall.begin(self.loop.time())

    def resume_writing(self) -> None:
        """Go on; a request that had to wait for this has its turn."""
        super().resume_writing()
        if self._phase >= LINGER:
            return
        limits = self._limits
        wait_s = limits.keep_alive_s if self._phase == IDLE else limits.client_stall_s
        self.deadline = self.loop.time() + wait_s
        if self._phase == IDLE:
            self._release()
