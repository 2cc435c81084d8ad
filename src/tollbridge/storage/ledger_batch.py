"""Owns the arithmetic of one batch of money items. Pure but for fresh journal ids: no SQL, no threads.

It reads purses and holds through what it is given, decides every item in order against the
running figures, and collects what has to be written (money.md, "One call", steps 3 to 7).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from tollbridge.core.clock import new_id
from tollbridge.storage.ledger_items import (
    FLAGS,
    INT64_MAX,
    REVERSED,
    TID,
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


class Billed(NamedTuple):
    """What a usage row came to: what the user paid and what the operator bore.

    `reclaimed` marks a row that a reclaimer wrote and that its call has not corrected yet;
    `reversed` is what staff gave back of the charge since.
    """

    charge: int
    loss: int
    reclaimed: bool = False
    reversed: int = 0


LATE = "late"
REVERSED_FLAG = "reversed"
_NOTHING = Billed(0, 0)


_HELD = HoldResult(ok=True, short=None)


class OpenHold(NamedTuple):
    """A hold as the books have it."""

    tid: str
    purses: tuple[int, ...]
    amount: int
    covered: int
    at_ms: int
    bill: str

    def row(self, node: tuple[int, int]) -> tuple[Any, ...]:
        """Return the values of its table row."""
        return (
            self.tid, *three(self.purses), self.amount, self.covered, *node, self.at_ms, self.bill
        )  # fmt: skip

    def changes(self) -> tuple[Any, ...]:
        """Return the values of an update of its row."""
        return (self.amount, self.covered, self.bill, self.tid)


def three(purses: tuple[int, ...]) -> tuple[int | None, ...]:
    """Return the purses of a hold as its three columns: the wallet, then those of the key."""
    return (*purses, None, None)[:3]


def owners(columns: Iterable[int | None]) -> tuple[int, ...]:
    """Return the purses of a hold from its three columns; the way back from `three`."""
    return tuple(purse for purse in columns if purse is not None)


def reclaimed(end_state: str, flags: str) -> bool:
    """Say whether a usage row is a reclaimer's that its call may still correct."""
    return end_state == "reclaimed" and LATE not in flags.split(",")


class Line(NamedTuple):
    """One journal line: a transfer from the debited to the credited ledger account."""

    debit: str
    credit: str
    amount: int
    kind: str
    ref: str

    def row(self, at_ms: int) -> tuple[Any, ...]:
        """Return the values of its table row."""
        return (new_id(), at_ms, self.debit, self.credit, self.amount, self.kind, self.ref)


class Batch:
    """What one transaction will do: fill it with `take`, then write the collections."""

    def __init__(
        self,
        purse: Callable[[int], Figures],
        standing: Mapping[str, OpenHold],
        billed: Callable[[str], Billed | None],
    ) -> None:
        self._purse = purse
        self._standing = standing
        self._in_books = billed
        self.purses: dict[int, Figures] = {}
        self.made: dict[str, OpenHold] = {}
        self.changed: dict[str, OpenHold] = {}
        self.ended: list[str] = []
        self._over: set[str] = set()
        self._rows: dict[str, Billed] = {}
        self.usage: list[UsageRow] = []
        self.amended: list[UsageRow] = []
        self.journal: list[Line] = []
        self.returned: list[str] = []

    def take(self, item: Item) -> Any:
        """Decide one item and return its result. Raises Poisoned for what no table can hold."""
        return _TAKERS[type(item)](self, item)

    def _figures(self, purse_id: int) -> Figures:
        return self.purses.get(purse_id) or self._purse(purse_id)

    def _find(self, tid: str) -> OpenHold | None:
        if tid in self._over:
            return None
        return self.made.get(tid) or self.changed.get(tid) or self._standing.get(tid)

    def _billed(self, tid: str) -> Billed | None:
        return self._rows.get(tid) or self._in_books(tid)

    def _bill(self, tid: str, row: UsageRow, billed: Billed) -> None:
        self._rows[tid] = billed
        self.usage.append((*row, billed.charge, billed.loss))

    def _look(self, item: Look) -> dict[int, Figures]:
        return {purse: self._figures(purse) for purse in item.purses}

    def _hold(self, item: Hold) -> HoldResult:
        standing = self._find(item.tid)
        if standing is not None and item.resent:
            return _HELD
        if item.cancelled or item.tid in self._over or standing:
            return HoldResult(ok=False, short=None)
        if item.resent and self._billed(item.tid) is not None:
            # It was made, and reclaimed before we came back.
            return HoldResult(ok=False, short=None)
        if not 0 < item.amount <= INT64_MAX:
            raise Poisoned("a hold must be above zero and fit 64 bits")
        for purse in item.purses:
            if self._figures(purse).free < item.amount:
                return HoldResult(ok=False, short=purse)
        self._reserve(item.purses, item.amount)
        self.made[item.tid] = OpenHold(item.tid, item.purses, item.amount, 0, item.at_ms, item.bill)
        return _HELD

    def _reserve(self, purses: tuple[int, ...], amount: int) -> None:
        for purse in purses:
            now = self._figures(purse)
            self.purses[purse] = Figures(now.available, now.held + amount)

    def _update(self, item: Update) -> HoldResult:
        hold = self._find(item.tid)
        if hold is None:
            return HoldResult(ok=False, short=None)
        more = item.amount - hold.amount
        if more > 0:
            for purse in hold.purses:
                if self._figures(purse).free < more:
                    return HoldResult(ok=False, short=purse)
            self._reserve(hold.purses, more)
        changed = hold._replace(
            amount=max(hold.amount, item.amount),
            covered=max(hold.covered, item.covered),
            bill=item.bill if item.covered >= hold.covered else hold.bill,
        )
        (self.made if item.tid in self.made else self.changed)[item.tid] = changed
        return _HELD

    def _settle(self, item: Settle) -> SettleResult:
        hold = self._find(item.tid)
        cost, row = item.effective()
        if hold is None:
            return self._settle_without_hold(item, cost, row)
        cost = min(max(cost, 0), INT64_MAX)
        wallet_id = hold.purses[0]
        wallet = self._figures(wallet_id)
        extra = min(max(cost - hold.amount, 0), wallet.free)
        charge = min(cost, hold.amount) + extra
        loss = cost - charge
        self.purses[wallet_id] = Figures(wallet.available - charge, wallet.held - hold.amount)
        for purse in hold.purses[1:]:
            self._spend_limit(purse, hold.amount, charge)
        self._end(item.tid)
        self._bill(item.tid, row, Billed(charge, loss))
        if charge:
            self.journal.append(Line(f"wallet:{wallet_id}", "revenue", charge, "charge", item.tid))
        if loss:
            self.journal.append(Line("operator_loss", "revenue", loss, "loss", item.tid))
        return SettleResult(True, charge, loss, wallet.available - charge)

    def _settle_without_hold(self, item: Settle, cost: int, row: UsageRow) -> SettleResult:
        billed = self._billed(item.tid)
        if billed is None:
            # The hold was given up before it was made: the call still gets its row.
            if cost == 0:
                self._bill(item.tid, row, _NOTHING)
        elif billed.reclaimed:
            return self._settle_late(item, min(max(cost, 0), INT64_MAX), row, billed)
        elif item.resent:
            balance = self._figures(item.purses[0]).available
            return SettleResult(True, billed.charge, billed.loss, balance)
        return SettleResult(open=False, charge=0, loss=0, balance=0)

    def _settle_late(self, item: Settle, cost: int, row: UsageRow, posted: Billed) -> SettleResult:
        """Book the difference to what a reclaimer posted (money.md, "Death and time").

        What was given back by a reversal stays so, and is not given back once more.
        """
        wallet_id = item.purses[0]
        wallet = self._figures(wallet_id)
        cost = max(cost, posted.reversed)
        charge = min(cost, posted.charge + wallet.free)
        loss = cost - charge
        extra = charge - posted.charge
        self.purses[wallet_id] = Figures(wallet.available - extra, wallet.held)
        for purse in item.purses[1:]:
            self._spend_limit(purse, 0, extra)
        self._transfer(f"wallet:{wallet_id}", "revenue", extra, LATE, item.tid)
        self._transfer("operator_loss", "revenue", loss - posted.loss, "late_loss", item.tid)
        flagged = list(row)
        given_back = REVERSED_FLAG if posted.reversed else ""
        flagged[FLAGS] = ",".join(filter(None, (row[FLAGS], LATE, given_back)))
        flagged[REVERSED] = posted.reversed
        self._rows[item.tid] = Billed(charge, loss, reversed=posted.reversed)
        self.amended.append((*flagged, charge, loss))
        return SettleResult(True, charge, loss, wallet.available - extra, late=True)

    def _transfer(self, debit: str, credit: str, amount: int, kind: str, ref: str) -> None:
        """Add a journal line; a negative amount goes the other way, none at all needs no line."""
        if amount > 0:
            self.journal.append(Line(debit, credit, amount, kind, ref))
        elif amount < 0:
            self.journal.append(Line(credit, debit, -amount, kind, ref))

    def _spend_limit(self, purse: int, amount: int, charge: int) -> None:
        """A limit may be overrun by a call that cost more than its hold, but never below zero."""
        now = self._figures(purse)
        held = now.held - amount
        self.purses[purse] = Figures(max(now.available - charge, held), held)

    def _end(self, tid: str) -> None:
        self._over.add(tid)
        if self.made.pop(tid, None) is None:
            self.changed.pop(tid, None)
            self.ended.append(tid)

    def _record(self, item: Record) -> None:
        self._bill(item.row[TID], item.row, _NOTHING)

    def _return(self, item: Return) -> bool:
        billed = self._billed(item.tid)
        if billed is None:
            return False
        self.returned.append(item.tid)
        self._rows[item.tid] = Billed(billed.reversed, 0, reversed=billed.reversed)
        # What a reversal gave back is not given back once more.
        if rest := billed.charge - billed.reversed:
            for purse in item.purses:
                now = self._figures(purse)
                self.purses[purse] = Figures(now.available + rest, now.held)
            wallet = f"wallet:{item.purses[0]}"
            self.journal.append(Line("revenue", wallet, rest, "return", item.tid))
        if billed.loss:
            loss = Line("revenue", "operator_loss", billed.loss, "return_loss", item.tid)
            self.journal.append(loss)
        return True


_TAKERS: dict[type[Item], Callable[[Batch, Any], Any]] = {
    Look: Batch._look,  # noqa: SLF001
    Hold: Batch._hold,  # noqa: SLF001
    Update: Batch._update,  # noqa: SLF001
    Settle: Batch._settle,  # noqa: SLF001
    Record: Batch._record,  # noqa: SLF001
    Return: Batch._return,  # noqa: SLF001
}
