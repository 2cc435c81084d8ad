"""Owns what the one statement is asked for: a batch of items as columns, and its answers.

Items of one call are folded into one wish; what the statement cannot decide exactly is left over
for the slow way. Pure but for fresh journal ids: no SQL, no connection.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from tollbridge.core.clock import new_id
from tollbridge.storage.ledger_batch import three
from tollbridge.storage.ledger_items import (
    INT64_MAX,
    USAGE_COLUMNS,
    Figures,
    Hold,
    HoldResult,
    Item,
    Record,
    Settle,
    SettleResult,
    Update,
    UsageRow,
)
from tollbridge.storage.ledger_statement import HOLD_ORDER, SETTLED, USAGE_ORDER

_whole = itemgetter(*map(USAGE_COLUMNS.index, USAGE_ORDER))
_HOLD_PARTS = (
    *("tid", "wallet_id", "key_purse_id", "other_purse_id", "amount", "covered", "at_ms", "bill"),
    *("node_id", "epoch"),
)
_whole_hold = itemgetter(*map(_HOLD_PARTS.index, HOLD_ORDER))
_GONE = HoldResult(ok=False, short=None)
_HELD = HoldResult(ok=True, short=None)


class Own(NamedTuple):
    """A hold of this node as it knows it: its purses, its amount, when it was made."""

    purses: tuple[int, ...]
    amount: int
    at_ms: int


class _Wish:
    """All items of one call in one batch."""

    __slots__ = ("cost", "hold", "items", "odd", "settle", "update")

    def __init__(self) -> None:
        # What the settle cost when it was planned: it may be withheld while it is written.
        self.cost = 0
        self.items: list[Item] = []
        self.hold: Hold | None = None
        self.update: Update | None = None
        self.settle: Settle | None = None
        self.odd = False

    def add(self, item: Hold | Update | Settle) -> None:
        """Take one more item; an order that no call has makes the wish odd."""
        self.items.append(item)
        self.odd |= item.resent or self.settle is not None
        if type(item) is Hold:
            self.odd |= len(self.items) > 1 or not 0 < item.amount <= INT64_MAX
            self.hold = item
        elif type(item) is Update:
            before = self.update
            self.odd |= before is not None and (
                item.covered < before.covered or item.amount < before.amount
            )
            self.update = item
        else:
            assert type(item) is Settle
            self.settle = item


class Plan:
    """One batch. `left` are the items for the slow way.

    `own` are the open holds of the node, `earlier` the calls that it held in an epoch that is over.
    """

    def __init__(
        self, items: Iterable[Item], own: Mapping[str, Own], earlier: Container[str] = ()
    ) -> None:
        self._own = own
        self._earlier = earlier
        self.left: list[Item] = []
        self._answers: list[tuple[Item, Any]] = []
        # Purse: what settles do to available and held, and what they set free.
        self._moves: dict[int, list[int]] = {}
        self._claims: list[tuple[int, int, int, int, int]] = []
        self._claimed: dict[int, tuple[str, _Wish]] = {}
        # Rows without their node, and lines without their time, which the statement's moment gives.
        self._holds: list[tuple[int, tuple[Any, ...]]] = []
        self._updates: list[tuple[int, str, int, int, int, str]] = []
        self._ended: list[str] = []
        self._usage: list[tuple[int, UsageRow]] = []
        self._journal: list[tuple[int, tuple[Any, ...]]] = []
        self._free: list[tuple[str, _Wish]] = []
        self._records: list[Record] = []
        self._add(items)

    @property
    def empty(self) -> bool:
        """Whether there is nothing for the statement to do."""
        return not (self._usage or self._holds or self._updates or self._ended)

    def arguments(self, node: tuple[int, int], at_ms: int) -> list[Any]:
        """Return the parameters of the statement."""
        moves = sorted(self._moves.items())
        return [
            *node,
            [purse for purse, _ in moves],
            [figure for _, move in moves for figure in move],
            [figure for claim in self._claims for figure in claim],
            *_columns([(number, _whole_hold((*row, *node))) for number, row in self._holds], 2),
            *_columns(self._updates, 6),
            self._ended,
            *_columns(self._usage, 2),
            *_columns([(number, (at[0], at_ms, *at[1:])) for number, at in self._journal], 2),
        ]

    def answers(
        self, refused: Sequence[int], purses: dict[int, Figures]
    ) -> tuple[list[tuple[Item, Any]], dict[str, Own | None]]:
        """Return what each decided item is answered, and how this node's holds changed.

        Refused wishes join `left`. `purses` are the figures after the statement.
        """
        for number in refused:
            self.left += self._claimed.pop(number)[1].items
        balance = {purse: figures.available for purse, figures in purses.items()}
        answers: list[tuple[Item, Any]] = [*self._answers, *((one, None) for one in self._records)]
        changes: dict[str, Own | None] = {}
        # Backwards, because the figures are those after the last settle.
        for tid, wish in reversed([*self._free, *self._claimed.values()]):
            answers += self._answers_of(tid, wish, balance, changes)
        return answers, changes

    def _answers_of(
        self, tid: str, wish: _Wish, balance: dict[int, int], changes: dict[str, Own | None]
    ) -> list[tuple[Item, Any]]:
        own = self._standing(tid, wish)
        settle = wish.settle
        if settle is None:
            amount = max(own.amount, wish.update.amount) if wish.update else own.amount
            changes[tid] = own._replace(amount=amount)
            return [(item, _HELD) for item in wish.items]
        wallet = own.purses[0]
        result = SettleResult(True, wish.cost, 0, balance[wallet])
        balance[wallet] += wish.cost
        changes[tid] = None
        return [(item, result if item is settle else _HELD) for item in wish.items]

    def _standing(self, tid: str, wish: _Wish) -> Own:
        hold = wish.hold
        return self._own[tid] if hold is None else Own(hold.purses, hold.amount, hold.at_ms)

    def _add(self, items: Iterable[Item]) -> None:
        wishes: dict[str, _Wish] = {}
        for item in items:
            kind = type(item)
            if kind is Record and not item.resent:
                assert isinstance(item, Record)
                self._records.append(item)
                self._usage.append((SETTLED, _whole((*item.row, 0, 0))))
            elif kind is Hold or kind is Update or kind is Settle:
                assert isinstance(item, Hold | Update | Settle)
                wish = wishes.get(item.tid)
                if wish is None:
                    wish = wishes[item.tid] = _Wish()
                wish.add(item)
            else:
                self.left.append(item)
        for tid, wish in wishes.items():
            self._fold(tid, wish)

    def _fold(self, tid: str, wish: _Wish) -> None:
        if wish.hold is not None and wish.hold.cancelled and len(wish.items) == 1:
            self._answers.append((wish.hold, _GONE))
        elif wish.odd or tid in self._earlier or (tid in self._own) == (wish.hold is not None):
            self.left += wish.items
        elif wish.settle is not None:
            self._end(tid, wish, wish.settle)
        elif wish.hold is not None:
            self._begin(tid, wish, wish.hold)
        else:
            assert wish.update is not None
            self._change(tid, wish, wish.update)

    def _begin(self, tid: str, wish: _Wish, hold: Hold) -> None:
        update = wish.update
        if hold.cancelled or (update is not None and update.amount > hold.amount):
            self.left += wish.items
            return
        number = self._claim(tid, wish, hold.purses, hold.amount, hold.amount, 0)
        covered, bill = (0, hold.bill) if update is None else (update.covered, update.bill)
        self._holds.append(
            (number, (tid, *three(hold.purses), hold.amount, covered, hold.at_ms, bill))
        )

    def _change(self, tid: str, wish: _Wish, update: Update) -> None:
        own = self._own[tid]
        more = update.amount - own.amount
        if more > 0:
            number = self._claim(tid, wish, own.purses, more, more, 0)
        else:
            number = SETTLED
            self._free.append((tid, wish))
        self._updates.append(
            (number, tid, own.amount, max(update.amount, own.amount), update.covered, update.bill)
        )

    def _end(self, tid: str, wish: _Wish, settle: Settle) -> None:
        own = self._standing(tid, wish)
        cost, row = settle.effective()
        larger = wish.update is not None and wish.update.amount > own.amount
        cancelled = wish.hold is not None and wish.hold.cancelled
        if not 0 <= cost <= own.amount or larger or cancelled:
            self.left += wish.items
            return
        wish.cost = cost
        if wish.hold is not None:
            # Held and spent at once: the hold never becomes a row, but there must be money for it.
            number = self._claim(tid, wish, own.purses, own.amount, 0, cost)
        else:
            number = SETTLED
            for purse in own.purses:
                move = self._move(purse)
                move[0] -= cost
                move[1] -= own.amount
                move[2] += own.amount - cost
            self._ended.append(tid)
            self._free.append((tid, wish))
        self._write(number, own.purses[0], cost, row)

    def _write(self, number: int, wallet: int, cost: int, row: UsageRow) -> None:
        self._usage.append((number, _whole((*row, cost, 0))))
        if cost:
            line = (new_id(), f"wallet:{wallet}", "revenue", cost, "USD", "charge", row[0])
            self._journal.append((number, line))

    def _claim(
        self, tid: str, wish: _Wish, purses: tuple[int, ...], need: int, held: int, spent: int
    ) -> int:
        number = len(self._claimed) + 1
        self._claimed[number] = (tid, wish)
        for purse in purses:
            self._move(purse)
            self._claims.append((number, purse, need, held, spent))
        return number

    def _move(self, purse: int) -> list[int]:
        move = self._moves.get(purse)
        if move is None:
            move = self._moves[purse] = [0, 0, 0]
        return move


def _columns(rows: Sequence[Sequence[Any]], width: int) -> Iterable[Sequence[Any]]:
    return zip(*rows, strict=True) if rows else [()] * width
