"""Owns the demonstration's child processes: the gateway as anybody would start it.

It ends only what it started, by handle. It must not know what the gateway does.
"""

import asyncio
import contextlib
import socket
import sys
from pathlib import Path

import httpx2

_STOP_S = 15
_POLL_S = 0.1
_TAIL_LINES = 15


class ChildFailed(RuntimeError):
    """A command failed or the gateway did not come up; the text has the end of its output."""


async def run_command(*words: str) -> None:
    """Run `tollbridge` with these words to its end; ChildFailed when it does not exit 0."""
    process = await asyncio.create_subprocess_exec(
        *_tollbridge(*words), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise ChildFailed(f"tollbridge {words[0]}: {_tail(output.decode(errors='replace'))}")


class Gateway:
    """One `tollbridge serve`, its output in a file."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, url: str) -> None:
        """Take over a started process."""
        self._process = process
        self._log = log
        self.url = url

    @classmethod
    async def start(cls, database: str, port: int, log: Path) -> "Gateway":
        """Start serving on a port of 127.0.0.1; it is not ready yet."""
        words = _tollbridge("serve", "--database", database, "--port", str(port))
        with log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                *words, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out
            )
        return cls(process, log, f"http://127.0.0.1:{port}")

    async def wait_ready(self, seconds: float) -> None:
        """Wait until it serves; ChildFailed when it ends or takes too long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), httpx2.AsyncClient(trust_env=False) as client:
                while self._process.returncode is None:
                    with contextlib.suppress(httpx2.TransportError):
                        reply = await client.get(f"{self.url}/readyz")
                        if reply.is_success:
                            return
                    await asyncio.sleep(_POLL_S)
        text = self._log.read_text(encoding="utf-8", errors="replace")
        raise ChildFailed(f"the gateway did not come up, see {self._log}:\n{_tail(text)}")

    async def wait_end(self) -> int:
        """Wait until the process ends by itself and return its exit code."""
        return await self._process.wait()

    async def stop(self) -> None:
        """End the process: politely, then by force after some seconds."""
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(_STOP_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def choose_port(wanted: int) -> int:
    """Return the wanted port of 127.0.0.1, or any free one when it is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise ChildFailed("no free port on 127.0.0.1")


def _tollbridge(*words: str) -> list[str]:
    return [sys.executable, "-m", "tollbridge.cli", *words]


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_TAIL_LINES:])
