"""The twin of storage/ledger_exact.py: items one after the other, under locks."""

import asyncio

import asyncpg
import pytest

from tests.storage import books, pg_books, pg_nodes
from tests.storage.books import LIMIT, WALLET
from tests.storage.pg_nodes import Node
from tollbridge.billing.reclaimer import reclaim_orphans
from tollbridge.storage import ledger_exact
from tollbridge.storage.ledger_batch import Batch
from tollbridge.storage.ledger_items import (
    HoldResult,
    LedgerBroken,
    Look,
    Poisoned,
    SettleResult,
)
from tollbridge.storage.migrate import migrate

HELD = HoldResult(ok=True, short=None)
GONE = HoldResult(ok=False, short=None)
BOTH = (WALLET, LIMIT)


@pytest.fixture(scope="module")
def database(postgres_server):
    """Return the URL of one migrated database."""
    with postgres_server.database() as url:
        asyncio.run(migrate(url))
        yield url


@pytest.fixture
async def control(database):
    """Yield a plain connection to fresh books, which are right at the end."""
    async with pg_books.opened(database) as connection:
        await pg_nodes.wipe(connection, 1000, 500, 400)
        yield connection
        await pg_nodes.quiet(connection, [])
        assert await pg_nodes.broken(connection) == []


@pytest.fixture
async def node(database, control):
    """Yield a connected node."""
    node = Node(database)
    await node.enter(control)
    await node.book.connect()
    yield node
    node.book.drop()


async def exactly(node, *items):
    answers, _ = await node.book.exact(items)
    assert [item for item, _ in answers] == list(items) or len(answers) == len(items)
    told = dict(answers)
    return [told[item] for item in items]


def again(item):
    item.resent = True
    return item


async def test_items_are_done_in_order_and_the_mirror_follows(node):
    tid = books.tid()
    assert await exactly(node, books.hold(tid, 700, BOTH)) == [HoldResult(ok=False, short=LIMIT)]
    assert await exactly(
        node, books.hold(tid, 300, BOTH), Look((WALLET,)), books.update(tid, 350, 40)
    ) == [HELD, {WALLET: (1000, 300)}, HELD]
    assert node.book.own[tid].amount == 350
    assert await exactly(node, books.settle(tid, 400, purses=BOTH), books.give_back(tid, BOTH)) == [
        SettleResult(True, 400, 0, 600),
        True,
    ]
    assert node.book.own == {}


async def test_all_or_nothing(node, control):
    first = books.tid()
    await exactly(node, books.hold(first, 100))
    before = await pg_nodes.state(control)
    with pytest.raises(Poisoned):
        await exactly(node, books.settle(first, 50), books.hold(books.tid(), 0))
    with pytest.raises(asyncpg.PostgresError):
        await exactly(node, books.settle(first, 50), books.hold(first + "0", 5))
    assert await pg_nodes.state(control) == before
    assert first in node.book.own


async def test_another_incarnation_is_not_written(node, control):
    await control.execute("UPDATE ledger SET incarnation = incarnation + 1")
    with pytest.raises(LedgerBroken, match="restored"):
        await exactly(node, books.hold(books.tid(), 1))
    await control.execute("UPDATE ledger SET incarnation = incarnation - 1")


async def test_what_is_read_back_is_answered_as_it_was(node, control):
    """Every item of a batch that was written though nobody heard of it, and once more."""
    kept, done, refused = books.tid(), books.tid(), books.tid()
    items = [
        books.hold(kept, 100, BOTH), books.update(kept, 150, 20), books.hold(done, 50),
        books.settle(done, 30), books.record(refused), books.give_back(done),
    ]  # fmt: skip
    first = await exactly(node, *items)
    before = await pg_nodes.state(control)
    for item in items:
        item.resent = True
    for _ in range(2):
        node.book.own.clear()
        second = await exactly(node, *items)
        assert await pg_nodes.state(control) == before
        assert [second[at] for at in (0, 1, 4, 5)] == [first[at] for at in (0, 1, 4, 5)]
        assert second[3].open
        # What stands is known again, so that it can be counted, and written by the quick way.
        assert {tid: own.amount for tid, own in node.book.own.items()} == {kept: 150}


async def test_a_hold_that_was_made_though_nobody_heard_of_it_is_known(node):
    item = books.hold(books.tid(), 100)
    await exactly(node, item)
    own = dict(node.book.own)
    node.book.own.clear()
    assert await exactly(node, again(item)) == [HELD]
    assert node.book.own == own


async def test_what_was_ended_though_nobody_heard_of_it_is_forgotten(node):
    tid = books.tid()
    await exactly(node, books.hold(tid, 100))
    own = dict(node.book.own)
    item = books.settle(tid, 30)
    await exactly(node, item)
    node.book.own.update(own)
    assert await exactly(node, again(item)) == [SettleResult(True, 30, 0, 970)]
    assert node.book.own == {}


async def test_an_epoch_that_is_over_can_only_end_calls(node, control):
    tid = books.tid()
    await exactly(node, books.hold(tid, 100))
    await control.execute("UPDATE node SET dead = true")
    assert await exactly(
        node, books.hold(books.tid(), 1), books.update(tid, 200, 5), books.settle(tid, 30)
    ) == [GONE, GONE, SettleResult(True, 30, 0, 970)]


async def test_a_hold_of_an_earlier_epoch_is_neither_extended_nor_taken_for_ones_own(node, control):
    tid = books.tid()
    item = books.hold(tid, 100)
    await exactly(node, item)
    await control.execute("UPDATE node SET epoch = epoch + 1")
    node.book.rejoin((node.epoch[0], 2))
    # It stands only until somebody reaps it: nobody may rely on it.
    assert await exactly(node, again(item), books.update(tid, 200, 5)) == [GONE, GONE]
    assert node.book.own == {}
    assert await reclaim_orphans(control) == 1


async def test_a_call_of_an_earlier_epoch_is_never_held_and_spent_at_once(node, control):
    """The quick way makes no hold for it, so nothing in the books would contradict."""
    tid = books.tid()
    await node.write([books.hold(tid, 100)])
    await control.execute("UPDATE node SET epoch = epoch + 1")
    node.book.rejoin((node.epoch[0], 2))
    more, end = books.hold(tid, 200), books.settle(tid, 0)
    assert await node.write([more, end]) == {more: GONE, end: SettleResult(True, 0, 0, 1000)}
    assert (await pg_nodes.state(control))[1] == {}


async def test_a_hold_that_was_reclaimed_before_its_answer_came_is_refused_for_good(node, control):
    """Not for lack of money: a call that hears so never asks again under its tid."""
    tid = books.tid()
    item = books.hold(tid, 100)
    await exactly(node, item)
    await control.execute("UPDATE node SET dead = true")
    assert await reclaim_orphans(control) == 1
    await control.execute("UPDATE node SET dead = false, epoch = 2")
    node.book.rejoin((node.epoch[0], 2))
    assert await exactly(node, again(item)) == [GONE]
    assert await exactly(node, books.settle(tid, 40)) == [SettleResult(True, 40, 0, 960, late=True)]


COSTS = [(40, 70), (40, 10), (0, 1000), (0, 2000), (60, 60)]


async def a_late_settle(node, control, covered, cost):
    tid = books.tid()
    await exactly(node, books.hold(tid, 100, BOTH), books.update(tid, 100, covered))
    await control.execute("UPDATE node SET dead = true")
    assert await reclaim_orphans(control) == 1
    charge = min(cost, 1000)
    late = books.settle(tid, cost, purses=BOTH)
    assert await exactly(node, late) == [
        SettleResult(True, charge, cost - charge, 1000 - charge, late=True)
    ]
    # Once is enough.
    assert await exactly(node, books.settle(tid, 1, purses=BOTH)) == [SettleResult(False, 0, 0, 0)]
    purses, holds, usage, _ = await pg_nodes.state(control)
    assert holds == {} and usage == {tid: (charge, cost - charge)}
    assert purses[WALLET] == (1000 - charge, 0)
    assert purses[LIMIT] == (max(500 - charge, 0), 0)


@pytest.mark.parametrize(("covered", "cost"), COSTS)
async def test_a_late_settle_books_the_difference(node, control, covered, cost):
    await a_late_settle(node, control, covered, cost)


class NothingIsLate(Batch):
    """A settle that finds its hold reaped is dropped."""

    def _settle_late(self, item, cost, row, posted):
        return SettleResult(open=False, charge=0, loss=0, balance=0)


class LateForFree(Batch):
    """The difference is answered, but not taken."""

    def _settle_late(self, item, cost, row, posted):
        before = dict(self.purses)
        result = super()._settle_late(item, cost, row, posted)
        self.purses = before
        self.journal.clear()
        self.amended.clear()
        return result


@pytest.mark.parametrize("batch", [NothingIsLate, LateForFree])
async def test_without_the_difference_it_is_noticed(node, control, monkeypatch, batch):
    monkeypatch.setattr(ledger_exact, "Batch", batch)
    with pytest.raises(AssertionError):
        await a_late_settle(node, control, 40, 70)


async def test_a_reaper_that_comes_second_does_nothing(node, control):
    tid = books.tid()
    await exactly(node, books.hold(tid, 100), books.update(tid, 100, 40))
    await control.execute("UPDATE node SET dead = true")
    from tollbridge.billing.recovery import posting
    from tollbridge.storage.ledger_nodes import orphans

    settles = [posting(hold) for hold in await orphans(control)]
    assert len((await ledger_exact.reap(control, settles)).answers) == 1
    before = await pg_nodes.state(control)
    assert (await ledger_exact.reap(control, settles)).answers == []
    assert await pg_nodes.state(control) == before


async def a_debit_under_way(node, control, database):
    """It is waited for, and seen."""
    transaction = control.transaction()
    await transaction.start()
    await control.execute("UPDATE purse SET available = 50 WHERE id = $1", WALLET)
    task = asyncio.create_task(exactly(node, books.hold(books.tid(), 60)))
    async with pg_books.opened(database) as other, asyncio.timeout(30):
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        while not await other.fetchval(query):
            assert not task.done()
            await asyncio.sleep(0.005)
    await transaction.commit()
    (answer,) = await task
    await control.execute("UPDATE purse SET available = 1000 WHERE id = $1", WALLET)
    assert answer == HoldResult(ok=False, short=WALLET)


async def an_end_under_way(node, control, database):
    """A node that is being declared dead is waited for: nothing of it can follow."""
    transaction = control.transaction()
    await transaction.start()
    await control.execute("UPDATE node SET dead = true")
    task = asyncio.create_task(exactly(node, books.hold(books.tid(), 60)))
    async with pg_books.opened(database) as other, asyncio.timeout(30):
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        while not (await other.fetchval(query) or task.done()):
            await asyncio.sleep(0.005)
    await transaction.commit()
    assert await task == [GONE]


LOCKS = [
    ("_LOCK_PURSES", " FOR UPDATE", a_debit_under_way),
    ("_EPOCH", " FOR SHARE", an_end_under_way),
]


@pytest.mark.parametrize("check", [a_debit_under_way, an_end_under_way])
async def test_what_is_decided_on_is_locked(node, control, database, check):
    await check(node, control, database)


@pytest.mark.parametrize(("name", "lock", "check"), LOCKS)
async def test_without_a_lock_it_is_noticed(
    node, control, database, monkeypatch, name, lock, check
):
    monkeypatch.setattr(ledger_exact, name, getattr(ledger_exact, name).removesuffix(lock))
    with pytest.raises(AssertionError):
        await check(node, control, database)
