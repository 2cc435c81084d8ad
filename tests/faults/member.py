"""Owns one gateway of a fleet: a real `tollbridge serve` that can be killed, stopped and restarted."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.faults.proxy import Proxy
from tests.services import nursery
from tests.services.ports import free_port

START_S = 60.0
_ASK_S = 10.0


class Member:
    """A gateway's process, its port, its log, and its own way to the database."""

    def __init__(self, name: str, folder: Path, proxy: Proxy, environ: Mapping[str, str]) -> None:
        self.name = name
        self.proxy = proxy
        self.port = free_port()
        self.log = folder / f"{name}.log"
        self.process: nursery.Child | subprocess.Popen[bytes] | None = None
        self.lock = asyncio.Lock()
        """Whoever does something to the process holds it."""
        self._environ = {**os.environ, **environ}

    def start(self) -> None:
        """Start the process; it serves once `ready`."""
        self.process = nursery.start(("serve", "--port", str(self.port)), self._environ, self.log)

    @property
    def alive(self) -> bool:
        """Whether the process runs (or is stopped)."""
        return self.process is not None and self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal, if there is one."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGKILL, seconds: float = 30) -> int:
        """End the process by a signal, by SIGKILL if that takes too long; return its status."""
        if self.process is None:
            return 0
        self.send(number)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait(10)
        self.process = None
        return status

    async def ready(self) -> bool:
        """Whether it takes new calls."""
        try:
            status, _ = await self.get("/readyz")
        except (OSError, EOFError, TimeoutError, ValueError):
            return False
        return status == 200

    async def start_ready(self, seconds: float = START_S) -> None:
        """Start, and wait until it takes calls; a start that fails is tried again until then."""
        deadline = time.monotonic() + seconds
        while not await self.ready():
            if not self.alive:
                await asyncio.to_thread(self.start)
            assert time.monotonic() < deadline, f"{self.name} did not come up:\n{self.tail()}"
            await asyncio.sleep(0.05)

    def tail(self) -> str:
        """Return the end of its log."""
        return self.log.read_text()[-3000:] if self.log.exists() else ""

    async def get(self, path: str, key: str = "") -> tuple[int, bytes]:
        """Ask for a page on a connection of its own; return status and body."""
        async with asyncio.timeout(_ASK_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                authorization = f"authorization: Bearer {key}\r\n" if key else ""
                head = f"GET {path} HTTP/1.1\r\nhost: g\r\nconnection: close\r\n{authorization}\r\n"
                writer.write(head.encode())
                head_raw, _, body = (await reader.read()).partition(b"\r\n\r\n")
                if b"transfer-encoding: chunked" in head_raw.lower():
                    raise ValueError("a chunked page")
                return int(head_raw.split(b" ", 2)[1]), body
            except IndexError:
                raise EOFError("no answer") from None
            finally:
                writer.transport.abort()

    async def figure(self, name: str) -> float:
        """Return one of its metrics, by its name without labels; 0 when it has none."""
        _, text = await self.get("/metrics")
        for line in text.decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
        return 0.0
