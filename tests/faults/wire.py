"""Owns one call on a raw socket: a client that reads as slowly, and leaves as rudely, as a test likes.

It reads the answer's chunks itself, so that a test sees each byte when it arrives and can tell an
answer that ended from one that was cut.
"""

import asyncio
import json
import socket
from typing import Any

from tests.services.gateway import frames

_WAIT_S = 20.0


class Wire:
    """A call that has been sent; `data` is what has arrived of the body, without the framing."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.status = 0
        self.headers: dict[str, str] = {}
        self.data = bytearray()
        self.ended = False
        self._size: int | None = None

    @classmethod
    async def send(
        cls,
        port: int,
        key: str,
        body: dict[str, Any],
        *,
        path: str = "/v1/chat/completions",
        receive_buffer: int | None = None,
    ) -> "Wire":
        """Connect and send a request; a small `receive_buffer` makes a slow reader felt."""
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        except BaseException:
            sock.close()
            raise
        reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
        text = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nhost: gateway.test\r\n"
            f"authorization: Bearer {key}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(text)}\r\n\r\n"
        )
        writer.write(head.encode() + text)
        await writer.drain()
        return cls(reader, writer)

    @property
    def port(self) -> int:
        """This end's port."""
        return int(self._writer.get_extra_info("sockname")[1])

    @property
    def tid(self) -> str:
        """The trace id that the head told."""
        return self.headers["x-request-id"]

    @property
    def events(self) -> list[bytes]:
        """The data of the frames so far."""
        return list(frames(bytes(self.data)))

    async def head(self) -> None:
        """Read the head of the answer."""
        async with asyncio.timeout(_WAIT_S):
            raw = await self._reader.readuntil(b"\r\n\r\n")
        line, *fields = raw.decode("latin-1").strip().split("\r\n")
        self.status = int(line.split()[1])
        self.headers = {
            name.lower(): value.strip() for name, _, value in (one.partition(":") for one in fields)
        }

    async def more(self) -> None:
        """Read one more chunk; ConnectionError or IncompleteReadError when the answer was cut."""
        if not self.headers:
            await self.head()
        if "content-length" in self.headers:
            self.data += await self._reader.readexactly(int(self.headers["content-length"]))
            self.ended = True
            return
        if self._size is None:
            self._size = int(await self._reader.readuntil(b"\r\n"), 16)
        # A reader that is interrupted here goes on with the same chunk.
        chunk = await self._reader.readexactly(self._size + 2)
        assert chunk.endswith(b"\r\n")
        self.data += chunk[:-2]
        self.ended, self._size = not self._size, None

    async def until(self, mark: bytes) -> None:
        """Read until `mark` has arrived; fails the test when the answer ends without it."""
        async with asyncio.timeout(_WAIT_S):
            while mark not in self.data:
                assert not self.ended, f"ended without {mark!r}: {bytes(self.data[-500:])!r}"
                await self.more()

    async def rest(self) -> bytes:
        """Read to the proper end and return the whole body."""
        async with asyncio.timeout(_WAIT_S):
            while not self.ended:
                await self.more()
        return bytes(self.data)

    async def quiet(self, seconds: float) -> None:
        """Listen for a while; what arrives is in `data`."""
        try:
            async with asyncio.timeout(seconds):
                while not self.ended:
                    await self.more()
        except TimeoutError:
            pass

    def leave(self) -> None:
        """Cut the connection, as a client does that is killed."""
        self._writer.transport.abort()
