"""Owns the writer thread: it gathers what calls want and commits it in groups.

No linger: whenever the thread is free it takes all that waits (money.md, step 3). It knows
nothing of money; the book it drives does. Results and purse figures are published on the loop,
once a batch. What a sick disk or a poisonous item does to a batch is decided here.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tollbridge.storage.ledger_items import Figures, Item, LedgerBroken, Poisoned, Settle

_BATCH_MAX = 256
_BUSY_PAUSE_S = 0.05
_FULL_PAUSE_S = 0.5
_Answers = list[tuple[Item, Any]]
# What a value inside one item can raise. Everything else is the database's trouble, not an item's.
_BLAME = (
    Poisoned,
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    OverflowError,
    ValueError,
    TypeError,
)


class Book(Protocol):
    """What the thread drives; every call comes from that thread."""

    def apply(self, items: Sequence[Item]) -> tuple[list[Any], dict[int, Figures]]:
        """Do all items in one durable transaction, or none of them."""

    def close(self) -> None:
        """Let go of the database."""


class Watch(Protocol):
    """Whom the thread tells, on the loop, what became of its batches."""

    def published(self, answers: _Answers, purses: dict[int, Figures], took_s: float) -> None:
        """A batch is durable (or its items are refused: the answer is then an exception)."""

    def broken(self, reason: str) -> None:
        """Nothing can be written any more and what was last written is unknown."""


class GroupCommit:
    """One thread, one book, one queue."""

    def __init__(
        self,
        book: Book,
        loop: asyncio.AbstractEventLoop,
        watch: Watch,
        *,
        make_room: Callable[[], None],
    ) -> None:
        self._book = book
        self._loop = loop
        self._watch = watch
        self._make_room = make_room
        self._queue: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._stopping = False
        self.busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def queued(self) -> int:
        """How many items wait for a commit (for the gauge)."""
        return self._queue.qsize()

    def submit(self, item: Item) -> None:
        """Queue an item; its result is published on the loop. Call it from the loop."""
        self._queue.put(item)

    def stop(self, timeout_s: float) -> bool:
        """Write what is queued, then end the thread; return whether it ended in time."""
        self._stopping = True
        self._queue.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while True:
                items = self._gather()
                if items:
                    self._commit(items)
                if self._stopping and self._queue.empty():
                    break
        except LedgerBroken as error:
            self._tell(self._watch.broken, str(error))
        except BaseException as error:  # noqa: BLE001  (the thread's outermost frame)
            self._tell(self._watch.broken, f"the writer thread died of {type(error).__name__}")
        else:
            self._book.close()

    def _gather(self) -> list[Item]:
        """Wait for an item, then take all that are there."""
        items: list[Item] = []
        take: Callable[[], Item | None] = self._queue.get
        try:
            while len(items) < _BATCH_MAX:
                item = take()
                if item is not None:
                    item.taken = True
                    items.append(item)
                elif not items:
                    break
                take = self._queue.get_nowait
        except queue.Empty:
            pass
        return items

    def _commit(self, items: list[Item]) -> None:
        self.busy_since = started = time.monotonic()
        try:
            results, purses = self._apply(items)
        except _BLAME:
            answers, purses = self._one_by_one(items)
        else:
            answers = list(zip(items, results, strict=True))
        self.busy_since = None
        self._tell(self._watch.published, answers, purses, time.monotonic() - started)

    def _apply(self, items: Sequence[Item]) -> tuple[list[Any], dict[int, Figures]]:
        """Apply with patience: another writer, a full disk, a lack of memory are waited for.

        A statement that is wrong in itself is raised; waiting would not mend it.
        """
        while True:
            try:
                return self._book.apply(items)
            except sqlite3.OperationalError as error:
                code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
                if code == sqlite3.SQLITE_FULL:
                    self._make_room()
                    time.sleep(_FULL_PAUSE_S)
                elif code == sqlite3.SQLITE_ERROR:
                    raise
                else:
                    time.sleep(_BUSY_PAUSE_S)

    def _one_by_one(self, items: Sequence[Item]) -> tuple[_Answers, dict[int, Figures]]:
        """A batch failed as a whole: find the item to blame and do all the others."""
        answers: _Answers = []
        purses: dict[int, Figures] = {}
        for item in items:
            try:
                results, touched = self._apply_one(item)
            except _BLAME as error:
                # The text of a database error can hold bound values, so only its type goes on.
                answers.append((item, Poisoned(type(error).__name__)))
            else:
                answers.append((item, results[0]))
                purses.update(touched)
        return answers, purses

    def _apply_one(self, item: Item) -> tuple[list[Any], dict[int, Figures]]:
        """A settle whose row the database refuses is posted plain: money first, texts second."""
        try:
            return self._apply([item])
        except _BLAME:
            if isinstance(item, Settle):
                return self._apply([item.plain()])
            raise

    def _tell(self, what: Callable[..., None], *facts: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *facts)
        except RuntimeError:
            # The loop is closed: the process is ending and nobody waits for this any more.
            self._stopping = True
