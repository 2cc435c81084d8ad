"""Owns the relay's HTTP/1.1 client: taking or opening a connection, one timer, the end of all.

The caller serialises the head; nothing is added to it. It must not know of platforms, accounts or
what is in a body.
"""

import asyncio
import ssl
from dataclasses import dataclass

from tollbridge.upstreams.call import Call, Collector, Reply, Sink
from tollbridge.upstreams.connection import Connection
from tollbridge.upstreams.dial import dial, trust
from tollbridge.upstreams.failures import Reason, UpstreamFailure
from tollbridge.upstreams.limits import Deadlines, Limits
from tollbridge.upstreams.pool import Pool
from tollbridge.upstreams.target import Target

_UNBOUNDED = 1 << 62


@dataclass(frozen=True, slots=True)
class Stats:
    """Connections to one target: `open` counts the idle ones too."""

    open: int
    idle: int


class Http1Client:
    """Sends requests over kept connections. For one event loop; every method from its thread."""

    def __init__(self, limits: Limits | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        """`tls`: what upstreams must prove, by default to the system's authorities (`dial.trust`)."""
        self._limits = limits or Limits()
        self._tls = tls or trust()
        self._pool: Pool[Connection] = Pool(self._limits.idle_per_target, self._limits.idle_keep_s)
        self._open: set[Connection] = set()
        self._calls: set[Call] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Future[None] | None = None
        self._closed = False

    async def send(
        self,
        target: Target,
        head: bytes,
        body: bytes,
        sink: Sink,
        deadlines: Deadlines,
        *,
        max_bytes: int = _UNBOUNDED,
    ) -> Call:
        """Write a request and return at once; `sink` hears of the reply.

        `max_bytes` bounds the decoded body (reply_too_large). Raises UpstreamFailure when there is
        no connection; then, and when cancelled, the sink hears nothing.
        """
        loop = self._loop or self._bind()
        now = loop.time()
        call = Call(self._calls, target, (head, body), sink, deadlines, max_bytes, now)
        connection = self._pool.take(target, now)
        if connection is None:
            connection = await self._connect(target, deadlines)
            now = loop.time()
        else:
            call.reused = True
        self._start(call, connection, now)
        return call

    async def fetch(
        self, target: Target, head: bytes, body: bytes, deadlines: Deadlines, max_bytes: int
    ) -> Reply:
        """Return the whole reply, of at most `max_bytes` decoded. Raises UpstreamFailure."""
        loop = self._loop or self._bind()
        now = loop.time()
        future: asyncio.Future[Reply] = loop.create_future()
        sink = Collector(future)
        call = Call(self._calls, target, (head, body), sink, deadlines, max_bytes, now)
        connection = self._pool.take(target, now)
        if connection is None:
            connection = await self._connect(target, deadlines)
            now = loop.time()
        else:
            call.reused = True
        self._start(call, connection, now)
        try:
            return await future
        except BaseException:
            call.abort()
            raise

    async def close(self) -> None:
        """Break off what runs (closed_early), close everything, return when all is closed."""
        self._closed = True
        for timer in (self._ticker, self._sweeper):
            if timer is not None:
                timer.cancel()
        for call in tuple(self._calls):
            call.break_off(Reason.CLOSED_EARLY)
        self._pool.clear()
        if self._open:
            self._emptied = asyncio.get_running_loop().create_future()
            await self._emptied

    def stats(self) -> dict[Target, Stats]:
        """Count the connections of every target that has any."""
        counts: dict[Target, int] = {}
        for connection in self._open:
            counts[connection.target] = counts.get(connection.target, 0) + 1
        return {
            target: Stats(open=count, idle=self._pool.count(target))
            for target, count in counts.items()
        }

    # ------------------------------------------------------------ from connections

    def completed(self, connection: Connection, call: Call, *, clean: bool) -> None:
        """Take a connection back, or close it."""
        self._calls.discard(call)
        loop = self._loop
        if loop is None or self._closed or not clean or not connection.alive:
            connection.drop()
            return
        if not self._pool.put(connection, loop.time()):
            connection.drop()
        elif self._sweeper is None:
            self._sweeper = loop.call_later(self._limits.idle_keep_s / 2, self._sweep)

    def lost(self, connection: Connection) -> None:
        """Forget a closed connection."""
        self._open.discard(connection)
        self._pool.forget(connection)
        if self._emptied is not None and not self._open and not self._emptied.done():
            self._emptied.set_result(None)

    def died(self, call: Call) -> bool:
        """Send again when a kept connection closed under the request, as idle ones do."""
        loop = self._loop
        if loop is None or self._closed or not call.reused:
            return False
        if loop.time() - call.stamp > self._limits.resend_within_s:
            return False
        call.reused = False
        call.carrier = None
        call.task = loop.create_task(self._resend(call))
        return True

    # ------------------------------------------------------------ inside

    def _bind(self) -> asyncio.AbstractEventLoop:
        self._loop = asyncio.get_running_loop()
        return self._loop

    async def _connect(self, target: Target, deadlines: Deadlines) -> Connection:
        if self._closed:
            raise UpstreamFailure(Reason.CONNECT_FAILED)
        connection = Connection(target, self, self._limits)
        await dial(target, connection, self._tls, min(deadlines.connect_s, deadlines.total_s))
        if not self._usable(connection):
            connection.drop()
            raise UpstreamFailure(Reason.CONNECT_FAILED)
        self._open.add(connection)
        return connection

    def _usable(self, connection: Connection) -> bool:
        return connection.alive and not self._closed

    def _start(self, call: Call, connection: Connection, now: float) -> None:
        self._calls.add(call)
        connection.begin(call, now)
        if self._ticker is None and self._loop is not None:
            self._ticker = self._loop.call_later(self._limits.tick_s, self._tick)

    async def _resend(self, call: Call) -> None:
        try:
            connection = await self._connect(call.target, call.deadlines)
        except UpstreamFailure as failure:
            call.task = None
            call.break_off(failure.reason)
            return
        call.task = None
        self._start(call, connection, asyncio.get_running_loop().time())

    def _tick(self) -> None:
        loop = self._loop
        if loop is None or self._closed:
            return
        # Armed first, so that a sink that raises does not stop the clock for everybody.
        self._ticker = loop.call_later(self._limits.tick_s, self._tick) if self._calls else None
        now = loop.time()
        for call in tuple(self._calls):
            reason = call.overdue(now)
            if reason is not None:
                call.break_off(reason)

    def _sweep(self) -> None:
        loop = self._loop
        if loop is None or self._closed:
            return
        left = self._pool.sweep(loop.time())
        again = self._limits.idle_keep_s / 2
        self._sweeper = loop.call_later(again, self._sweep) if left else None
