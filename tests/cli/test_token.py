"""Proof of `tollbridge token`: a token is made once, listed without its secret, and revoked."""

import re
import sqlite3
from contextlib import closing

import pytest
from click.testing import CliRunner

from tests.services.gateway import Gateway, catalogue
from tollbridge.cli import main

PEOPLE = """
[[user]]
email = "boss@example.com"
role = "admin"
[[user]]
email = "clerk@example.com"
role = "staff"
"""


class Desk:
    """A shop with a configuration and no server."""

    def __init__(self, folder):
        self.url = f"sqlite:///{folder}/data/tollbridge.db"
        Gateway(folder).apply(catalogue("http://127.0.0.1:9") + PEOPLE)

    def run(self, *words):
        return CliRunner().invoke(main, ["token", *words, "--database", self.url])

    def create(self, *words, user="boss@example.com", name="ci"):
        return self.run("create", "--user", user, "--name", name, *words)

    def listed(self):
        done = self.run("list")
        assert done.exit_code == 0, done.output
        return done.stdout.splitlines()


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    return Desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture(autouse=True)
def cleared(desk):
    with closing(sqlite3.connect(desk.url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("DELETE FROM access_tokens")


def test_a_token_is_printed_alone_and_once(desk):
    done = desk.create("--scope", "channels:read", "--scope", "tokens:read", "--expires", "90d")
    assert done.exit_code == 0, done.output
    token = done.stdout.strip()
    assert re.fullmatch(r"tbp_[0-9A-Za-z]{46}", token)
    number = re.fullmatch(r"token (\d+) of boss@example.com, shown once:\n", done.stderr)[1]
    [line] = desk.listed()
    assert token not in line
    assert re.fullmatch(
        rf"{number} live: ci of boss@example.com, …{token[-6:]}, channels:read tokens:read,"
        r" expires 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ, used never",
        line,
    )


def test_a_token_is_revoked(desk):
    number = desk.create("--scope", "*").stderr.split()[1]
    assert desk.run("revoke", number).stdout == f"token {number} revoked\n"
    assert desk.run("revoke", number).stdout == f"token {number} was revoked before\n"
    assert desk.listed()[0].startswith(f"{number} revoked: ")
    done = desk.run("revoke", "7")
    assert (done.exit_code, done.stderr) == (1, "tollbridge: there is no token 7\n")


@pytest.mark.parametrize(
    ("words", "more", "says"),
    [
        (["--scope", "*"], {"user": "nobody@example.com"}, "there is no user nobody@example.com"),
        (["--scope", "*"], {"user": "clerk@example.com"}, "the role staff does not allow *"),
        (
            ["--scope", "channels:read", "--scope", "accounts:write"],
            {"user": "clerk@example.com"},
            "the role staff does not allow accounts:write",
        ),
        (
            ["--scope", "channels:read"],
            {"user": "user@example.com"},
            "the role user does not allow channels:read",
        ),
        (["--scope", "*"], {"name": ""}, "a name has 1 to 64 characters"),
        (["--scope", "*"], {"name": "x" * 65}, "a name has 1 to 64 characters"),
        (["--scope", "*"], {"name": "a\nb"}, "a name has 1 to 64 characters"),
        (["--scope", "*", "--expires", "soon"], {}, "--expires is like"),
        (["--scope", "*", "--expires", "0d"], {}, "--expires is like"),
        (["--scope", "*", "--expires", "2099-01-01"], {}, "--expires needs Z or an offset"),
        (["--scope", "*", "--expires", "2020-01-01T00:00:00Z"], {}, "--expires is over already"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(desk, words, more, says):
    done = desk.create(*words, **more)
    assert done.exit_code == 1
    assert done.stderr.startswith("tollbridge: ") and says in done.stderr
    assert done.stdout == ""
    assert desk.listed() == []


def test_a_moment_is_understood(desk):
    assert desk.create("--scope", "*", "--expires", "2099-01-01T01:00:00+01:00").exit_code == 0
    assert "expires 2099-01-01T00:00:00Z" in desk.listed()[0]


def test_a_scope_has_to_be_one(desk):
    done = desk.create("--scope", "moon:fly")
    assert done.exit_code == 2 and "channels:read" in done.stderr


def test_no_database_and_no_keys(desk, tmp_path):
    url = f"sqlite:///{tmp_path}/none.db"
    for words in (
        ["list"],
        ["revoke", "1"],
        ["create", "--user", "a", "--name", "b", "--scope", "*"],
    ):
        done = CliRunner().invoke(main, ["token", *words, "--database", url])
        assert (done.exit_code, done.stdout) == (1, "")
        assert "there is no database" in done.stderr
    assert not (tmp_path / "none.db").exists()
