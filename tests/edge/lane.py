"""A real server with the edge on it, and raw sockets to talk to it."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from tollbridge.edge.config import EdgeConfig
from tollbridge.edge.limits import Limits
from tollbridge.edge.protocol import make_protocol
from tollbridge.relay.exchange import Exchange

# A bound on hanging, not a measure of speed.
PATIENCE_S = 20.0
JSON = b"content-type: application/json\r\n"
Handler = Callable[[Exchange], Awaitable[None]]


def relayed(method: str, path: str) -> bool:
    """Divert what begins with /v1/."""
    return path.startswith("/v1/")


def told(half: str, method: str, path: str, query: str, client: str, body: bytes) -> bytes:
    """Return what both halves echo of a request."""
    seen = {
        "half": half,
        "method": method,
        "path": path,
        "query": query,
        "client": client,
        "body": body.decode("latin-1"),
    }
    return json.dumps(seen).encode()


async def echo(exchange: Exchange) -> None:
    """The relay half: answer with what was heard."""
    query = exchange.query.decode()
    seen = told("relay", exchange.method, exchange.path, query, exchange.peer, bytes(exchange.body))
    exchange.reply(200, JSON, seen)


async def echo_app(scope: Any, receive: Any, send: Any) -> None:
    """The ASGI half: the same."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return
        body += message["body"]
        if not message["more_body"]:
            break
    query = scope["query_string"].decode()
    seen = told("asgi", scope["method"], scope["path"], query, scope["client"][0], body)
    headers = [(b"content-type", b"application/json")]
    if scope["path"] != "/unsized":
        headers.append((b"content-length", str(len(seen)).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": seen})


@dataclass
class Answer:
    """One answer as a client reads it."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool = True

    @property
    def seen(self) -> dict[str, Any]:
        """The JSON body."""
        return dict(json.loads(self.body))


@dataclass
class Client:
    """A raw socket."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)

    async def answer(self, *, head: bool = False) -> Answer:
        """Read one answer; ConnectionError when there is none."""
        return await asyncio.wait_for(self._answer(head), PATIENCE_S)

    async def _answer(self, head: bool) -> Answer:
        raw = await self.reader.readuntil(b"\r\n\r\n")
        lines = raw.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = {}
        for line in lines[1:-2]:
            name, _, value = line.partition(": ")
            assert name not in headers, f"{name} twice"
            headers[name] = value
        if head or status in {100, 204, 304}:
            return Answer(status, headers, b"")
        if "content-length" in headers:
            body = await self.reader.readexactly(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            return await self._chunks(status, headers)
        else:
            body = await self.reader.read()
        return Answer(status, headers, body)

    async def _chunks(self, status: int, headers: dict[str, str]) -> Answer:
        body = b""
        try:
            while size := int((await self.reader.readuntil(b"\r\n")).strip(), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        except (asyncio.IncompleteReadError, ConnectionError):
            return Answer(status, headers, body, whole=False)
        return Answer(status, headers, body)

    async def rest(self) -> bytes:
        """Read until the server closes."""
        with contextlib.suppress(ConnectionError):
            return await asyncio.wait_for(self.reader.read(), PATIENCE_S)
        return b""

    async def closed(self) -> bool:
        """Whether the server closes without another byte."""
        return await self.rest() == b""

    def cut(self) -> None:
        """Drop the connection at once."""
        self.writer.transport.abort()


@dataclass
class Lane:
    """A running server and its clients."""

    server: uvicorn.Server
    edge: EdgeConfig
    port: int
    clients: list[Client] = field(default_factory=list)

    async def connect(self, *, window: int | None = None) -> Client:
        """Open a connection; `window` bytes of unread answer at most."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        if window is not None:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        self.clients.append(client)
        return client

    async def ask(self, data: bytes, *, head: bool = False) -> Answer:
        """Send one request on a connection of its own."""
        client = await self.connect()
        client.send(data)
        answer = await client.answer(head=head)
        client.cut()
        return answer

    @property
    def connections(self) -> set[Any]:
        """The server's connections."""
        return self.server.server_state.connections  # type: ignore[return-value]

    async def until(self, true: Callable[[], object]) -> None:
        """Wait for a condition; TimeoutError when it never comes."""
        async with asyncio.timeout(PATIENCE_S):
            while not true():
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def lane(
    handle: Any = echo, app: Any = echo_app, limits: Limits | None = None, **edge: Any
) -> AsyncIterator[Lane]:
    """Run a server with the edge on it."""
    wiring = EdgeConfig(diverts=relayed, handle=handle, limits=limits or Limits(), **edge)
    config = uvicorn.Config(
        app,
        port=0,
        http=make_protocol(wiring),  # type: ignore[arg-type]
        lifespan="off",
        log_config=None,
        log_level=logging.CRITICAL,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    running = Lane(server, wiring, port)
    try:
        yield running
    finally:
        for client in running.clients:
            client.cut()
        server.should_exit = True
        await asyncio.wait_for(serving, PATIENCE_S)


def get(path: str, *lines: str, version: str = "1.1") -> bytes:
    """Return a GET request."""
    return "\r\n".join((f"GET {path} HTTP/{version}", "Host: a", *lines, "", "")).encode("latin-1")


def post(path: str, body: bytes, *lines: str) -> bytes:
    """Return a POST request with content-length."""
    length = f"Content-Length: {len(body)}"
    head = "\r\n".join((f"POST {path} HTTP/1.1", "Host: a", length, *lines, "", ""))
    return head.encode("latin-1") + body


def chunked(path: str, *pieces: bytes, trailers: bytes = b"") -> bytes:
    """Return a POST request in chunks."""
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head + body + b"0\r\n" + trailers + b"\r\n"
