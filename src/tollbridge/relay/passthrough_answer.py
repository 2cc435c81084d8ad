"""Owns the answer of an endpoint that passes through: upstream bytes in, the same bytes out.

A short answer is gathered, so that it can be charged before any of it leaves. A long one passes as it
comes, no faster than the client reads, but for its last piece, which waits for the settle. Must not
know money, nor what passes.
"""

import asyncio
import re
from typing import Final

from tollbridge.relay.exchange import Exchange
from tollbridge.upstreams.call import Call
from tollbridge.upstreams.failures import Reason, UpstreamFailure

WHOLE_MAX: Final = 64 * 1024
"""Bytes up to which an answer is gathered."""

_COMPLAINT_MAX: Final = 1024 * 1024
_PASSED: Final = frozenset(
    {b"content-type", b"content-disposition", b"content-language", b"etag", b"last-modified"}
)
_VALUE: Final = re.compile(rb"[\x20-\x7e\x80-\xff]{1,2000}")
# The files are strangers' and the origin is ours: a browser must run nothing that is in them.
_TAMED: Final = b"x-content-type-options: nosniff\r\ncontent-security-policy: sandbox\r\n"


class Carriage:
    """One answer: a sink of the upstream client and the watcher of the client.

    `begun` resolves when it is known whether it is short, at the latest at the end; `over` at the end.
    """

    __slots__ = (
        "_call",
        "_choked",
        "_drain_s",
        "_exchange",
        "_kept",
        "_kept_bytes",
        "_loop",
        "_timer",
        "begun",
        "failure",
        "headers",
        "left",
        "over",
        "started",
        "status",
        "streams",
    )

    def __init__(self, exchange: Exchange, drain_s: float) -> None:
        """`drain_s`: how long the upstream may go on with a short answer that nobody waits for."""
        self._exchange = exchange
        self._drain_s = drain_s
        self._loop = asyncio.get_running_loop()
        self._call: Call | None = None
        self._choked = False
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.failure: UpstreamFailure | None = None
        self.left = False
        """The upstream was stopped because its client had left."""
        self.streams = False
        """The answer is long."""
        self.started = False
        """Some of it may have reached the client."""
        self.begun: asyncio.Future[None] = self._loop.create_future()
        self.over: asyncio.Future[None] = self._loop.create_future()
        exchange.watcher = self
        if exchange.gone:
            self.client_gone()

    @property
    def good(self) -> bool:
        """Whether the upstream did what it was asked to."""
        return 200 <= self.status < 300

    @property
    def lines(self) -> bytes:
        """The header lines that pass."""
        passed = (
            b"%b: %b\r\n" % pair
            for pair in self.headers
            if pair[0] in _PASSED and _VALUE.fullmatch(pair[1])
        )
        return b"".join(passed) + _TAMED

    @property
    def body(self) -> bytes:
        """What was gathered and has not passed."""
        return b"".join(self._kept)

    @property
    def kept_bytes(self) -> int:
        """How much that is."""
        return self._kept_bytes

    def carry(self, call: Call) -> None:
        """Take the handle of the upstream's side."""
        self._call = call
        if self.over.done():
            call.abort()

    def release(self, lines: bytes) -> None:
        """Begin the client's answer with all but the last piece; `lines` are our own."""
        self.started = True
        *first, last = self._kept
        self._keep_only(last)
        self._exchange.start(self.status, self.lines + lines, b"".join(first))
        self._steer()

    def finish(self) -> None:
        """Let the last piece go: the answer is paid for."""
        self._exchange.finish(self.body)

    def cut(self) -> None:
        """Cut what was begun, so that nobody takes it for complete."""
        self._exchange.abort()

    def close(self) -> None:
        """Let go of both sides."""
        self._exchange.watcher = None
        self._stop()

    # what the upstream client reports

    def head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """The upstream has decided on a status."""
        self.status, self.headers = status, headers

    def data(self, chunk: bytes) -> None:
        """Keep a piece; of a running answer the one before it passes."""
        if self.started:
            before = self.body
            self._keep_only(chunk)
            self._exchange.write(before)
            return
        self._kept.append(chunk)
        self._kept_bytes += len(chunk)
        if not self.good:
            if self._kept_bytes > _COMPLAINT_MAX and self._call is not None:
                self._call.break_off(Reason.REPLY_TOO_LARGE)
        elif self._kept_bytes > WHOLE_MAX and not self.streams:
            self.streams = True
            self._steer()
            _resolve(self.begun)
            if self._exchange.gone:
                self._leave()

    def end(self) -> None:
        """The answer is complete."""
        self._resolve()

    def fail(self, failure: UpstreamFailure) -> None:
        """The connection failed."""
        self.failure = failure
        self._resolve()

    # what the edge reports

    def client_gone(self) -> None:
        """Nobody listens any more: a long answer is stopped, a short one may still come to its end."""
        if self.streams:
            self._leave()
        elif self._timer is None and not self.over.done():
            self._timer = self._loop.call_later(self._drain_s, self._leave)

    def client_slow(self) -> None:
        """Read no more than the client does."""
        self._choked = True
        self._steer()

    def client_ready(self) -> None:
        """Read on."""
        self._choked = False
        self._steer()

    def _keep_only(self, piece: bytes) -> None:
        self._kept = [piece]
        self._kept_bytes = len(piece)

    def _steer(self) -> None:
        """Read on unless the client is slow or a long answer may not pass yet."""
        call = self._call
        if call is not None and not self.over.done():
            wait = self._choked or (self.streams and not self.started)
            (call.pause if wait else call.resume)()

    def _leave(self) -> None:
        if not self.over.done():
            self.left = True
            self._stop()

    def _stop(self) -> None:
        if self._call is not None:
            self._call.abort()
        self._resolve()

    def _resolve(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        _resolve(self.begun)
        _resolve(self.over)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
