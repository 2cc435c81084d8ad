"""Owns the passage of an upstream's stream to a client that nothing is charged for: byte by byte.

What is no stream is gathered for whoever asked. Must not know what passes.
"""

import asyncio

from tollbridge.relay.exchange import Exchange
from tollbridge.relay.replies import stream_lines
from tollbridge.upstreams.call import Call, Reply
from tollbridge.upstreams.failures import Reason, UpstreamFailure

_OK = 200
_EVENTS = b"text/event-stream"
_PLAIN_MAX_BYTES = 1024 * 1024


class Passage:
    """One answer: a sink of the upstream client and the watcher of the client."""

    __slots__ = (
        "_call",
        "_done",
        "_headers",
        "_lines",
        "_plain",
        "_status",
        "_streams",
        "exchange",
    )

    def __init__(self, exchange: Exchange, lines: bytes) -> None:
        """`lines` are header lines of ours that a stream begins with."""
        self.exchange = exchange
        self._lines = lines
        self._call: Call | None = None
        self._done: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._plain = bytearray()
        self._streams = False

    async def over(self, call: Call) -> Reply | None:
        """Return when all has passed, or the whole answer when it was no stream; UpstreamFailure."""
        self._call = call
        self.exchange.watcher = self
        if self.exchange.gone:
            self.client_gone()
        try:
            return await self._done
        finally:
            self.exchange.watcher = None
            call.abort()

    # what the upstream client reports

    def head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Begin the client's answer if this is a stream."""
        self._status, self._headers = status, headers
        kind = dict(headers).get(b"content-type", b"")
        self._streams = status == _OK and kind.lower().startswith(_EVENTS)
        if self._streams:
            self.exchange.start(_OK, stream_lines(kind) + self._lines)

    def data(self, chunk: bytes) -> None:
        """Pass bytes on."""
        if self._streams:
            self.exchange.write(chunk)
            return
        self._plain += chunk
        if len(self._plain) > _PLAIN_MAX_BYTES and self._call is not None:
            self._call.break_off(Reason.REPLY_TOO_LARGE)

    def end(self) -> None:
        """End the client's answer as the upstream has ended its own."""
        if self._streams:
            self.exchange.finish()
        reply = None if self._streams else Reply(self._status, self._headers, bytes(self._plain))
        self._resolve(reply)

    def fail(self, failure: UpstreamFailure) -> None:
        """Cut what was begun, so that nobody takes it for complete."""
        if self._streams:
            self.exchange.abort()
            self._resolve(None)
        elif not self._done.done():
            self._done.set_exception(failure)

    # what the edge reports

    def client_gone(self) -> None:
        """Nobody listens any more."""
        if self._call is not None:
            self._call.abort()
        self._resolve(None)

    def client_slow(self) -> None:
        """Read no more than the client does."""
        if self._call is not None:
            self._call.pause()

    def client_ready(self) -> None:
        """Read on."""
        if self._call is not None:
            self._call.resume()

    def _resolve(self, reply: Reply | None) -> None:
        if not self._done.done():
            self._done.set_result(reply)
