"""The twin of storage/group_commit.py: the real thread over the real books, and what makes it fail."""

import asyncio
import sqlite3

import pytest

from tests.storage import books
from tests.storage.books import OTHER, WALLET
from tests.storage.books_faults import BrokenDisk, Moody, Mortal, SmallDisk
from tollbridge.storage.group_commit import GroupCommit
from tollbridge.storage.ledger_items import Look, Poisoned

PATIENCE_S = 30


class Watch:
    """Resolves the futures of the items, as the ledger does, and keeps the order."""

    def __init__(self):
        self.order = []
        self.batches = []
        self.purses = {}
        self.reason = asyncio.get_running_loop().create_future()

    def published(self, answers, purses, took_s):
        assert took_s >= 0
        self.batches.append(len(answers))
        self.purses.update(purses)
        for item, answer in answers:
            self.order.append(item)
            if not item.future.done():
                item.future.set_result(answer)

    def broken(self, reason):
        self.reason.set_result(reason)


class Writer:
    """A started writer; `do` submits items at once and awaits all answers."""

    def __init__(self, path, connection_class=sqlite3.Connection, make_room=lambda: None):
        self.book = books.open_book(path, connection_class=connection_class)
        self.connection = self.book._connection
        self.watch = Watch()
        self.commit = GroupCommit(
            self.book, asyncio.get_running_loop(), self.watch, make_room=make_room
        )
        self.commit.start()

    def submit(self, *items):
        for item in items:
            item.future = asyncio.get_running_loop().create_future()
            self.commit.submit(item)
        return asyncio.gather(*(item.future for item in items))

    async def do(self, *items):
        return await asyncio.wait_for(self.submit(*items), PATIENCE_S)

    async def stop(self):
        return await asyncio.to_thread(self.commit.stop, PATIENCE_S)


@pytest.fixture
def path(tmp_path):
    return books.fresh(tmp_path)


async def reason_of(writer):
    return await asyncio.wait_for(writer.watch.reason, PATIENCE_S)


async def test_answers_come_in_order_and_name_the_purses(path):
    writer = Writer(path)
    items = [books.hold(name, 10) for name in "abcdefghij"]
    results = await writer.do(*items)
    assert all(result.ok for result in results)
    assert writer.watch.order == items
    assert writer.watch.purses == {WALLET: (1000, 100)}
    assert sum(writer.watch.batches) == 10
    assert await writer.stop()
    assert books.findings(path) == []


async def test_what_waits_while_the_thread_works_is_one_batch(path):
    writer = Writer(path)
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        first = writer.submit(books.hold("first", 1))
        while writer.commit.busy_since is None:
            await asyncio.sleep(0.001)
        rest = writer.submit(*(books.hold(f"{number}", 1) for number in range(300)))
        other.execute("COMMIT")
    other.close()
    await asyncio.wait_for(asyncio.gather(first, rest), PATIENCE_S)
    assert writer.watch.batches == [1, 256, 44]
    assert writer.commit.busy_since is None
    assert await writer.stop()


@pytest.mark.parametrize("bill", ["\ud800", 5j])
async def test_a_poisonous_item_fails_alone(path, bill):
    writer = Writer(path)
    good, bad = books.hold("good", 10), books.hold("bad", 10, bill=bill)
    results = await writer.do(good, bad, books.hold("late", 1 << 70), books.hold("fine", 10))
    assert results[0].ok
    assert isinstance(results[1], Poisoned)
    assert isinstance(results[2], Poisoned)
    assert results[3].ok
    assert books.purse(path) == (1000, 20)
    assert await writer.stop()
    assert books.findings(path) == []


async def test_the_text_of_a_poisonous_item_goes_no_further(path):
    writer = Writer(path)
    (answer,) = await writer.do(books.hold("bad", 10, bill="secret\ud800"))
    assert "secret" not in f"{answer!r}{answer.__cause__!r}{answer.__context__!r}"
    assert await writer.stop()


async def test_a_settle_with_a_poisonous_row_still_charges(path):
    writer = Writer(path)
    await writer.do(books.hold("a", 10), books.hold("b", 10), books.hold("c", 10))
    results = await writer.do(
        books.settle("a", 5, model_asked="\ud800"),
        books.settle("b", 6, input=1 << 64, list_cost=-1),
        books.settle("c", 7),
    )
    assert [result.charge for result in results] == [5, 6, 7]
    rows = books.query(path, "SELECT tid, charge, model_asked, input FROM usage ORDER BY tid")
    assert rows == [("a", 5, "", 0), ("b", 6, "a model", 0), ("c", 7, "a model", 0)]
    assert await writer.stop()
    assert books.findings(path) == []


async def test_a_row_that_is_there_already_is_poison(path):
    writer = Writer(path)
    results = await writer.do(books.record("a"), books.record("a"), books.record("b"))
    assert results[0] is None
    assert isinstance(results[1], Poisoned)
    assert results[2] is None
    assert await writer.stop()


async def test_another_writer_is_waited_for(path):
    writer = Writer(path)
    await writer.do(books.hold("a", 10))
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        answers = writer.submit(books.settle("a", 5), books.hold("b", 10))
        done, _ = await asyncio.wait([answers], timeout=1)
        assert not done
        other.execute("UPDATE purse SET available = available + 1 WHERE id = ?", (OTHER,))
        other.execute("ROLLBACK")
    other.close()
    results = await asyncio.wait_for(answers, PATIENCE_S)
    assert results[0].charge == 5
    assert results[1].ok
    assert await writer.stop()
    assert books.findings(path) == []


@pytest.mark.parametrize(
    "code",
    [
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_BUSY_SNAPSHOT,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
    ],
)
async def test_the_database_s_trouble_is_never_an_item_s_fault(path, code):
    writer = Writer(path, Moody)
    await writer.do(books.hold("a", 10))
    writer.connection.codes = (code, code)
    (result,) = await writer.do(books.settle("a", 5))
    assert result.charge == 5
    assert await writer.stop()


async def test_a_full_disk_gets_the_reserve_and_running_calls_settle(path):
    given_up = []

    def make_room():
        given_up.append(1)
        writer.connection.limit(None)

    writer = Writer(path, SmallDisk, make_room)
    await writer.do(*(books.hold(f"{number}", 1) for number in range(100)))
    # Nothing else touches the connection while the queue is empty.
    writer.connection.limit(0)
    settles = [books.settle(f"{number}", 1, key_name="x" * 900) for number in range(100)]
    results = await writer.do(*settles)
    assert [result.charge for result in results] == [1] * 100
    assert given_up
    assert await writer.stop()
    assert books.findings(path) == []


@pytest.mark.parametrize(("when", "charge"), [("before", 4), ("after", 7)])
async def test_an_io_error_in_the_commit_ends_the_writer(path, when, charge):
    writer = Writer(path, BrokenDisk)
    await writer.do(books.hold("a", 10), books.update("a", 10, 4))
    writer.connection.breaks = when
    answers = writer.submit(books.settle("a", 7))
    assert "disk" in await reason_of(writer)
    await asyncio.to_thread(writer.commit._thread.join, PATIENCE_S)
    assert not writer.commit.alive
    assert not answers.done()
    answers.cancel()
    writer.book.close()
    books.open_book(path).close()
    assert books.purse(path) == (1000 - charge, 0)
    assert books.query(path, "SELECT tid, charge FROM usage") == [("a", charge)]
    assert books.findings(path) == []


@pytest.mark.parametrize("codes", [(sqlite3.SQLITE_ERROR,), (sqlite3.SQLITE_CORRUPT,)])
async def test_a_database_that_is_wrong_in_itself_ends_the_writer(path, codes):
    writer = Writer(path, Moody)
    writer.connection.codes = codes
    answers = writer.submit(books.hold("a", 10))
    assert await reason_of(writer)
    answers.cancel()
    writer.book.close()
    assert books.purse(path) == (1000, 0)


async def test_the_death_of_the_thread_is_told(path):
    writer = Writer(path, Mortal)
    writer.connection.doomed = True
    answers = writer.submit(books.hold("a", 10))
    assert await reason_of(writer) == "the writer thread died of SystemExit"
    await asyncio.to_thread(writer.commit._thread.join, PATIENCE_S)
    assert not writer.commit.alive
    answers.cancel()
    writer.book.close()


async def test_stopping_writes_what_is_queued(path):
    writer = Writer(path)
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        answers = writer.submit(*(books.hold(f"{number}", 1) for number in range(400)))
        assert not await asyncio.to_thread(writer.commit.stop, 0.01)
        other.execute("ROLLBACK")
    other.close()
    results = await asyncio.wait_for(answers, PATIENCE_S)
    assert all(result.ok for result in results)
    assert await writer.stop()
    assert books.purse(path) == (1000, 400)


async def test_an_idle_writer_stops_at_once_and_closes_the_book(path):
    writer = Writer(path)
    assert await writer.stop()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        writer.book.apply([Look((WALLET,))])


def test_a_closed_loop_ends_the_thread(path):
    async def begin():
        writer = Writer(path)
        await writer.do(books.hold("a", 10))
        return writer

    writer = asyncio.run(begin())
    writer.commit.submit(books.hold("b", 10))
    writer.commit._thread.join(PATIENCE_S)
    assert not writer.commit.alive
    assert books.purse(path) == (1000, 20)
