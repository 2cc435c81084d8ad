"""Owns a second process that holds the write lock of a database, as a stuck backup tool would."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_CHILD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""


class Lock:
    """The lock, held until `release`; releasing it twice is harmless."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child

    async def release(self) -> None:
        """Let the other writers go on."""
        if self._child.stdin is not None and not self._child.stdin.is_closing():
            self._child.stdin.close()
            await self._child.wait()


@asynccontextmanager
async def locked(database: Path) -> AsyncIterator[Lock]:
    """Hold the write lock of an SQLite database inside the block, or until released."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _CHILD,
        str(database),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    lock = Lock(child)
    try:
        assert await child.stdout.readline() == b"locked\n"
        yield lock
    finally:
        await lock.release()
