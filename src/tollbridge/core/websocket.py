"""Owns one side of a WebSocket on an asyncio transport: whole messages in and out, its close.

The frames are the library's (`websockets`, sans-I/O). Must not know what a message says, who the
peer is or what is metered.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from websockets.datastructures import Headers
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import OPEN, Event, Protocol
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

MESSAGE_MAX: Final = 16_777_216
"""Bytes of the largest message; the realtime protocol itself takes events of 15 MiB."""

_SWITCHING = 101
_HELD_BYTES = 262_144
_HELD_MESSAGES = 256
_CLOSE_S = 5.0
_REASON_BYTES = 123
# Outside of every hierarchy of loggers: at debug the library would log headers, and those carry keys.
_MUTE = logging.Logger("tollbridge.websocket", logging.CRITICAL + 1)  # noqa: LOG001


class Message(NamedTuple):
    """One whole message, put together where it came in fragments."""

    data: bytes
    text: bool = True


class Socket(asyncio.Protocol):
    """One side. One reader and one writer at a time; reading pauses while nobody takes messages."""

    def __init__(self, frames: Protocol) -> None:
        """Begin with the library's state of a side; it is its transport's protocol from then on."""
        self.on_lost: Callable[[], None] | None = None
        """Called once when the connection is gone."""
        self.on_shutdown: Callable[[], None] | None = None
        """Called when the process is ending; without it the connection is closed at once."""
        self._frames = frames
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._inbox: deque[Message] = deque()
        self._inbox_bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._partial: bytearray | None = None
        self._partial_text = True
        self._paused = False
        self._over = False
        self._lost = self._loop.create_future()
        self._closing: asyncio.TimerHandle | None = None
        self._heard_at = self._loop.time()

    # ------------------------------------------------------------------ for its owner

    @property
    def heard_at(self) -> float:
        """The loop's time at which the peer last gave a sign; now while we do not listen."""
        return self._loop.time() if self._paused else self._heard_at

    @property
    def over(self) -> bool:
        """Whether no message can be sent any more."""
        return self._over

    @property
    def slow(self) -> bool:
        """Whether `send` would have to wait."""
        return not self._writable.is_set()

    @property
    def closed(self) -> tuple[int, str] | None:
        """The code and reason that the peer closed with; None when it did not say goodbye."""
        told: Close | None = self._frames.close_rcvd
        return None if told is None else (int(told.code), told.reason)

    async def receive(self) -> Message | None:
        """Return the next message, None when there will be none."""
        while not self._inbox:
            if self._over:
                return None
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        message = self._inbox.popleft()
        self._inbox_bytes -= len(message.data)
        if not self._inbox:
            self._resume()
        return message

    async def send(self, message: Message) -> None:
        """Send a message, after waiting for a peer that is slow; nothing when it has left."""
        await self._writable.wait()
        if self._over:
            return
        if message.text:
            self._frames.send_text(message.data)
        else:
            self._frames.send_binary(message.data)
        self._flush()
        if self._transport is not None and self._transport.is_closing():
            # The write found nobody. Told now: a writer that never waits gives the loop no turn.
            self._finish()

    def ping(self) -> None:
        """Ask for a sign of life."""
        if not self._over:
            self._frames.send_ping(b"")
            self._flush()

    def close(self, code: int, reason: str = "", last: bytes | None = None) -> None:
        """Say goodbye, after a `last` text, and end the connection soon whatever the peer does."""
        if not self._over:
            if last is not None:
                self._frames.send_text(last)
            text = reason.encode()[:_REASON_BYTES].decode(errors="ignore")
            self._frames.send_close(code, text)
            self._flush()
        self._end()

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    async def gone(self) -> None:
        """Return once the connection is gone."""
        await asyncio.shield(self._lost)

    def shutdown(self) -> None:
        """Hear from the server that the process is ending (uvicorn's graceful shutdown)."""
        if self.on_shutdown is not None:
            self.on_shutdown()
        else:
            self.close(1001)

    def opened(self, event: Event) -> None:
        """Take the handshake's answer; only a side that asked for one gets it."""

    # ------------------------------------------------------------------ the transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport  # type: ignore[assignment]  # of a stream, always
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take bytes of the peer."""
        self._heard_at = self._loop.time()
        self._frames.receive_data(data)
        events = self._frames.events_received()
        self._flush()
        for event in events:
            if isinstance(event, Frame):
                self._take(event)
            else:
                self.opened(event)
        if self._frames.close_expected():
            self._end()

    def eof_received(self) -> None:
        """The peer sends no more; the transport closes by itself."""
        self._finish()
        self._frames.receive_eof()
        self._flush()
        events = self._frames.events_received()
        for event in events:
            self.opened(event)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The connection is gone."""
        self._frames.receive_eof()
        if self._closing is not None:
            self._closing.cancel()
        self._finish()
        if not self._lost.done():
            self._lost.set_result(None)
        if self.on_lost is not None:
            self.on_lost()

    def pause_writing(self) -> None:
        """The peer is slow: `send` waits."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self._writable.set()

    # ------------------------------------------------------------------ its own

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self._finish()
        elif frame.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT} and not self._over:
            if frame.opcode is not Opcode.CONT:
                self._partial_text = frame.opcode is Opcode.TEXT
                if frame.fin:
                    self._deliver(bytes(frame.data))
                    return
                self._partial = bytearray()
            assert self._partial is not None  # the library refuses a fragment of nothing
            # One buffer, however many tiny fragments there are.
            self._partial += frame.data
            if frame.fin:
                whole, self._partial = bytes(self._partial), None
                self._deliver(whole)

    def _deliver(self, data: bytes) -> None:
        self._inbox.append(Message(data, self._partial_text))
        self._inbox_bytes += len(data)
        self._wake()
        if self._paused or self._transport is None:
            return
        if self._inbox_bytes >= _HELD_BYTES or len(self._inbox) >= _HELD_MESSAGES:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._heard_at = self._loop.time()
            self._transport.resume_reading()

    def _flush(self) -> None:
        if self._transport is None:
            return
        for data in self._frames.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()

    def _end(self) -> None:
        """No message comes or goes any more; the connection is cut unless it ends by itself."""
        self._finish()
        if self._closing is None and not self._lost.done():
            self._closing = self._loop.call_later(_CLOSE_S, self.abort)
        # What was not taken would keep the peer's goodbye from being read.
        self._resume()

    def _finish(self) -> None:
        self._over = True
        self._writable.set()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def frames_of_server() -> Protocol:
    """Return the state of a server's side whose handshake is done."""
    return ServerProtocol(state=OPEN, max_size=MESSAGE_MAX, logger=_MUTE)


def mute() -> logging.Logger:
    """Return the logger that the library is to write to: nothing ever comes out of it."""
    return _MUTE


def accept(
    target: str, headers: Mapping[bytes, bytes], subprotocols: tuple[str, ...] = ()
) -> Response | None:
    """Return the 101 for a client's handshake, None when it is not a handshake.

    `subprotocols` are those that may be chosen, the best first; a client that offers none of them
    is taken without one.
    """
    given = Headers(
        [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.items()]
    )
    side = ServerProtocol(
        subprotocols=[Subprotocol(name) for name in subprotocols],
        select_subprotocol=_first_offered,
        logger=_MUTE,
    )
    response = side.accept(Request(target, given))
    return response if response.status_code == _SWITCHING else None


def _first_offered(side: ServerProtocol, offered: object) -> Subprotocol | None:
    names = list(offered) if isinstance(offered, (list, tuple)) else []
    return next((name for name in side.available_subprotocols or () if name in names), None)
