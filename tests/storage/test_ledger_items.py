"""The twin of storage/ledger_items.py: what a withheld and a plain settle become."""

import sqlite3

import pytest

from tests.storage import books
from tollbridge.storage.ledger_items import INT64_MAX, USAGE_COLUMNS, Figures


def named(row):
    return dict(zip(USAGE_COLUMNS, row, strict=False))


def test_free_money_is_what_is_not_held():
    assert Figures(10, 4).free == 6


def test_the_writer_s_columns_come_last():
    assert USAGE_COLUMNS[-2:] == ("charge", "loss")
    assert len(books.row("a")) == len(USAGE_COLUMNS) - 2


def test_a_settle_is_what_it_says_until_it_is_withheld():
    item = books.settle("a", 7)
    assert item.effective() == (7, item.row)
    item.withheld = True
    cost, row = item.effective()
    assert cost == 0
    facts = named(row)
    assert (facts["status"], facts["error_kind"], facts["end_state"]) == (
        503,
        "database_down",
        "withheld",
    )
    assert named(item.row)["status"] == 200


def test_a_plain_settle_stays_withheld():
    item = books.settle("a", 7)
    item.withheld = True
    assert item.plain().effective()[0] == 0


def test_a_plain_row_keeps_what_any_table_takes():
    item = books.settle("a" * 32, 7, input=5, surface="chat", list_cost=INT64_MAX, client=None)
    facts = named(item.plain().row)
    assert facts["tid"] == "a" * 32
    assert facts["input"] == 5
    assert facts["surface"] == "chat"
    assert facts["list_cost"] == INT64_MAX
    assert facts["client"] is None
    assert facts["status"] == 200


@pytest.mark.parametrize(
    ("column", "value", "plain"),
    [
        ("key_name", "\ud800", ""),
        ("key_name", None, ""),
        ("key_name", "a name of more than sixteen", ""),
        ("model_asked", b"bytes", ""),
        ("model_asked", "a\x00b", ""),
        ("client", "\udfff", None),
        ("attempts", ["list"], None),
        ("input", 1 << 70, 0),
        ("input", -1, 0),
        ("input", "seven", 0),
        ("input", 1.5, 0),
        ("own_cost", -5, 0),
        ("list_cost", INT64_MAX + 1, 0),
        ("status", None, 0),
        ("account_id", 1 << 64, None),
        ("price_id", "x", None),
        ("stream", {}, 0),
    ],
)
def test_a_plain_row_is_taken_by_the_table_whatever_was_in_it(tmp_path, column, value, plain):
    path = books.fresh(tmp_path)
    item = books.settle("a" * 32, 7, **{column: value}).plain()
    assert named(item.row)[column] == plain
    book = books.open_book(path)
    books.one(book, books.hold("a" * 32, 10))
    assert books.one(book, item).charge == 7
    book.close()
    assert books.query(path, f"SELECT typeof({column}) FROM usage") == [
        (
            {
                str: "text",
                int: "integer",
                type(None): "null",
            }[type(plain)],
        )
    ]


def test_the_table_does_refuse_such_values(tmp_path):
    book = books.open_book(books.fresh(tmp_path))
    books.one(book, books.hold("a", 10))
    for values in ({"key_name": None}, {"list_cost": -1}):
        with pytest.raises(sqlite3.IntegrityError):
            books.one(book, books.settle("a", 7, **values))
    with pytest.raises(OverflowError):
        books.one(book, books.settle("a", 7, input=1 << 70))
    with pytest.raises(UnicodeEncodeError):
        books.one(book, books.settle("a", 7, key_name="\ud800"))
    book.close()
