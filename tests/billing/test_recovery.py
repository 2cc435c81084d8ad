"""The twin of billing/recovery.py: what a dead process left is posted, whatever it is."""

import sqlite3

import pytest

from tests.storage import books, sold
from tests.storage.books import LIMIT, OTHER, WALLET
from tests.storage.books_faults import Moody
from tollbridge.billing.bill import Bill, pack
from tollbridge.billing.recovery import reclaim
from tollbridge.protocols.usage import Usage
from tollbridge.storage.ledger_sqlite import SqliteBook


@pytest.fixture
def path(tmp_path):
    return books.fresh(tmp_path, limit=500)


def bill(tid="a", wallet=WALLET, **values):
    facts = {"num": 3, "den": 20, "price_id": 10, "input": 7, "output": 8, **values}
    return Bill(
        tid, 5, 6, 7, "key", wallet, 8, "channel", 9, "asked", "sent", "chat", "openai",
        stream=True, client="client", **facts,
    )  # fmt: skip


def leave(path, *holds):
    """Hold and checkpoint as a process does that dies then: (tid, amount, covered, bill text)."""
    book = books.open_book(path)
    for tid, amount, covered, text in holds:
        assert books.one(book, books.hold(tid, amount, (WALLET, LIMIT), text)).ok
        if covered:
            assert books.one(book, books.update(tid, amount, covered, text)).ok
    book._connection.close()


def recover(path):
    book = SqliteBook(path, books.NODE)
    book.begin_epoch("again")
    try:
        return reclaim(book, path)
    finally:
        book.close()


def test_nothing_left_is_nothing_to_do(path):
    assert recover(path) == 0


def test_an_orphan_is_charged_its_checkpoint_and_explained(path):
    leave(path, ("a", 300, 60, pack(bill())))
    assert recover(path) == 1
    assert books.purse(path) == (940, 0)
    assert books.purse(path, LIMIT) == (440, 0)
    columns = (
        "charge, list_cost, held, end_state, flags, status, input, output, key_name, model_sent"
    )
    rows = books.query(path, f"SELECT {columns} FROM usage")
    assert rows == [(60, 400, 300, "reclaimed", "reclaimed", 500, 7, 8, "key", "sent")]
    assert books.findings(path) == []
    assert recover(path) == 0


@pytest.mark.parametrize(
    ("values", "worth"),
    [
        ({}, (397, 265)),
        ({"used": Usage(input=14, output=16)}, (793, 529)),
        ({"price_id": sold.DAMAGED}, (400, 0)),
        ({"price_id": 99}, (400, 0)),
        ({"price_id": 2**64 - 1}, (400, 0)),
    ],
)
def test_an_orphan_is_worth_what_its_counts_are_where_its_price_is_known(path, values, worth):
    sold.sell(path)
    leave(path, ("a", 300, 60, pack(bill(**values))))
    assert recover(path) == 1
    assert books.query(path, "SELECT charge, list_cost, own_cost FROM usage") == [(60, *worth)]
    assert books.findings(path) == []


def test_an_orphan_with_more_than_text_is_explained_bucket_by_bucket(path):
    used = Usage(input=1, cache_read=2, output=3, audio_input=4, audio_output=5)
    leave(path, ("a", 300, 60, pack(bill(used=used))))
    assert recover(path) == 1
    columns = "input, cache_read, output, audio_input, audio_output, charge"
    assert books.query(path, f"SELECT {columns} FROM usage") == [(1, 2, 3, 4, 5, 60)]


def test_an_orphan_without_a_checkpoint_costs_nothing(path):
    leave(path, ("a", 300, 0, pack(bill())))
    recover(path)
    assert books.purse(path) == (1000, 0)
    assert books.query(path, "SELECT charge FROM usage") == [(0,)]


def test_a_checkpoint_above_its_hold_takes_what_the_wallet_has(path):
    leave(path, ("a", 300, 1200, pack(bill())))
    recover(path)
    assert books.query(path, "SELECT charge, loss FROM usage") == [(1000, 200)]
    assert books.findings(path) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not a bill",
        "[]",
        pack(bill(num=0)),
        pack(bill(num=-3)),
        pack(bill(den=0)),
        pack(bill(den=2**62)),
        pack(bill(input=2**63 - 1)),
        pack(bill(input=-1)),
        pack(bill(price_id=2**64 - 1)),
        pack(bill(tid="another call")),
        pack(bill(wallet=OTHER)),
    ],
)
@pytest.mark.parametrize("priced", [False, True])
def test_no_bill_keeps_the_node_from_starting_or_the_money_held(path, text, priced):
    if priced:
        sold.sell(path)
    leave(path, ("a", 30, 6, text), ("b", 40, 7, pack(bill("b"))), ("c", 50, 8, text))
    assert recover(path) == 3
    assert books.purse(path) == (1000 - 21, 0)
    assert books.purse(path, OTHER) == (1000, 0)
    assert books.query(path, "SELECT tid, charge FROM usage") == [("a", 6), ("b", 7), ("c", 8)]
    assert books.query(path, "SELECT key_name, list_cost FROM usage WHERE tid = 'b'") == [
        ("key", 397 if priced else 47)
    ]
    assert books.findings(path) == []


def test_many_orphans_are_posted_in_several_transactions(path):
    leave(path, *((f"{number:04d}", 1, 1, pack(bill(f"{number:04d}"))) for number in range(300)))
    assert recover(path) == 300
    assert books.purse(path) == (700, 0)
    assert books.findings(path) == []


def test_a_database_that_fails_is_not_started_on(path):
    leave(path, ("a", 30, 6, pack(bill())))
    book = SqliteBook(path, books.NODE, connection_class=Moody)
    book.begin_epoch("again")
    book._connection.codes = (sqlite3.SQLITE_BUSY,)
    with pytest.raises(sqlite3.OperationalError):
        reclaim(book, path)
    book.close()
    assert recover(path) == 1
