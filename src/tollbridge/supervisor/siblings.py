"""Owns the talk among workers about their metrics, so that any of them answers for all.

Each tells its figures on a Unix socket in a private folder of the parent; who is asked for metrics
asks the others. Scrapes take turns, because what was shown last is kept in a file beside.
"""

import asyncio
import contextlib
import fcntl
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from prometheus_client import ProcessCollector

from tollbridge.core.clock import new_tid
from tollbridge.core.metrics import Metrics
from tollbridge.core.metrics_merge import Report, Seen, families_of, merged_exposition

_ANSWER_S = 0.5
_TURN_S = 5.0
_TURN_POLL_S = 0.01
_TROUBLE: tuple[type[Exception], ...] = (OSError, TimeoutError, msgspec.DecodeError)


class Siblings:
    """One worker's end of the talk, from `start` to `stop`."""

    def __init__(
        self, folder: Path, index: int, count: int, metrics: Metrics, refresh: Callable[[], None]
    ) -> None:
        """Speak for worker `index` of `count`; `refresh` brings the gauges of `metrics` up to date."""
        self._folder = folder
        self._index = index
        self._count = count
        self._metrics = metrics
        self._refresh = refresh
        self._life = new_tid()
        self._process = ProcessCollector(registry=None)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to answer the others; OSError when the folder cannot be used."""
        ours = self._folder / self._life
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as listener:
            listener.bind(str(ours))
            self._server = await asyncio.start_unix_server(self._tell, sock=listener.dup())
        # A predecessor may still end: it has the socket, and from here on we have the name.
        ours.replace(self._path(self._index))

    async def stop(self) -> None:
        """Answer no more and leave the last figures behind; idempotent."""
        if self._server is None:
            return
        self._server.close()
        await self._server.wait_closed()
        self._server = None
        with contextlib.suppress(OSError, TimeoutError):
            async with self._turn():
                seen = self._read()
                seen.leave(self._index, self._report())
                self._write(seen)

    async def exposition(self) -> bytes:
        """Return Prometheus's text for all workers; TimeoutError when it is never our turn."""
        async with self._turn():
            answers = await asyncio.gather(*(self._ask(index) for index in range(self._count)))
            reports = dict(enumerate(answers))
            seen = self._read()
            seen.take(reports)
            self._write(seen)
        return merged_exposition(seen, reports)

    def _report(self) -> Report:
        self._refresh()
        families = [*families_of(self._metrics.registry), *families_of(self._process)]
        return Report(self._life, families)

    async def _tell(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(msgspec.json.encode(self._report()))
            await writer.drain()
        writer.close()

    async def _ask(self, index: int) -> Report | None:
        if index == self._index:
            return self._report()
        try:
            async with asyncio.timeout(_ANSWER_S):
                reader, writer = await asyncio.open_unix_connection(self._path(index))
                with contextlib.closing(writer):
                    return msgspec.json.decode(await reader.read(-1), type=Report)
        except _TROUBLE:
            return None

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait until no other worker answers a scrape; a dead one's turn is over."""
        with (self._folder / "turn").open("ab") as file:
            async with asyncio.timeout(_TURN_S):
                while not _locked(file.fileno()):
                    await asyncio.sleep(_TURN_POLL_S)
            yield

    def _read(self) -> Seen:
        try:
            return msgspec.json.decode((self._folder / "seen").read_bytes(), type=Seen)
        except FileNotFoundError:
            return Seen()

    def _write(self, seen: Seen) -> None:
        fresh = self._folder / "seen.new"
        fresh.write_bytes(msgspec.json.encode(seen))
        fresh.replace(self._folder / "seen")

    def _path(self, index: int) -> Path:
        return self._folder / str(index)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
