"""The twin of storage/postgres_commit.py: trouble of every kind, and what becomes of the items."""

import asyncio
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.services.cable import Cable, Cut
from tests.storage import books, pg_books
from tests.storage.books import WALLET
from tollbridge.storage.ledger_items import Figures, HoldResult, Look, Poisoned, SettleResult
from tollbridge.storage.postgres_commit import PostgresCommit

HELD = HoldResult(ok=True, short=None)
PATIENCE_S = 30


class Book:
    """Books that fail as they are told; `calls` is what was asked of them."""

    def __init__(self, *failures):
        self.connected = False
        self.failures = list(failures)
        self.calls = []

    async def connect(self):
        self._next("connect")
        self.connected = True

    def drop(self):
        self.connected = False

    async def close(self):
        self.connected = False

    async def quick(self, items):
        self._next("quick", items)
        return [(item, "quick") for item in items], {}, []

    async def exact(self, items):
        self._next("exact", items)
        return [(item, "exact") for item in items], {}

    def _next(self, what, items=()):
        self.calls.append((what, len(items), sum(item.resent for item in items)))
        if self.failures and self.failures[0][0] == what:
            raise self.failures.pop(0)[1]


async def written(book, *items):
    watch = pg_books.Watch()
    commit = PostgresCommit(book, watch)
    commit.start()
    for item in items:
        commit.submit(item)
    assert await commit.stop(PATIENCE_S)
    return watch


def asked():
    return [books.hold(books.tid(), 1), books.settle(books.tid(), 1), Look((WALLET,))]


async def test_what_waits_is_one_batch_and_everything_is_written_before_the_end():
    book = Book()
    items = [books.hold(books.tid(), 1) for _ in range(300)]
    watch = await written(book, *items)
    assert book.calls == [("connect", 0, 0), ("quick", 256, 0), ("quick", 44, 0)]
    assert [item for item, _ in watch.answers] == items
    assert all(item.taken for item in items)


async def test_a_lost_connection_makes_the_batch_be_read_back_on_a_new_one():
    book = Book(("quick", ConnectionResetError()), ("exact", asyncpg.AdminShutdownError()))
    watch = await written(book, *asked())
    # A look is only asked again.
    assert book.calls == [
        ("connect", 0, 0), ("quick", 3, 0), ("connect", 0, 0), ("exact", 3, 2), ("connect", 0, 0),
        ("exact", 3, 2),
    ]  # fmt: skip
    assert [answer for _, answer in watch.answers] == ["exact"] * 3


@pytest.mark.parametrize(
    "error",
    [asyncpg.DeadlockDetectedError(), asyncpg.DiskFullError(), asyncpg.DivisionByZeroError()],
)
async def test_what_passes_is_tried_again_without_doubt(error):
    book = Book(("quick", error), ("exact", error))
    await written(book, *asked())
    assert [what for what, _, _ in book.calls] == ["connect", "quick", "exact", "exact"]
    assert {resent for _, _, resent in book.calls} == {0}


async def test_an_items_own_fault_is_its_own():
    fault = ("exact", asyncpg.NumericValueOutOfRangeError())
    book = Book(("quick", fault[1]), fault, ("exact", Poisoned("no")))
    items = asked()
    watch = await written(book, *items)
    answers = dict(watch.answers)
    assert isinstance(answers[items[0]], Poisoned)
    assert answers[items[1]] == answers[items[2]] == "exact"


async def test_a_settle_that_is_refused_is_posted_plain_and_then_given_up():
    fault = ("exact", asyncpg.NumericValueOutOfRangeError())
    item = books.settle(books.tid(), 7)
    assert dict((await written(Book(("quick", fault[1]), fault), item)).answers) == {item: "exact"}
    watch = await written(Book(("quick", fault[1]), fault, fault), item)
    assert isinstance(watch.answers[0][1], Poisoned)
    assert "NumericValueOutOfRange" in str(watch.answers[0][1])


async def test_a_database_that_is_away_is_waited_for():
    away = ("connect", ConnectionRefusedError())
    book = Book(away, away, ("connect", asyncpg.CannotConnectNowError()))
    watch = await written(book, *asked())
    assert [what for what, _, _ in book.calls] == ["connect"] * 4 + ["quick"]
    assert len(watch.answers) == 3


async def test_a_fault_of_ours_ends_the_writer_and_says_so():
    book = Book(("quick", KeyError("x")))
    watch = pg_books.Watch()
    commit = PostgresCommit(book, watch)
    commit.start()
    assert commit.alive
    commit.submit(books.hold(books.tid(), 1))
    assert await commit.stop(PATIENCE_S)
    assert watch.reasons == ["the writer died of KeyError"]
    assert not commit.alive


async def test_a_writer_that_cannot_end_in_time_is_cut_off():
    book = Book(*[("connect", ConnectionRefusedError())] * 1000)
    watch = pg_books.Watch()
    commit = PostgresCommit(book, watch)
    commit.start()
    commit.submit(books.hold(books.tid(), 1))
    assert not await commit.stop(0.05)
    assert commit.busy_since is not None
    assert watch.answers == []


@pytest.fixture
async def cable(migrated_postgres_url):
    """Yield a cable to a database with purses."""
    await pg_books.begin(migrated_postgres_url, 1000)
    cable = Cable(urlsplit(migrated_postgres_url).port)
    port = await cable.start()
    cable.url = migrated_postgres_url.replace(
        f":{urlsplit(migrated_postgres_url).port}/", f":{port}/"
    )
    yield cable
    await cable.stop()
    assert await pg_books.findings(migrated_postgres_url) == []


@pytest.mark.parametrize("cut", list(Cut))
async def test_wherever_a_connection_is_cut_every_item_is_done_once(cable, cut):
    tids = [books.tid() for _ in range(3)]
    async with pg_books.writing(cable.url) as writer:
        await writer.do(books.hold(tids[0], 100))
        cable.arm(cut, 0)
        answers = await writer.do(
            books.settle(tids[0], 60), books.hold(tids[1], 50), books.record(tids[2])
        )
        assert cable.fired.is_set()
        assert answers[0].open and answers[0].charge == 60
        assert answers[1:] == [HELD, None]
        cable.mend()
        cable.arm(cut, 0)
        assert await writer.do(books.update(tids[1], 80, 10)) == [HELD]
        cable.mend()
        assert await writer.do(Look((WALLET,))) == [{WALLET: Figures(940, 80)}]
        assert await writer.do(books.settle(tids[1], 0)) == [SettleResult(True, 0, 0, 940)]
        assert writer.book.own == {}


async def test_an_answer_that_is_lost_is_not_taken_for_a_refusal(cable):
    """The hold is in the books: who is told that it is not would leave it there for good."""
    async with pg_books.writing(cable.url) as writer:
        await writer.do(Look(()))
        for at in range(5):
            tid = books.tid()
            cable.arm(Cut.AFTER, 0)
            assert await writer.do(books.hold(tid, 100)) == [HELD], at
            assert await asyncio.wait_for(writer.do(books.settle(tid, 100)), PATIENCE_S) == [
                SettleResult(True, 100, 0, 900 - 100 * at)
            ]
