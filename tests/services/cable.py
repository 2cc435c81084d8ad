"""Owns a cable between clients and a server on loopback that can be cut at a chosen request.

It knows no protocol: what a client writes at once is a request, what the server writes next its
answer. So it can cut after the server has committed and before the client hears of it.
"""

import asyncio
import contextlib
from enum import Enum

from tests.services.ports import free_port

_CHUNK = 1 << 16


class Cut(Enum):
    """Where a cable is cut, as seen from one request."""

    BEFORE = "the server never sees the request"
    BLIND = "the server gets it, and the client is gone at once"
    AFTER = "the server has answered, and the answer is lost"


class Cable:
    """Listens on a loopback port and passes everything on to another, until it is cut."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener: asyncio.Server | None = None
        self._cut: Cut | None = None
        self._passes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._hanging: list[asyncio.StreamWriter] = []
        self.fired = asyncio.Event()

    async def start(self, port: int = 0) -> int:
        """Listen, once more on the same port if it is given; return the port."""
        port = port or free_port()
        self._listener = await asyncio.start_server(self._begin, "127.0.0.1", port)
        return port

    async def stop(self) -> None:
        """End all connections."""
        assert self._listener is not None
        self._listener.close()
        self.mend()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def arm(self, cut: Cut, passes: int) -> None:
        """Cut once, after so many more requests have passed unharmed."""
        self._cut, self._passes = cut, passes
        self.fired.clear()

    def mend(self) -> None:
        """Cut no more; what hangs on the server's side is let go."""
        self._cut = None
        for writer in self._hanging:
            writer.transport.abort()
        self._hanging.clear()

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            link = await asyncio.open_connection("127.0.0.1", self._server_port)
            ends.append(link[1])
            deaf = asyncio.Event()
            down = asyncio.create_task(self._down(link[0], writer, deaf))
            up = asyncio.create_task(self._up(reader, link[1], writer, deaf))
            try:
                await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                up.cancel()
                down.cancel()
                await asyncio.gather(up, down, return_exceptions=True)
        finally:
            for end in ends:
                if end not in self._hanging:
                    end.transport.abort()

    async def _up(self, reader, server, client, deaf) -> None:
        with contextlib.suppress(OSError):
            while request := await reader.read(_CHUNK):
                cut = self._due()
                if cut is Cut.BEFORE:
                    return
                if cut is Cut.AFTER:
                    deaf.set()
                if cut is Cut.BLIND:
                    self._hanging.append(server)
                server.write(request)
                if cut is Cut.BLIND:
                    return

    async def _down(self, reader, client, deaf) -> None:
        with contextlib.suppress(OSError):
            while answer := await reader.read(_CHUNK):
                if deaf.is_set():
                    return
                client.write(answer)

    def _due(self) -> Cut | None:
        cut = self._cut
        if cut is None:
            return None
        self._passes -= 1
        if self._passes >= 0:
            return None
        self._cut = None
        self.fired.set()
        return cut
