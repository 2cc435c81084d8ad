"""Proof that the machine of many nodes would tell: each mutant breaks one rule of money.md."""

import asyncio
import sys

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.storage.pg_machine import PgBooks
from tollbridge.billing import reclaimer
from tollbridge.billing.recovery import posting
from tollbridge.storage import ledger_exact, ledger_nodes, ledger_plan, ledger_postgres
from tollbridge.storage.ledger_batch import Batch
from tollbridge.storage.ledger_items import Figures, Hold, Settle, SettleResult
from tollbridge.storage.ledger_postgres import PostgresBook
from tollbridge.storage.ledger_statement import APPLY
from tollbridge.storage.migrate import migrate
from tollbridge.storage.postgres_commit import PostgresCommit

_HUNT = settings(
    max_examples=100,
    stateful_step_count=50,
    phases=[Phase.generate],
    derandomize=True,
    report_multiple_bugs=False,
)


@pytest.fixture(scope="module")
def url(postgres_server):
    """Return the URL of one migrated database for all machines."""
    with postgres_server.database() as url:
        asyncio.run(migrate(url))
        yield url


class ReadsNothingBack(PostgresCommit):
    """What was lost is asked for as if it had never been asked for."""

    def _lost(self, error, items):
        self._book.drop()


class ForgetsWhatWasLost(PostgresCommit):
    """A lost connection is taken for a batch that was not written: nobody tries again."""

    async def _patiently(self, items):
        if any(item.resent for item in items):
            return [(item, None) for item in items], {}, None
        return await super()._patiently(items)


class Unchanged(PostgresBook):
    """Keeps the old epoch's holds for its own."""

    def rejoin(self, node):
        self.node = node


class NothingIsLate(Batch):
    """A settle that finds its hold reaped is dropped."""

    def _settle_late(self, item, cost, row, posted):
        return SettleResult(open=False, charge=0, loss=0, balance=0)


class LateForFree(Batch):
    """The difference is written down but not taken."""

    def _settle_late(self, item, cost, row, posted):
        before = dict(self.purses)
        result = super()._settle_late(item, cost, row, posted)
        self.purses = before
        return result


class HoldsWithoutMoney(Batch):
    """The exact way does not ask for money."""

    def take(self, item):
        if type(item) is Hold and not self._find(item.tid):
            wallet = self._figures(item.purses[0])
            if wallet.free < item.amount:
                self.purses[item.purses[0]] = Figures(wallet.available + item.amount, wallet.held)
        return super().take(item)


class OtherPursesForgotten(Batch):
    """Only the wallet is freed."""

    def take(self, item):
        if type(item) is Settle and (hold := self._find(item.tid)) and len(hold.purses) > 1:
            self.changed[item.tid] = hold._replace(purses=hold.purses[:1])
            self.made.pop(item.tid, None)
        return super().take(item)


def with_text(old, new):
    text = APPLY.replace(old, new)
    assert text != APPLY
    return ledger_postgres, "APPLY", text


def forgiving(hold, terms):
    return posting(hold._replace(covered=0), terms)


def _out_of_time(item, found, node, *, alive):
    return False


_ALIVE_TOO = ledger_nodes._ORPHANS.replace(" AND NOT n.dead", " AND n.dead")
_ANY_BEAT = ledger_nodes._MARK_DEAD.replace("beat = $3", "beat >= $3")
PATCHES = {
    "a dead epoch writes": with_text(" AND NOT dead", ""),
    "checkpoints shrink": with_text("GREATEST(h.covered, u.covered)", "u.covered"),
    "held money is not held": with_text("s.held + COALESCE(c.held, 0)", "s.held"),
    "spent money is not spent": with_text("- COALESCE(c.spent, 0)", ""),
    "a refused hold is made": with_text("WHERE n.number NOT IN (SELECT number FROM refused)", ""),
    "a reaped call pays nothing": (reclaimer, "posting", forgiving),
    "an old epoch goes on": (ledger_exact, "_out_of_time", _out_of_time),
    "the living are reaped": (ledger_nodes, "_ORPHANS", _ALIVE_TOO),
    "who beats is dead": (ledger_nodes, "_MARK_DEAD", _ANY_BEAT),
    "keys have no purses": (ledger_plan, "three", lambda purses: (purses[0], None, None)),
} | {
    batch.__name__: (ledger_exact, "Batch", batch)
    for batch in (NothingIsLate, LateForFree, HoldsWithoutMoney, OtherPursesForgotten)
}


class Noticed(BaseException):
    """An assertion failed. Ends the hunt at once: what real time decides may not happen again."""


class Hunted(PgBooks):
    """A machine that says so when it has noticed something."""

    def teardown(self):
        """End, and tell of the assertion that brought us here."""
        error = sys.exc_info()[1]
        super().teardown()
        if isinstance(error, BaseExceptionGroup):
            error = error.subgroup(AssertionError)
        if isinstance(error, AssertionError | ExceptionGroup):
            raise Noticed from error


def hunt(url, **parts):
    with pytest.raises(Noticed):
        run_state_machine_as_test(type("Mutant", (Hunted,), {"url": url, **parts}), settings=_HUNT)


# What takes a while to come upon. Each has a test of its own beside the machine, too.
RARE = {"checkpoints shrink", "spent money is not spent"}


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=pytest.mark.long if one in RARE else ()) for one in PATCHES]
)
def test_a_broken_rule_is_noticed(url, monkeypatch, name):
    module, what, instead = PATCHES[name]
    monkeypatch.setattr(module, what, instead)
    hunt(url)


@pytest.mark.parametrize(
    "commit", [pytest.param(ReadsNothingBack, marks=pytest.mark.long), ForgetsWhatWasLost]
)
def test_a_writer_that_does_not_read_back_is_noticed(url, commit):
    hunt(url, commit_class=commit)


def test_a_mirror_that_outlives_its_epoch_is_noticed(url):
    hunt(url, book_class=Unchanged)
