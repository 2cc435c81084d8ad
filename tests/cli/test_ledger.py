"""Proof of `tollbridge ledger verify`: its verdict and its exit status."""

import contextlib
import sqlite3

import pytest
from click.testing import CliRunner

from tests.storage import books
from tollbridge.cli import main


@pytest.fixture
def path(tmp_path):
    return books.fresh(tmp_path)


def verify(path):
    return CliRunner().invoke(main, ["ledger", "verify", "--database", f"sqlite:///{path}"])


def test_right_books(path):
    done = verify(path)
    assert (done.exit_code, done.stdout) == (0, "the books are right\n")


def test_wrong_books_are_named_and_exit_1(path):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE purse SET available = available + 1 WHERE id = 1")
    done = verify(path)
    assert done.exit_code == 1
    assert done.stdout.startswith("BROKEN I1 available: wallet 1 has 1001")
    assert "the books are right" not in done.stdout
