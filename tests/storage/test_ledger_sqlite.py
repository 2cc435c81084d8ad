"""The twin of storage/ledger_sqlite.py: the statements on a real file."""

import sqlite3

import pytest

from tests.storage import books
from tests.storage.books import LIMIT, WALLET
from tests.storage.books_faults import BrokenDisk
from tollbridge.storage.ledger_items import LedgerBroken, Look
from tollbridge.storage.ledger_sqlite import SqliteBook, connect


@pytest.fixture
def path(tmp_path):
    return books.fresh(tmp_path, limit=500)


@pytest.fixture
def book(path):
    book = books.open_book(path)
    yield book
    book.close()
    assert books.findings(path) == []


def test_every_commit_is_synced(path):
    connection = connect(path, sqlite3.Connection)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_database_that_refuses_the_settings_is_not_used():
    with pytest.raises(LedgerBroken, match="WAL"):
        connect(":memory:", sqlite3.Connection)


def test_a_call_leaves_one_row_and_one_line(book, path):
    books.one(book, books.hold("a", 300, (WALLET, LIMIT)))
    assert book.open_holds == 1
    assert book.oldest_hold_ms() > 0
    books.one(book, books.update("a", 350, 100))
    assert books.purse(path) == (1000, 350)
    books.one(book, books.settle("a", 120))
    assert books.purse(path) == (880, 0)
    assert books.purse(path, LIMIT) == (380, 0)
    assert books.query(path, "SELECT tid, charge, loss FROM usage") == [("a", 120, 0)]
    lines = books.query(path, "SELECT debit, credit, amount FROM journal WHERE ref = 'a'")
    assert lines == [("wallet:1", "revenue", 120)]
    assert books.query(path, "SELECT * FROM hold") == []
    assert book.open_holds == 0
    assert book.oldest_hold_ms() is None


def test_a_hold_row_says_whose_it_is(book, path):
    books.one(book, books.hold("a", 300, (WALLET, LIMIT), '{"x":1}'))
    rows = books.query(
        path, "SELECT wallet_id, key_purse_id, amount, covered, node_id, epoch, bill FROM hold"
    )
    assert rows == [(WALLET, LIMIT, 300, 0, books.NODE, 1, '{"x":1}')]


def test_money_of_another_process_is_seen_at_once(book, path):
    assert not books.one(book, books.hold("a", 1500)).ok
    books.credit(path, WALLET, 500)
    assert books.one(book, books.hold("a", 1500)).ok
    books.credit(path, WALLET, 7)
    assert books.one(book, Look((WALLET,))) == {WALLET: (1507, 1500)}


def test_a_refused_item_leaves_no_trace(book, path):
    assert not books.one(book, books.hold("a", 1001)).ok
    assert not books.one(book, books.hold("a", 1, (99,))).ok
    assert books.one(book, Look((99,))) == {99: (0, 0)}
    assert books.purse(path) == (1000, 0)


def test_a_batch_is_all_or_nothing(book, path):
    books.one(book, books.hold("a", 100))
    batch = [books.settle("a", 50), books.hold("b", 100), books.settle("b", 5, key_name=None)]
    with pytest.raises(sqlite3.IntegrityError):
        book.apply(batch)
    assert books.purse(path) == (1000, 100)
    assert book.open_holds == 1
    assert books.one(book, books.settle("a", 50)).charge == 50


def test_a_return_after_its_settle_gives_back_once(book, path):
    books.one(book, books.hold("a", 1000))
    books.one(book, books.settle("a", 1300))
    assert books.purse(path) == (0, 0)
    for _ in range(3):
        assert books.one(book, books.give_back("a")) is True
    assert books.purse(path) == (1000, 0)
    rows = books.query(path, "SELECT charge, loss, end_state, status FROM usage")
    assert rows == [(0, 0, "withheld", 503)]


def test_returns_and_their_settle_in_one_batch(book, path):
    books.one(book, books.hold("a", 100))
    book.apply([books.settle("a", 60), books.give_back("a"), books.give_back("a")])
    assert books.purse(path) == (1000, 0)


def test_a_hold_that_vanished_stops_the_writer(book, path):
    books.one(book, books.hold("a", 100))
    with sqlite3.connect(path) as other:
        other.execute("DELETE FROM hold")
        other.execute("UPDATE purse SET held = 0 WHERE id = 1")
    other.close()
    with pytest.raises(LedgerBroken, match="gone"):
        books.one(book, books.settle("a", 60))
    assert books.query(path, "SELECT * FROM usage") == []


def test_each_start_is_a_new_epoch_and_alive(path):
    first, second = SqliteBook(path, 7), SqliteBook(path, 7)
    assert first.begin_epoch("one") == 1
    first._connection.execute("UPDATE node SET dead = 1")
    assert second.begin_epoch("two") == 2
    assert books.query(path, "SELECT id, name, epoch, dead FROM node") == [(7, "one", 2, 0)]
    first.close()
    second.close()


def test_adopted_holds_can_be_settled(path):
    first = books.open_book(path)
    books.one(first, books.hold("a", 100, (WALLET, LIMIT), "bill"))
    books.one(first, books.update("a", 150, 60, "newer"))
    first.close()
    second = SqliteBook(path, books.NODE)
    (orphan,) = second.adopt()
    assert orphan[:4] == ("a", (WALLET, LIMIT), 150, 60)
    assert orphan.bill == "newer"
    assert books.one(second, books.settle("a", 60)).charge == 60
    second.close()
    assert books.purse(path, LIMIT) == (440, 0)
    assert books.findings(path) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_io_error_in_the_commit_leaves_doubt_and_recovers(path, when):
    book = books.open_book(path, connection_class=BrokenDisk)
    books.one(book, books.hold("a", 100))
    books.one(book, books.update("a", 100, 40))
    book._connection.breaks = when
    with pytest.raises(LedgerBroken, match="disk"):
        book.apply([books.settle("a", 70), books.hold("b", 100)])
    book.close()
    books.open_book(path).close()
    charge = {"before": 40, "after": 70}[when]
    assert books.purse(path) == (1000 - charge, 0)
    assert books.query(path, "SELECT charge FROM usage WHERE tid = 'a'") == [(charge,)]
    assert books.findings(path) == []


def test_an_io_error_of_a_mere_look_leaves_doubt_too(path):
    book = books.open_book(path, connection_class=BrokenDisk)
    book._connection.breaks = "reading"
    with pytest.raises(LedgerBroken):
        books.one(book, Look((WALLET,)))
    book.close()


def test_the_cache_of_purses_is_bounded(book, monkeypatch):
    monkeypatch.setattr("tollbridge.storage.ledger_sqlite._CACHED_PURSES_MAX", 3)
    for of in range(100, 120):
        books.one(book, Look((of,)))
        assert len(book._purses) <= 4
