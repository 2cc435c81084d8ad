"""Owns the client's side of the tests: targets, requests, a sink that records, a checked client."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tollbridge.upstreams.call import Call, Reply
from tollbridge.upstreams.failures import UpstreamFailure
from tollbridge.upstreams.http1 import Http1Client
from tollbridge.upstreams.limits import Deadlines, Limits
from tollbridge.upstreams.target import Target

PATIENT = Deadlines(connect_s=10, first_byte_s=10, idle_s=10, total_s=30)
BRISK = Limits(tick_s=0.01)


def target(port: int, scheme: str = "http", proxy: str | None = None, host: str = "") -> Target:
    return Target.parse(f"{scheme}://{host or '127.0.0.1'}:{port}", proxy, allow_private=True)


def request(body: bytes = b"") -> tuple[bytes, bytes]:
    head = b"POST /v1/x HTTP/1.1\r\nhost: here\r\ncontent-length: %d\r\n\r\n" % len(body)
    return head, body


class Recorder:
    """A sink that keeps what it hears and complains when the order is wrong."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunks: list[bytes] = []
        self.failure: UpstreamFailure | None = None
        self.over = asyncio.Event()
        self.heard = asyncio.Event()
        self.call: Call | None = None

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        assert self.status == 0 and not self.over.is_set()
        self.status, self.headers = status, headers
        self.heard.set()

    def data(self, chunk: bytes) -> None:
        assert self.status and chunk and not self.over.is_set()
        self.chunks.append(chunk)

    def end(self) -> None:
        assert self.status and not self.over.is_set()
        self.over.set()

    def fail(self, failure: UpstreamFailure) -> None:
        assert not self.over.is_set()
        assert failure.head_seen == bool(self.status)
        self.failure = failure
        self.over.set()


class Checked(Http1Client):
    """The client with short forms of its two calls."""

    async def ask(
        self,
        where: Target,
        body: bytes = b"",
        deadlines: Deadlines = PATIENT,
        max_bytes: int = 1 << 24,
    ) -> Reply:
        return await self.fetch(where, *request(body), deadlines, max_bytes)

    async def stream(
        self, where: Target, sink: Recorder, body: bytes = b"", deadlines: Deadlines = PATIENT
    ) -> Call:
        sink.call = await self.send(where, *request(body), sink, deadlines)
        return sink.call

    async def settled(self, *, open_connections: int = 0) -> None:
        """Wait until exactly so many connections are open; a leak makes the test time out."""
        while sum(each.open for each in self.stats().values()) != open_connections:
            await asyncio.sleep(0.001)


@asynccontextmanager
async def calling(
    limits: Limits = BRISK, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Checked]:
    """Give a client; at the end nothing of it may be left open."""
    client = Checked(limits, tls=tls)
    try:
        yield client
    finally:
        await client.close()
        assert client.stats() == {}
