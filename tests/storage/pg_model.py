"""Owns what the books on PostgreSQL may come to when nobody knows in which order things happened.

Calls are whole: whatever several nodes, a reclaimer and a lost answer make of a batch, it has to be
what some order of its calls, one after the other, would have made.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import Any

from tests.storage.books_model import GONE, Model, Standing
from tollbridge.storage.ledger_items import (
    HoldResult,
    Item,
    Look,
    Poisoned,
    Record,
    Settle,
    SettleResult,
)

REAP = "reap"
Wish = tuple[Any, bool]


@dataclass
class Owned(Standing):
    """A hold and the epoch that made it."""

    epoch: tuple[int, int] = (0, 0)


@dataclass
class PgModel(Model):
    """The books of many nodes. `writes_as` is the epoch under which a call's node writes now."""

    over: set[tuple[int, int]] = field(default_factory=set)
    writes_as: dict[str, tuple[int, int]] = field(default_factory=dict)

    def _hold(self, item, poison):
        epoch = self.writes_as[item.tid]
        if epoch in self.over:
            return GONE
        answer = super()._hold(item, poison)
        if isinstance(answer, HoldResult) and answer.ok:
            made = self.holds[item.tid]
            self.holds[item.tid] = Owned(made.purses, made.amount, 0, made.strange, epoch)
        return answer

    def _update(self, item, poison):
        epoch, one = self.writes_as[item.tid], self.holds.get(item.tid)
        if epoch in self.over or (one is not None and one.epoch != epoch):
            return GONE
        return super()._update(item, poison)

    @property
    def orphans(self):
        """The holds of epochs that are over."""
        return [tid for tid, one in self.holds.items() if one.epoch in self.over]

    def recover(self):
        """Post them."""
        for tid in sorted(self.orphans):
            one = self.holds.pop(tid)
            self.end(tid, one, one.covered)
            self.reclaimed.add(tid)

    def own(self, epoch):
        """Return the holds of an epoch: what its node has to know."""
        return {tid: one.amount for tid, one in self.holds.items() if one.epoch == epoch}

    def after(self, order: Iterable[Any]) -> tuple[list[Any], "PgModel"]:
        """Return the answers and the books after one order; REAP among it is a reclaimer."""
        parts: list[list[Wish]] = [[]]
        for one in order:
            if one == REAP:
                parts += [[]]
            else:
                parts[-1] += one
        books, answers = self.copy(), []
        for at, part in enumerate(parts):
            if at:
                books.recover()
            told, stages = books.stages(part)
            answers += told
            books = stages[-1]
        return answers, books


def calls_of(wishes: Iterable[Wish]) -> list[list[Wish]]:
    """Return wishes by call; a look or a record is a call of its own."""
    calls: dict[Any, list[Wish]] = {}
    for item, poison in wishes:
        alone = isinstance(item, Look | Record)
        calls.setdefault(id(item) if alone else item.tid, []).append((item, poison))
    return list(calls.values())


def orders(wishes: Sequence[Wish], *, reap: bool = False) -> Iterator[list[Any]]:
    """Yield the order as asked, then every order of whole calls."""
    yield [list(wishes), *([REAP] if reap else [])]
    calls = [*calls_of(wishes), *([REAP] if reap else [])]
    yield from map(list, permutations(calls))


def explain(
    before: PgModel,
    wishes: Sequence[Wish],
    told: dict[Item, Any],
    state: Any,
    *,
    doubt: bool = False,
    reap: bool = False,
) -> PgModel:
    """Return the books of an order that comes to `state` and answers so; AssertionError if none.

    With `doubt` an answer may have been read back from the books.
    """
    for order in orders(wishes, reap=reap):
        answers, after = before.after(order)
        if after.state() != state:
            continue
        items = [item for call in order if call != REAP for item, _ in call]
        ended = {item.tid for item in items if isinstance(item, Settle)}
        if all(
            _agree(expected, told[item], item, after, ended if doubt else None)
            for item, expected in zip(items, answers, strict=True)
        ):
            return after
    answers, after = before.after([list(wishes), *([REAP] if reap else [])])
    raise AssertionError(
        f"no order of calls explains this\nasked    {_names(wishes)}\nexpected {answers}\n"
        f"told     {[told[item] for item, _ in wishes]}\nstate    {state}\nexpected {after.state()}"
    )


def explain_part(before: PgModel, wishes: Sequence[Wish], state: Any) -> PgModel:
    """Return the books of some of the calls, for a node that died on the way."""
    for order in permutations(calls_of(wishes)):
        for length in range(len(order) + 1):
            _, after = before.after(order[:length])
            if after.state() == state:
                return replace(after)
    raise AssertionError(f"a call was done in part: {_names(wishes)}\nbooks {state}")


def _names(wishes: Sequence[Wish]) -> list[str]:
    return [
        " ".join(
            [type(item).__name__, *(f"{getattr(item, name, '')}" for name in ("tid", "amount", "covered", "cost"))]
        )
        for item, _ in wishes
    ]  # fmt: skip


def _agree(expected, told, item, after: PgModel, ended: set[str] | None) -> bool:
    """Compare an answer; `ended` are the calls that end in the batch, None when nothing was lost."""
    if isinstance(told, Poisoned):
        return expected is Poisoned
    if told == expected:
        return True
    if ended is None or expected is Poisoned:
        return False
    if isinstance(told, SettleResult):
        # Read back: the balance is today's, and late or not is not remembered.
        same = told.open and expected.open and told[1:3] == expected[1:3]
        return same or (told.open and told[1:3] == after.usage.get(item.tid))
    if isinstance(told, HoldResult):
        if told.ok:
            return item.tid in after.holds or item.tid in ended
        # It stood until its own settle, which came first by the time it was read back.
        return expected.ok and item.tid in ended
    return False
