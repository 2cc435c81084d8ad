"""Owns the life of the books in this process: opened once, written by one thread, closed in order.

Puts together the lock, the recovery, the writer and the ledger for one SQLite file (money.md,
"Engines"). PostgreSQL has a node of its own kind (`postgres_node`); `Node` is what both are.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tollbridge.billing.ledger import Gauges, Ledger
from tollbridge.billing.recovery import reclaim
from tollbridge.core.settings import Settings
from tollbridge.core.telemetry import get_logger
from tollbridge.storage.disk import DatabaseLock, Reserve
from tollbridge.storage.group_commit import GroupCommit
from tollbridge.storage.ledger_sqlite import SqliteBook

_NODE_ID = 1
_log = get_logger(__name__)


class Node(Protocol):
    """One process's books. `claim`, `open` it inside the loop, `stop` it at the end."""

    def claim(self) -> None:
        """Make sure that this process may write; raises DatabaseInUse."""

    async def open(self, gauges: Gauges, on_broken: Callable[[str], None]) -> Ledger:
        """Begin to write; `on_broken` is called when this process must not go on."""

    @property
    def node_id(self) -> int:
        """Which row of `node` is its own."""

    @property
    def epoch(self) -> int:
        """The epoch that it writes under."""

    @property
    def queued(self) -> int:
        """How many writes wait for a commit."""

    @property
    def open_holds(self) -> int:
        """How many of its holds stand."""

    def oldest_hold_ms(self) -> int | None:
        """When the oldest of them was made; None when there is none."""

    async def stop(self, timeout_s: float) -> bool:
        """Write what is queued and leave; return whether all of it was in time."""


class SqliteNode:
    """The one node of a SQLite file. Make it, `start` it inside the loop, `stop` it at the end."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self._settings = settings
        self._path = path
        self._lock = DatabaseLock(path)
        self._reserve = Reserve(path, settings.reserve_file_bytes, settings.min_free_disk_bytes)
        self._writer: GroupCommit | None = None
        self.book: SqliteBook
        self.ledger: Ledger
        self.reclaimed = 0

    def claim(self) -> None:
        """Lock the file before anything is changed in it, its schema included.

        Raises DatabaseInUse when another process serves from it.
        """
        self._lock.take()

    def start(
        self,
        gauges: Gauges,
        on_broken: Callable[[str], None],
        *,
        connection_class: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> Ledger:
        """Lock the file, post what a dead process left, and start to write.

        Raises DatabaseInUse when another process serves from the file, and sqlite3.Error or
        LedgerBroken when it cannot be used; the file is then let go.
        """
        self.claim()
        try:
            if not self._admits():
                # What a dead process left has to be posted even on a full disk.
                self._reserve.give_up()
            self.book = self._recovered(connection_class)
        except BaseException:
            self._lock.release()
            raise
        self.ledger = Ledger(
            gauges,
            deadline_s=self._settings.writer_deadline_s,
            grace_s=self._settings.settle_grace_s,
            on_broken=on_broken,
            admits=self._admits,
        )
        self._writer = GroupCommit(
            self.book,
            asyncio.get_running_loop(),
            self.ledger,
            make_room=self._reserve.give_up,
        )
        self._writer.start()
        self.ledger.start(self._writer)
        return self.ledger

    async def open(self, gauges: Gauges, on_broken: Callable[[str], None]) -> Ledger:
        """Start, and tell of what a dead process left. Raises what `start` does."""
        ledger = self.start(gauges, on_broken)
        if self.reclaimed:
            gauges.reclaimed(self.reclaimed)
            _log.warning("posted the calls of a dead process", calls=self.reclaimed)
        return ledger

    @property
    def node_id(self) -> int:
        """The only node of a file."""
        return _NODE_ID

    @property
    def epoch(self) -> int:
        """How often this file was opened to serve from."""
        return self.book.epoch

    @property
    def open_holds(self) -> int:
        """How many holds stand (for the gauge)."""
        return self.book.open_holds

    def oldest_hold_ms(self) -> int | None:
        """When the oldest of them was made; None when there is none."""
        return self.book.oldest_hold_ms()

    @property
    def queued(self) -> int:
        """How many writes wait for a commit (for the gauge)."""
        return 0 if self._writer is None else self._writer.queued

    async def stop(self, timeout_s: float) -> bool:
        """Write what is queued and let go of the file; return whether all of it was in time.

        A writer that is not done keeps the file locked until the process ends.
        """
        if self._writer is not None:
            self.ledger.stop()
            loop = asyncio.get_running_loop()
            if not await loop.run_in_executor(None, self._writer.stop, timeout_s):
                return False
        self._lock.release()
        return True

    def _recovered(self, connection_class: type[sqlite3.Connection]) -> SqliteBook:
        book = SqliteBook(self._path, _NODE_ID, connection_class=connection_class)
        try:
            book.begin_epoch("sqlite")
            self.reclaimed = reclaim(book, self._path)
        except BaseException:
            book.close()
            raise
        return book

    def _admits(self) -> bool:
        if not self._reserve.admits:
            return False
        self._reserve.keep()
        return True
