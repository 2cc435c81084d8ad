"""Proof of `tollbridge admin create`: on both engines, with a password that is never an argument."""

import asyncio

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from tests.services.control_plane import database_url
from tollbridge.cli import main
from tollbridge.identity.passwords import password_matches
from tollbridge.storage.engine import open_engine
from tollbridge.storage.migrate import migrate
from tollbridge.storage.people_tables import audit_log
from tollbridge.storage.tables import users

__all__ = ["database_url"]
PASSWORD = "a long enough password"


def create(url, word=PASSWORD + "\n", email="op@example.com", *flags):
    words = ["admin", "create", email, "--database", url, *(flags or ("--password-stdin",))]
    environ = {"TOLLBRIDGE_KEY_FILE": "/nowhere/keys"}
    return CliRunner().invoke(main, words, input=word, env=environ)


def read(url, *columns):
    async def ask():
        engine = open_engine(url)
        async with engine.connect() as connection:
            found = [tuple(row) for row in await connection.execute(select(*columns))]
        await engine.dispose()
        return found

    return asyncio.run(ask())


def test_one_is_made_then_given_another_password(database_url):
    asyncio.run(migrate(database_url))
    done = create(database_url)
    assert (done.exit_code, done.stdout) == (
        0, "op@example.com is an admin now: the account was made\n",
    ), done.output  # fmt: skip
    again = create(database_url, "another good password\n", "OP@example.com")
    assert "OP@example.com was an admin: the password is changed" in again.stdout
    ((role, stored, verified),) = read(
        database_url, users.c.role, users.c.password_hash, users.c.verified_ms
    )
    assert role == "admin" and verified
    assert password_matches(stored, "another good password")
    lines = read(database_url, audit_log.c.action, audit_log.c.via, audit_log.c.detail)
    assert [line[:2] for line in lines] == [("user.admin", "shell")] * 2
    assert not any(PASSWORD in line[2] for line in lines)
    assert PASSWORD not in done.output + again.output


def test_an_embedded_database_that_was_never_served_is_made(tmp_path):
    url = f"sqlite:///{tmp_path}/data/t.db"
    assert create(url).exit_code == 0
    assert read(url, users.c.email) == [("op@example.com",)]


@pytest.mark.parametrize(
    ("word", "email", "reason"),
    [
        ("short\n", "op@example.com", "at least 10 characters"),
        ("\n", "op@example.com", "at least 10 characters"),
        ("", "op@example.com", "at least 10 characters"),
        ("x" * 300, "op@example.com", "may have 200"),
        ("aaaaaaaaaaaaaaaa\n", "op@example.com", "too easy"),
        (PASSWORD, "nobody", "not an e-mail address"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path, word, email, reason):
    url = f"sqlite:///{tmp_path}/data/t.db"
    done = create(url, word, email)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("tollbridge: ") and reason in done.stderr
    assert not (tmp_path / "data").exists()


def test_without_a_terminal_it_asks_for_the_flag(tmp_path):
    done = create(f"sqlite:///{tmp_path}/t.db", "x", "op@example.com", "--config", "/dev/null")
    assert done.exit_code == 1 and "--password-stdin" in done.stderr
