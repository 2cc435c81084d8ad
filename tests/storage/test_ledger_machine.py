"""The real books under random batches, foreign writers and deaths; and proof that this would tell.

Each mutant breaks one rule of money.md; the machine has to notice every one of them.
"""

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.storage.books_machine import Books
from tollbridge.storage.ledger_batch import Batch
from tollbridge.storage.ledger_items import Figures, Hold, Return, Settle, Update
from tollbridge.storage.ledger_sqlite import SqliteBook

# Not shrunk: each step costs milliseconds of real disk, and a failure prints its steps anyway.
_BRIEF = settings(max_examples=25, stateful_step_count=25, phases=[Phase.generate])
_LONG = settings(max_examples=2500, stateful_step_count=40, phases=[Phase.generate])
_HUNT = settings(
    max_examples=3000,
    stateful_step_count=25,
    phases=[Phase.generate],
    derandomize=True,
    report_multiple_bugs=False,
)


def test_the_books_are_right_after_every_step():
    run_state_machine_as_test(Books, settings=_BRIEF)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_books_are_right_after_every_step_of_many():
    run_state_machine_as_test(Books, settings=_LONG)


class HoldsWithoutMoney(Batch):
    """The free money is not asked for."""

    def take(self, item):
        if type(item) is Hold and not self._find(item.tid):
            wallet = self._figures(item.purses[0])
            if wallet.free < item.amount:
                self.purses[item.purses[0]] = Figures(wallet.available + item.amount, wallet.held)
        return super().take(item)


class ForgetsTheLimit(Batch):
    """Only the wallet is asked, not the key's limit."""

    def take(self, item):
        if type(item) is Hold:
            item.purses = item.purses[:1]
        return super().take(item)


class KeepsTheHold(Batch):
    """A settled call's hold stays."""

    def _end(self, tid):
        super()._end(tid)
        if tid in self.ended:
            self.ended.remove(tid)


class FreeOfCharge(Batch):
    """The charge is not taken from the wallet."""

    def take(self, item):
        result = super().take(item)
        if type(item) is Settle and result.charge:
            for purse, now in self.purses.items():
                self.purses[purse] = Figures(now.available + result.charge, now.held)
        return result


class ChargesTheHold(Batch):
    """The hold is charged instead of the cost."""

    def take(self, item):
        if type(item) is Settle and (hold := self._find(item.tid)):
            item.cost = hold.amount
        return super().take(item)


class NoJournal(Batch):
    """Charges leave no line."""

    def take(self, item):
        result = super().take(item)
        self.journal.clear()
        return result


class SettlesTwice(Batch):
    """A call that is over can end again."""

    def _end(self, tid):
        super()._end(tid)
        self._over.discard(tid)


class ReturnsTwice(Batch):
    """What was given back is forgotten."""

    def take(self, item):
        result = super().take(item)
        if type(item) is Return:
            self.returned.clear()
        return result


class Shrinks(Batch):
    """An update may lower a checkpoint."""

    def take(self, item):
        result = super().take(item)
        if type(item) is Update and result.ok:
            place = self.made if item.tid in self.made else self.changed
            place[item.tid] = place[item.tid]._replace(covered=item.covered)
        return result


def with_batch(batch_class):
    def make(self):
        return batch_class(self._purse, self._open, self._billed)

    return type(batch_class.__name__, (SqliteBook,), {"_batch": make})


class DeafBook(SqliteBook):
    """Does not notice that others wrote."""

    def _refresh(self):
        pass


class LateBook(SqliteBook):
    """Writes the purses in a transaction of their own, after the rest."""

    def _write(self, batch):
        purses, batch.purses = batch.purses, {}
        super()._write(batch)
        self._connection.execute("COMMIT")
        self._connection.execute("BEGIN IMMEDIATE")
        batch.purses = purses
        for purse, now in purses.items():
            self._connection.execute(
                "UPDATE purse SET available = ?, held = ? WHERE id = ?", (*now, purse)
            )


class ForgivingBook(SqliteBook):
    """Frees what a dead process left without charging it."""

    def adopt(self):
        return [hold._replace(covered=0) for hold in super().adopt()]


MUTANTS = [
    *map(
        with_batch,
        (
            HoldsWithoutMoney,
            ForgetsTheLimit,
            KeepsTheHold,
            FreeOfCharge,
            ChargesTheHold,
            NoJournal,
            SettlesTwice,
            ReturnsTwice,
            Shrinks,
        ),
    ),
    DeafBook,
    LateBook,
    ForgivingBook,
]


@pytest.mark.parametrize("book", MUTANTS, ids=lambda book: book.__name__)
def test_a_broken_rule_is_noticed(book):
    machine = type("Mutant", (Books,), {"book_class": book})
    with pytest.raises(Exception) as caught:
        run_state_machine_as_test(machine, settings=_HUNT)
    assert not isinstance(caught.value, TypeError | AttributeError)
