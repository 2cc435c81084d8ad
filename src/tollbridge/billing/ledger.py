"""Owns the loop's side of money: what calls ask of the books and what they may rely on.

The only door to holds, settles and purse figures. It keeps a view of the purses that this node
has seen, knows when the writer is late or broken, and never blocks the loop (money.md, "One
call", "Engines"). It must not know of surfaces, accounts or sockets.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tollbridge.storage.ledger_items import (
    Figures,
    Hold,
    HoldResult,
    Item,
    Look,
    Poisoned,
    Record,
    Return,
    Settle,
    SettleResult,
    Update,
    UsageRow,
)

_WATCH_EVERY_S = 0.25
_VIEWS_MAX = 100_000


class DatabaseDown(Exception):
    """The books cannot be written now: nothing was held, nothing may be promised."""


class Writer(Protocol):
    """A money writer: takes items, publishes their results to the ledger on the loop."""

    busy_since: float | None

    @property
    def alive(self) -> bool:
        """Whether it can still write."""

    def submit(self, item: Item) -> None:
        """Queue an item."""


class Gauges(Protocol):
    """Where the ledger reports to; the metrics registry implements it."""

    @property
    def hold_refused(self) -> Callable[[], None]:
        """A hold was refused for lack of money."""

    @property
    def operator_loss(self) -> Callable[[float], None]:
        """The operator bore so many nano-dollars of a call."""

    @property
    def late_settle(self) -> Callable[[], None]:
        """A settle found its hold reclaimed."""

    @property
    def reclaimed(self) -> Callable[[float], None]:
        """So many calls of dead processes were posted."""

    @property
    def settled(self) -> Callable[[float], None]:
        """The settle that waited longest in a commit waited so many seconds."""

    def committed(self, batch: int, seconds: float) -> None:
        """A batch of `batch` items took `seconds`."""


class _View:
    """What this node believes of one purse, with its own holds that are not yet confirmed.

    `seen` is None until the books were asked: a hold may be on its way before.
    """

    __slots__ = ("seen", "unconfirmed")

    def __init__(self, seen: Figures | None = None) -> None:
        self.seen = seen
        self.unconfirmed = 0


class Ledger:
    """Holds, settles and figures for the calls of one node. Use it from the event loop only."""

    def __init__(
        self,
        gauges: Gauges,
        *,
        deadline_s: float,
        grace_s: float,
        on_broken: Callable[[str], None],
        admits: Callable[[], bool],
    ) -> None:
        self._gauges = gauges
        self._deadline_s = deadline_s
        self._grace_s = grace_s
        self._on_broken = on_broken
        self._admits = admits
        self._writer: Writer | None = None
        self._loop = asyncio.get_running_loop()
        self._views: dict[int, _View] = {}
        self._waiting: deque[Item] = deque()
        self._settling: deque[Settle] = deque()
        # When the settle of this batch that waited longest was asked for.
        self._oldest_settle = math.inf
        self._late = False
        self._broken = False
        self._room = True
        self._watcher: asyncio.Task[None] | None = None

    def start(self, writer: Writer) -> None:
        """Begin to use a running writer."""
        self._writer = writer
        self._room = self._admits()
        self._watcher = self._loop.create_task(self._watch())

    def stop(self) -> None:
        """Stop watching; the writer is stopped by whoever made it."""
        if self._watcher is not None:
            self._watcher.cancel()

    @property
    def ready(self) -> bool:
        """Whether new calls may be taken: the writer keeps up and the disk has room."""
        return self._room and not (self._late or self._broken)

    def free(self, purses: Sequence[int]) -> int | None:
        """Return what a new call may hold in the poorest of `purses`; None if one is not known."""
        least: int | None = None
        for purse in purses:
            view = self._views.get(purse)
            if view is None or view.seen is None:
                return None
            free = view.seen.free - view.unconfirmed
            if least is None or free < least:
                least = free
        return least

    def must_wait(self, purses: Sequence[int], need: int) -> bool:
        """Whether a hold of `need` has to be durable before anything goes upstream.

        So it is unless free money is at least four times what is unconfirmed and needed
        (money.md, step 3).
        """
        for purse in purses:
            view = self._views.get(purse)
            if view is None or view.seen is None:
                return True
            if view.seen.free < 4 * (view.unconfirmed + need):
                return True
        return False

    def balance(self, purse: int) -> int:
        """Return what this node last saw in a purse that is not yet charged; 0 if it saw nothing."""
        view = self._views.get(purse)
        return 0 if view is None or view.seen is None else view.seen.available

    async def look(self, purses: tuple[int, ...]) -> None:
        """Refresh the view of `purses` from the books. Raises DatabaseDown."""
        await self.ask(Look(purses))

    def hold(self, tid: str, purses: tuple[int, ...], amount: int, at_ms: int, bill: str) -> Hold:
        """Ask for a hold; its `future` gives a HoldResult or raises DatabaseDown."""
        item = Hold(tid, purses, amount, at_ms, bill)
        for purse in purses:
            view = self._views.get(purse)
            if view is None:
                view = self._views[purse] = _View()
            view.unconfirmed += amount
        self.ask(item)
        return item

    def update(self, tid: str, amount: int, covered: int, bill: str) -> asyncio.Future[HoldResult]:
        """Checkpoint or extend a hold."""
        return self.ask(Update(tid, amount, covered, bill))

    def settle(self, tid: str, cost: int, row: UsageRow, purses: tuple[int, ...] = ()) -> Settle:
        """End a call; the item's `future` gives a SettleResult.

        It raises Poisoned when even a plain row is refused, DatabaseDown when the writer is gone or
        the grace is over; the settle itself stays queued then and is written, however late.
        """
        item = Settle(tid, cost, row, purses)
        self._queue(item)
        self._settling.append(item)
        return item

    def record(self, row: UsageRow) -> None:
        """Write the usage row of a call refused before it held anything; nobody waits for it."""
        self._queue(Record(row))

    def withhold(self, settle: Settle, purses: tuple[int, ...]) -> None:
        """Make a settle cost nothing because its answer was not delivered, even if under way."""
        # In this order: the writer's thread may take the item between any two lines here. It then
        # sees the mark or the Return comes after it; both together do no harm.
        settle.withheld = True
        if settle.taken:
            self._queue(Return(settle.tid, purses))

    def ask(self, item: Item) -> asyncio.Future[Any]:
        """Queue an item whose answer has a deadline: past it the future raises DatabaseDown."""
        self._queue(item)
        assert item.future is not None
        if not item.future.done():
            self._waiting.append(item)
        return item.future

    def _queue(self, item: Item) -> None:
        assert self._writer is not None
        item.future = self._loop.create_future()
        item.asked_at = self._loop.time()
        if self._broken:
            self._give_up(item)
        else:
            self._writer.submit(item)

    def published(
        self, answers: list[tuple[Item, Any]], purses: dict[int, Figures], took_s: float
    ) -> None:
        """Take over what became durable and wake the calls that wait for it."""
        if len(self._views) > _VIEWS_MAX:
            self._views = {purse: view for purse, view in self._views.items() if view.unconfirmed}
        for item, answer in answers:
            self._answer(item, answer)
        # After the answers: a look in the same batch saw figures from before its later items.
        self._saw(purses)
        self._gauges.committed(len(answers), took_s)
        if self._oldest_settle != math.inf:
            self._gauges.settled(self._loop.time() - self._oldest_settle)
            self._oldest_settle = math.inf
        for queue in (self._waiting, self._settling):
            while queue and self._done(queue[0]):
                queue.popleft()
        if self._late and not self._waiting:
            self._late = False

    def _answer(self, item: Item, answer: Any) -> None:
        if type(item) is Hold:
            for purse in item.purses:
                if (view := self._views.get(purse)) is not None:
                    view.unconfirmed -= item.amount
            if isinstance(answer, HoldResult) and not answer.ok and answer.short is not None:
                self._gauges.hold_refused()
        elif type(item) is Look and isinstance(answer, dict):
            self._saw(answer)
        elif isinstance(answer, SettleResult):
            self._report(item, answer)
        future = item.future
        if future is None or future.done():
            return
        if isinstance(answer, Poisoned):
            future.set_exception(answer)
            future.exception()
        else:
            future.set_result(answer)

    def _report(self, item: Item, result: SettleResult) -> None:
        self._oldest_settle = min(self._oldest_settle, item.asked_at)
        if result.loss:
            self._gauges.operator_loss(result.loss)
        if result.late:
            self._gauges.late_settle()

    def _saw(self, figures: dict[int, Figures]) -> None:
        for purse, now in figures.items():
            view = self._views.get(purse)
            if view is None:
                self._views[purse] = _View(now)
            else:
                view.seen = now

    def broken(self, reason: str) -> None:
        """The writer is gone or does not know what it wrote: nothing more may be taken."""
        if self._broken:
            return
        self._broken = True
        for queue in (self._waiting, self._settling):
            while queue:
                self._give_up(queue.popleft())
        self._on_broken(reason)

    def _give_up(self, item: Item) -> None:
        if item.future is not None and not item.future.done():
            item.future.set_exception(DatabaseDown())
            # Nobody has to look: calls that left must not make a warning.
            item.future.exception()

    @staticmethod
    def _done(item: Item) -> bool:
        return item.future is None or item.future.done()

    async def _watch(self) -> None:
        """See to deadlines and to the disk; one timer for all calls instead of one for each."""
        while True:
            await asyncio.sleep(_WATCH_EVERY_S)
            self._expire()
            self._room = self._admits()
            if self._writer is not None and not self._writer.alive:
                self.broken("the writer thread is gone")
            if self._broken:
                return

    def _expire(self) -> None:
        oldest_allowed = self._loop.time() - self._deadline_s
        while self._waiting and self._waiting[0].asked_at < oldest_allowed:
            item = self._waiting.popleft()
            if self._done(item):
                continue
            self._late = True
            if type(item) is Hold:
                # Spares the hold if the writer still struggles; one already made has to be voided.
                item.cancelled = True
            self._give_up(item)
        self._end_grace()
        if self._stuck():
            self._late = True
        if self._late and not self._waiting:
            self._probe()

    def _end_grace(self) -> None:
        oldest_allowed = self._loop.time() - self._grace_s
        while self._settling and self._settling[0].asked_at < oldest_allowed:
            self._give_up(self._settling.popleft())

    def _stuck(self) -> bool:
        """Settles have no deadline, so a batch of them that hangs has to be seen otherwise."""
        since = None if self._writer is None else self._writer.busy_since
        return since is not None and time.monotonic() - since > self._deadline_s

    def _probe(self) -> None:
        """While the books are late, ask them something so that an answer can end it."""
        self.ask(Look(()))
