"""Owns a raw server on loopback that does exactly what a test's script says, byte by byte.

It speaks no HTTP of its own: a script reads requests and writes whatever it likes.
"""

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class Peer:
    """The server's side of one connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, index: int
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.index = index
        self.ended = asyncio.Event()

    async def request(self) -> tuple[bytes, bytes]:
        """Read one request: head and body. Raises IncompleteReadError when the client has left."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        found = _LENGTH.search(head)
        return head, await self.reader.readexactly(int(found[1])) if found else b""

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, body: bytes, extra: bytes = b"", status: bytes = b"200 OK") -> None:
        """Answer properly."""
        length = b"content-length: %d\r\n" % len(body)
        await self.write(b"HTTP/1.1 " + status + b"\r\n" + length + extra + b"\r\n" + body)

    async def until_gone(self) -> None:
        """Wait until the client closes; whatever it still sends is dropped."""
        with suppress(OSError):
            while await self.reader.read(65_536):
                pass

    def reset(self) -> None:
        """Close with a TCP reset."""
        handle = self.writer.get_extra_info("socket")
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


class Server:
    """A listening server; `peers` are its connections in the order they came."""

    def __init__(self, script: Script) -> None:
        self.port = 0
        self.peers: list[Peer] = []
        self._script = script
        self._arrived = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    async def peer(self, index: int = 0) -> Peer:
        """Return connection number `index`, waiting for it."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.peers) > index)
        return self.peers[index]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer, len(self.peers))
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        async with self._arrived:
            self.peers.append(peer)
            self._arrived.notify_all()
        try:
            # A client that leaves in the middle is what many tests are about.
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._script(peer)
        finally:
            self._tasks.discard(task)
            peer.ended.set()
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Run a server with `script` for every connection."""
    server = Server(script)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await server.stop()


def saying(*pieces: bytes, close: bool = True) -> Script:
    """Return a script that answers every request with `pieces`, written one by one."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            for piece in pieces:
                await peer.write(piece)
                await asyncio.sleep(0)
            if close:
                return

    return script


async def echoing(peer: Peer) -> None:
    """Answer every request properly with its own body."""
    while True:
        _, body = await peer.request()
        await peer.reply(body)
