"""Proof of `tollbridge backup` and `tollbridge restore` as an operator meets them."""

import fcntl
import os
import pty
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.services.gateway import Gateway, catalogue, chat, running
from tollbridge.cli import main


def command(folder: Path, *words: str, environ=None):
    url = f"sqlite:///{folder / 'data' / 'tollbridge.db'}"
    return CliRunner().invoke(main, [*words, "--database", url], env=environ)


@pytest.fixture
def shop(tmp_path):
    """Return the folder of a shop with a configuration and no server."""
    Gateway(tmp_path).apply(catalogue("http://127.0.0.1:9"))
    return tmp_path


def rows(folder: Path, query: str):
    with closing(sqlite3.connect(folder / "data" / "tollbridge.db")) as connection, connection:
        return connection.execute(query).fetchall()


def saved(folder: Path) -> str:
    file = folder / "backup"
    done = command(folder, "backup", str(file))
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return str(file)


def test_a_backup_says_what_must_be_kept_besides(shop):
    done = command(shop, "backup", str(shop / "backup"))
    first, second = done.stdout.splitlines()
    assert first.startswith(f"{shop / 'backup'}: ")
    assert " rows of 32 tables, " in first
    key_file = shop / "keys" / "tollbridge.keys"
    assert second.startswith(f"keep the file {key_file} too, with the encryption keys k")
    assert stat.S_IMODE((shop / "backup").stat().st_mode) == 0o600
    assert b"pepper" not in (shop / "backup").read_bytes()
    environ = {"TOLLBRIDGE_KEYS": key_file.read_text()}
    done = command(shop, "backup", str(shop / "backup"), environ=environ)
    assert "keep the content of TOLLBRIDGE_KEYS too" in done.stdout


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    done = command(tmp_path, "backup", str(tmp_path / "backup"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "there is no database" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_database_itself_is_no_place_for_a_backup(shop):
    file = shop / "data" / "tollbridge.db"
    done = command(shop, "backup", str(file))
    assert (done.exit_code, "exists and is no backup" in done.stderr) == (1, True)
    assert rows(shop, "SELECT count(*) FROM users") == [(1,)]


def test_restoring_into_nothing_needs_no_consent(shop, tmp_path):
    file = saved(shop)
    other = tmp_path / "other"
    done = command(other, "restore", file)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].startswith("tollbridge.db: ")
    assert lines[0].endswith(" rows, 0 running calls voided, incarnation 2")
    assert lines[1].startswith("note: the key file ")
    assert lines[-1] == "the books are right"
    assert rows(other, "SELECT email FROM users") == [("user@example.com",)]
    assert stat.S_IMODE((other / "data" / "tollbridge.db").stat().st_mode) == 0o600


def test_other_keys_are_told_at_once(shop, tmp_path):
    file = saved(shop)
    other = tmp_path / "other"
    other.mkdir()
    Gateway(other).apply("[site]\n")
    Gateway(other).apply(catalogue("http://127.0.0.1:9"))
    done = command(other, "restore", file, "--yes")
    assert "note: these are not the keys of this backup" in done.stdout
    done = command(shop, "restore", file, "--yes")
    assert "note" not in done.stdout


def test_a_database_with_data_needs_consent_and_nobody_is_none(shop):
    file = saved(shop)
    rows(shop, "UPDATE users SET group_name = 'later'")
    done = command(shop, "restore", file)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "tollbridge.db is not empty; use --yes" in done.stderr
    assert rows(shop, "SELECT group_name FROM users") == [("later",)]
    assert command(shop, "restore", file, "--yes").exit_code == 0
    assert rows(shop, "SELECT group_name FROM users") == [("default",)]


def at_terminal(folder: Path, file: str, typed: str) -> int:
    """Run a restore with a terminal on its standard input and type something there."""
    ours, theirs = pty.openpty()
    url = f"sqlite:///{folder / 'data' / 'tollbridge.db'}"
    words = [sys.executable, "-m", "tollbridge.cli", "restore", file, "--database", url]
    try:
        with subprocess.Popen(words, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs) as child:
            os.write(ours, f"{typed}\n".encode())
            child.stdout.read()
        return child.returncode
    finally:
        os.close(ours)
        os.close(theirs)


def test_at_a_terminal_the_name_is_consent(shop):
    file = saved(shop)
    rows(shop, "UPDATE users SET group_name = 'later'")
    assert at_terminal(shop, file, "yes") == 1
    assert rows(shop, "SELECT group_name FROM users") == [("later",)]
    assert at_terminal(shop, file, "tollbridge.db") == 0
    assert rows(shop, "SELECT group_name FROM users") == [("default",)]


def test_a_damaged_backup_changes_nothing(shop):
    file = Path(saved(shop))
    rows(shop, "UPDATE users SET group_name = 'later'")
    for content in (b"", file.read_bytes()[:-50], b"no backup"):
        file.write_bytes(content)
        done = command(shop, "restore", str(file), "--yes")
        assert (done.exit_code, done.stdout) == (1, "")
        assert "cannot be restored: it is no backup" in done.stderr
    assert rows(shop, "SELECT group_name FROM users") == [("later",)]


def test_a_server_keeps_its_database(shop):
    file = saved(shop)
    with (shop / "data" / "tollbridge.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = command(shop, "restore", file, "--yes")
    assert (done.exit_code, "another tollbridge serves from" in done.stderr) == (1, True)


def test_books_that_were_wrong_are_told(shop):
    rows(shop, "UPDATE purse SET available = available + 1")
    done = command(shop, "restore", saved(shop), "--yes")
    assert done.exit_code == 1
    assert "BROKEN I1 available" in done.stdout
    assert "the books are right" not in done.stdout


async def test_a_shop_that_sells_is_saved_and_sells_again(tmp_path):
    """The whole way: a call, a backup beside the server, a death, a restore, the next call."""
    async with running(tmp_path) as (gateway, _fake), gateway.client() as client:
        assert (await client.post("/v1/chat/completions", json=chat())).status_code == 200
        gateway.wait_settled()
        wallet = gateway.wallet()
        file = str(tmp_path / "backup")
        assert gateway.run("backup", file).returncode == 0
        assert (await client.post("/v1/chat/completions", json=chat())).status_code == 200
        refused = gateway.run("restore", file, "--yes")
        assert "another tollbridge serves" in refused.stderr
        gateway.kill()
        assert gateway.run("restore", file, "--yes").returncode == 0
        assert gateway.wallet() == wallet
        gateway.start()
        assert (await client.post("/v1/chat/completions", json=chat())).status_code == 200
        gateway.wait_settled()
        gateway.verify()
