"""Proof of `tollbridge ledger verify | explain`: their words and their exit status."""

import contextlib
import json
import sqlite3

import pytest
from click.testing import CliRunner

from tests.storage import books
from tollbridge.cli import main
from tollbridge.core.clock import new_tid


@pytest.fixture
def path(tmp_path):
    return books.fresh(tmp_path)


def ledger(path, *words):
    return CliRunner().invoke(main, ["ledger", *words, "--database", f"sqlite:///{path}"])


def change(path, statement):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def call(path):
    tid = new_tid()
    book = books.open_book(path)
    books.one(book, books.hold(tid, 50))
    books.one(book, books.settle(tid, 70))
    book.close()
    return tid


def test_right_books(path):
    done = ledger(path, "verify")
    assert (done.exit_code, done.stdout.splitlines()) == (
        0, ["proved 0 calls and 2 journal lines: all there are", "the books are right"],
    )  # fmt: skip


def test_a_second_run_says_since_when_and_a_full_one_does_not(path):
    call(path)
    ledger(path, "verify")
    again = ledger(path, "verify")
    assert "older ones were proved before, in full last at 20" in again.stdout
    assert again.stdout.splitlines()[-1] == "the books are right"
    assert "all there are" in ledger(path, "verify", "--full").stdout


def test_wrong_books_are_named_and_exit_1(path):
    change(path, "UPDATE purse SET available = available + 1 WHERE id = 1")
    done = ledger(path, "verify")
    assert done.exit_code == 1
    assert done.stdout.startswith("BROKEN I1 available: wallet 1 has 1001")
    assert "the books are right" not in done.stdout


def test_a_call_is_explained(path):
    tid = call(path)
    # As it is copied from anywhere.
    done = ledger(path, "explain", f" {tid[:8].upper()}-{tid[8:]} ")
    assert done.exit_code == 0
    assert "charge wallet:1 -> revenue $0.00000007" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("verdict: right: its charge of $0.00000007")
    told = json.loads(ledger(path, "explain", tid, "--json").stdout)
    assert (told["tid"], told["settled"]["receipt"]["charge"]) == (tid, "70")


def test_a_wrong_call_is_explained_and_exits_1(path):
    tid = call(path)
    change(path, "UPDATE usage SET charge = 71")
    done = ledger(path, "explain", tid)
    assert done.exit_code == 1
    assert "verdict: wrong: its usage row says" in done.stdout


def test_a_call_that_nobody_knows_is_said_in_a_sentence(path):
    done = ledger(path, "explain", "0" * 32)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"tollbridge: the books know no call {'0' * 32}\n"
    assert "32 hexadecimal digits" in ledger(path, "explain", "xyz").stderr


def test_a_call_is_given_back_once(path):
    tid = call(path)
    done = ledger(path, "reverse", f" {tid[:8].upper()}-{tid[8:]} ", "--reason", "a mistake")
    assert done.exit_code == 0
    # What went to the log is above it.
    assert done.stdout.splitlines()[-1] == f"gave back $0.00000007 of call {tid} to wallet 1"
    again = ledger(path, "reverse", tid, "--reason", "a mistake")
    said = f"$0.00000007 of call {tid} had been given back before; nothing was moved"
    assert (again.exit_code, again.stdout.splitlines()) == (0, [said])
    assert books.purse(path).available == 1000
    assert ledger(path, "verify").exit_code == 0
    told = ledger(path, "explain", tid)
    assert "- $0.00000007: Given back: the charge of this call was reversed." in told.stdout
    assert "= charge $0.00" in told.stdout
    assert "flag reversed: staff gave its charge back" in told.stdout
    assert told.stdout.splitlines()[-1].endswith("given back, and $0.00 stays charged")


@pytest.mark.parametrize(
    ("tid", "reason", "said"),
    [
        ("0" * 32, "why", "the books know no such call"),
        ("xyz", "why", "a call's id has 32 hexadecimal digits"),
        ("0" * 32, " ", "a reason is a text of one line"),
        ("0" * 32, "a\x1bb", "a reason is a text of one line"),
    ],
)
def test_what_cannot_be_given_back_is_said_in_a_sentence(path, tid, reason, said):
    done = ledger(path, "reverse", tid, "--reason", reason)
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", f"tollbridge: {said}\n")
