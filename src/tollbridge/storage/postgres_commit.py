"""Owns the money writer on PostgreSQL: it gathers what calls want and has it written in groups.

A task on the loop, one batch at a time, no linger. It knows what trouble of the database means for
a batch: waiting, reading back what may have been written, or blaming one item. Items stay here
while the database is away (money.md, "Engines" and the end table's last row).
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

from tollbridge.core.telemetry import get_logger
from tollbridge.storage.group_commit import Watch
from tollbridge.storage.ledger_items import Figures, Item, LedgerBroken, Look, Poisoned, Settle
from tollbridge.storage.postgres_errors import DATABASE_TROUBLE, Fault, fault_of

_BATCH_MAX = 256
_TURNS_MAX = 8
_PAUSE_S = 0.05
_RECONNECT_S = (0.05, 0.1, 0.2, 0.5, 1.0)
_log = get_logger(__name__)

Answers = list[tuple[Item, Any]]


class Book(Protocol):
    """What the writer drives."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""

    async def connect(self) -> None:
        """Open one."""

    def drop(self) -> None:
        """Let go of it."""

    async def close(self) -> None:
        """Close it in order."""

    async def quick(self, items: Sequence[Item]) -> tuple[Answers, dict[int, Figures], list[Item]]:
        """Do what one statement can."""

    async def exact(self, items: Sequence[Item]) -> tuple[Answers, dict[int, Figures]]:
        """Do items one after the other."""


class PostgresCommit:
    """One task, one book, one queue. Use it from the loop only."""

    def __init__(self, book: Book, watch: Watch) -> None:
        self._book = book
        self._watch = watch
        self._queue: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self.busy_since: float | None = None

    def start(self) -> None:
        """Start the task."""
        self._task = asyncio.create_task(self._run(), name="ledger writer")

    @property
    def alive(self) -> bool:
        """Whether the task runs."""
        return self._task is not None and not self._task.done()

    @property
    def queued(self) -> int:
        """How many items wait (for the gauge)."""
        return len(self._queue)

    def submit(self, item: Item) -> None:
        """Queue an item; its result is published."""
        self._queue.append(item)
        self._wake.set()

    async def stop(self, timeout_s: float) -> bool:
        """Write what is queued, then end; return whether all of it was written in time."""
        self._stopping = True
        self._wake.set()
        assert self._task is not None
        done, _ = await asyncio.wait({self._task}, timeout=timeout_s)
        if not done:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self._book.close()
        return bool(done)

    async def _run(self) -> None:
        try:
            while not (self._stopping and not self._queue):
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    await self._at_hand()
                    await self._commit(self._gather())
        except LedgerBroken as error:
            self._watch.broken(str(error))
        except Exception as error:  # noqa: BLE001 - the task's outermost frame
            _log.error("ledger writer failed", fault=type(error).__name__, exc_info=True)
            self._watch.broken(f"the writer died of {type(error).__name__}")

    async def _at_hand(self) -> None:
        """Let join the batch what the loop has at hand: turns of it, as long as each brings more.

        That is work which the loop has to do first anyway, so it makes fewer and larger batches
        without a wait for anybody.
        """
        for _ in range(_TURNS_MAX):
            queued = len(self._queue)
            await asyncio.sleep(0)
            if len(self._queue) == queued:
                return

    def _gather(self) -> list[Item]:
        queue = self._queue
        items = [queue.popleft() for _ in range(min(len(queue), _BATCH_MAX))]
        for item in items:
            item.taken = True
        return items

    async def _commit(self, items: list[Item]) -> None:
        self.busy_since = started = time.monotonic()
        left = items
        try:
            await self._connected()
            answers, purses, left = await self._book.quick(items)
        except Exception as error:  # sorted out below
            fault = fault_of(error)
            if fault is Fault.PROGRAM:
                raise
            if fault is Fault.CONNECTION:
                self._lost(error, items)
        else:
            self._publish(answers, purses, started)
        if left:
            await self._exactly(left)
        self.busy_since = None

    async def _exactly(self, items: list[Item]) -> None:
        """Do together what can be done together; else find out which item is to blame."""
        started = time.monotonic()
        answers, purses, blame = await self._patiently(items)
        if blame is None:
            self._publish(answers, purses, started)
        elif len(items) > 1:
            for item in items:
                await self._exactly([item])
        else:
            await self._plainly(items[0], blame)

    async def _plainly(self, item: Item, blame: str) -> None:
        """A settle whose row the database refuses is posted plain: money first, texts second."""
        started = time.monotonic()
        if isinstance(item, Settle):
            answers, purses, still = await self._patiently([item.plain()])
            if still is None:
                self._publish([(item, answers[0][1])], purses, started)
                return
            blame = still
        self._publish([(item, Poisoned(blame))], {}, started)

    async def _patiently(self, items: list[Item]) -> tuple[Answers, dict[int, Figures], str | None]:
        """Try until it is written or an item is to blame; then the error's type is the last value.

        The text of a database error can hold bound values, so only its type goes on.
        """
        while True:
            try:
                await self._connected()
                return *(await self._book.exact(items)), None
            except Poisoned as error:
                return [], {}, type(error).__name__
            except Exception as error:  # sorted out below
                fault = fault_of(error)
                if fault is Fault.PROGRAM:
                    raise
                if fault is Fault.ITEM:
                    return [], {}, type(error).__name__
                if fault is Fault.CONNECTION:
                    self._lost(error, items)
            await asyncio.sleep(_PAUSE_S)

    def _publish(self, answers: Answers, purses: dict[int, Figures], started: float) -> None:
        if answers:
            self._watch.published(answers, purses, time.monotonic() - started)

    def _lost(self, error: Exception, items: Sequence[Item]) -> None:
        """What was under way may have been written: what the books say of it is the answer."""
        if self._book.connected:
            _log.warning("ledger connection lost", fault=type(error).__name__)
        self._book.drop()
        for item in items:
            if not isinstance(item, Look):
                item.resent = True

    async def _connected(self) -> None:
        tries = 0
        while not self._book.connected:
            try:
                await self._book.connect()
            except DATABASE_TROUBLE:
                await asyncio.sleep(_RECONNECT_S[min(tries, len(_RECONNECT_S) - 1)])
                tries += 1
