"""Owns books on paper: the real rules of a batch without a file or thread behind them.

A test decides when it writes, and may put an answer of its own in place of the true one.
"""

from typing import Any

from tests.billing.ledgers import Gauges
from tollbridge.billing.budgets import Budgets
from tollbridge.billing.ledger import Ledger
from tollbridge.storage.engine import open_engine
from tollbridge.storage.ledger_batch import Batch, Billed, OpenHold
from tollbridge.storage.ledger_items import (
    USAGE_COLUMNS,
    Figures,
    HoldResult,
    Item,
    Poisoned,
)

REFUSED = HoldResult(ok=False, short=None)
"""Not for lack of money: what was held is gone, or this node's time is over."""


class PaperWriter:
    """Writes whatever is asked at once or, while `slow`, when the test says `write`."""

    def __init__(self, ledger: Ledger, purses: dict[int, int]) -> None:
        self.alive = True
        self.busy_since: float | None = None
        self.slow = False
        self.purses = {purse: Figures(available, 0) for purse, available in purses.items()}
        self.holds: dict[str, OpenHold] = {}
        self.rows: list[dict[str, Any]] = []
        self.seen: list[Item] = []
        self.scripted: dict[type[Item], list[Any]] = {}
        self._ledger = ledger
        self._queue: list[Item] = []

    def submit(self, item: Item) -> None:
        """Take an item."""
        self.seen.append(item)
        self._queue.append(item)
        if not self.slow:
            self.write()

    def write(self) -> None:
        """Write everything that waits, in one batch."""
        items, self._queue = self._queue, []
        batch = Batch(self.purses.__getitem__, self.holds, self._billed)
        answers = [(item, self._answer(batch, item)) for item in items]
        self.purses.update(batch.purses)
        for tid in batch.ended:
            del self.holds[tid]
        self.holds |= batch.made | batch.changed
        self.rows += [dict(zip(USAGE_COLUMNS, row, strict=True)) for row in batch.usage]
        self._ledger.published(answers, batch.purses, 0.0)

    def spend(self, purse: int, amount: int) -> None:
        """Take money out of a purse behind the back of this node, as another process does."""
        now = self.purses[purse]
        self.purses[purse] = Figures(now.available - amount, now.held)

    def only(self, kind: type[Item]) -> list[Any]:
        """Return the items of one kind that were asked for, in order."""
        return [item for item in self.seen if type(item) is kind]

    def _billed(self, tid: str) -> Billed | None:
        rows = [row for row in self.rows if row["tid"] == tid]
        return Billed(rows[0]["charge"], rows[0]["loss"]) if rows else None

    def _answer(self, batch: Batch, item: Item) -> Any:
        item.taken = True
        if self.scripted.get(type(item)):
            return self.scripted[type(item)].pop(0)
        try:
            return batch.take(item)
        except Poisoned as poisoned:
            return poisoned


def paper_ledger(**purses: int) -> tuple[Ledger, PaperWriter]:
    """Return a started ledger on paper; `w1=100` gives purse 1 a hundred nano-dollars."""
    ledger = Ledger(Gauges(), deadline_s=1000.0, grace_s=1000.0, on_broken=str, admits=lambda: True)
    writer = PaperWriter(ledger, {int(name[1:]): amount for name, amount in purses.items()})
    ledger.start(writer)
    return ledger, writer


def no_budgets() -> Budgets:
    """Return the budgets of a database that nobody opens: for keys that have none."""
    return Budgets(open_engine("sqlite:///:memory:"))
