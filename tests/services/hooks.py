"""Owns a small real HTTP server on loopback that keeps the posts it gets and can fail or be silent."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Post:
    """One request: header names in lower case, the body's bytes."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HookServer:
    """What was posted, and the statuses that the next answers have (then 204 for ever)."""

    statuses: list[int] = field(default_factory=list)
    silent: bool = False
    posts: list[Post] = field(default_factory=list)
    location: str = ""
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/alerts"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._exchange(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()
            # The loop closes the socket in its next turn.
            await asyncio.sleep(0)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.posts.append(Post(head[0], headers, body))
        if self.silent:
            await reader.read()
            return
        status = self.statuses.pop(0) if self.statuses else 204
        where = f"location: {self.location}\r\n" if self.location else ""
        writer.write(f"HTTP/1.1 {status} Status\r\n{where}content-length: 0\r\n\r\n".encode())
        await writer.drain()


@asynccontextmanager
async def hook_server(
    tls: ssl.SSLContext | None = None, **behaviour: object
) -> AsyncIterator[HookServer]:
    """Run a receiver on a free port; every exchange is over when this is left."""
    server = HookServer(**behaviour)  # type: ignore[arg-type]
    exchanges: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        exchange = asyncio.current_task()
        assert exchange is not None
        exchanges.add(exchange)
        await server.serve(reader, writer)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for exchange in exchanges:
            exchange.cancel()
        await asyncio.gather(*exchanges, return_exceptions=True)
