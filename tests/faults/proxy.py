"""Owns the bad network between a gateway and its database: a TCP relay that a test disturbs at will.

It knows no protocol. Bytes pass, wait, come late, get lost with their connection, or never leave.
"""

import asyncio
import contextlib

_PIECE = 65_536


class Proxy:
    """A relay from a port of its own to `target` on 127.0.0.1; `start` it inside the loop."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.delay_s = 0.0
        self.closed = False
        """Whether new connections are turned away."""
        self.mute = False
        """Whether answers are lost; whoever sets it must `reset` before it ends."""
        self._passing = asyncio.Event()
        self._passing.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut everything and listen no more."""
        if self._server is not None:
            self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.reset()

    def freeze(self) -> None:
        """Let nothing pass in either direction; nobody is told."""
        self._passing.clear()

    def thaw(self) -> None:
        """Let everything pass that waited."""
        self._passing.set()

    def reset(self) -> None:
        """Cut every connection at once."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            if self.closed:
                return
            far_reader, far = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(far)
            up = asyncio.create_task(self._pass(reader, far, answers=False))
            down = asyncio.create_task(self._pass(far_reader, writer, answers=True))
            try:
                await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                up.cancel()
                down.cancel()
                await asyncio.gather(up, down, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            # The database is away, or the test is over: either way the caller is cut below.
            pass
        finally:
            for end in filter(None, (writer, far)):
                self._writers.discard(end)
                end.transport.abort()
            self._tasks.discard(task)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(_PIECE):
                await self._passing.wait()
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if answers and self.mute:
                    continue
                writer.write(piece)
                await writer.drain()
