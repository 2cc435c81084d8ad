"""Proof of `tollbridge secrets`: keys are told by their ids, rotated under a server, and dropped."""

import asyncio
import json
import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest
from click.testing import CliRunner

from tests.services.gateway import Gateway, catalogue, chat, running
from tollbridge.cli import main
from tollbridge.core.secrets import load_or_create


class Keys:
    """A shop with a configuration and no server, and its key file."""

    def __init__(self, folder):
        self.database = folder / "data" / "tollbridge.db"
        self.file = folder / "keys" / "tollbridge.keys"
        Gateway(folder).apply(catalogue("http://127.0.0.1:9"))

    def run(self, *words, **environ):
        url = f"sqlite:///{self.database}"
        return CliRunner().invoke(main, ["secrets", *words, "--database", url], env=environ)

    def lines(self, *words):
        done = self.run(*words)
        assert (done.exit_code, done.stderr) == (0, ""), done.output
        return done.stdout.splitlines()

    def ids(self):
        secrets = load_or_create(self.file)
        old = [one for one in secrets.key_ids if one != secrets.current_key_id]
        return secrets.current_key_id, old


@pytest.fixture
def keys(tmp_path):
    return Keys(tmp_path)


def test_listing_shows_ids_and_what_they_seal(keys):
    current, _ = keys.ids()
    assert keys.lines("list") == [f"{current} current: seals 1 values"]
    keys.file.unlink()
    load_or_create(keys.file)
    done = keys.run("list")
    assert done.exit_code == 1
    assert f"{current} MISSING: 1 values cannot be opened" in done.stdout


def test_a_rotation_and_then_the_drop(keys):
    first, _ = keys.ids()
    said = keys.lines("rotate")
    second, old = keys.ids()
    assert (said, old) == ([f"new current key {second}", "1 values sealed again"], [first])
    assert sorted(keys.lines("list")) == sorted([
        f"{first} old: seals 0 values", f"{second} current: seals 1 values"
    ])  # fmt: skip
    assert keys.lines("rotate", "--drop-old") == ["0 values sealed again", f"{first} dropped"]
    assert keys.ids() == (second, [])


def test_in_steps_for_many_hosts(keys):
    first, _ = keys.ids()
    assert keys.lines("rotate", "--add-only")[1].startswith("copy the key file to every host")
    assert f"{first} old: seals 1 values" in keys.lines("list")
    assert keys.lines("rotate", "--resume") == ["1 values sealed again"]
    assert keys.lines("rotate", "--resume") == ["0 values sealed again"]
    assert f"{first} old: seals 0 values" in keys.lines("list")


def test_a_key_that_is_needed_is_not_dropped(keys):
    """A value that does not open cannot be sealed again: its key has to stay."""
    first, _ = keys.ids()
    with closing(sqlite3.connect(keys.database)) as connection, connection:
        connection.execute("UPDATE accounts SET secret = substr(secret, 1, length(secret) - 4)")
    keys.run("rotate")
    said = keys.lines("rotate", "--drop-old")
    assert f"{first} still seals 1 values and stays" in said
    assert said[1].startswith("left as it was: account one: ")
    assert keys.ids()[1] == [first]


def test_keys_in_the_environment_are_printed_not_written(keys):
    content = keys.file.read_text()
    done = keys.run("rotate", TOLLBRIDGE_KEYS=content)
    assert done.exit_code == 0
    printed = json.loads(done.stdout)
    assert keys.file.read_text() == content
    assert printed["pepper"] == json.loads(content)["pepper"]
    assert "put this into TOLLBRIDGE_KEYS" in done.stderr
    both = done.stdout
    assert keys.run("rotate", "--resume", TOLLBRIDGE_KEYS=both).stdout == "1 values sealed again\n"
    done = keys.run("rotate", "--drop-old", TOLLBRIDGE_KEYS=both)
    kept = json.loads(done.stdout.partition("\n")[2])
    assert [*kept["encryption_keys"]] == [printed["current_key_id"]]


def test_what_cannot_be_done_is_a_sentence(keys, tmp_path):
    done = keys.run("rotate", "--resume", "--drop-old")
    assert (done.exit_code, "exclude each other" in done.stderr) == (1, True)
    keys.file.chmod(0o644)
    for words in (("list",), ("rotate",)):
        done = keys.run(*words)
        assert (done.exit_code, "open to other users" in done.stderr) == (1, True)
    keys.file.unlink()
    for words in (("list",), ("rotate",)):
        done = keys.run(*words)
        assert (done.exit_code, "is missing" in done.stderr) == (1, True)
    assert not keys.file.exists()
    keys.database.rename(tmp_path / "away.db")
    assert "there is no database" in keys.run("rotate").stderr


async def test_a_server_serves_through_a_rotation_and_sees_later_changes(tmp_path):
    """After the drop only the new key opens the catalogue: a price that arrives proves it."""
    async with running(tmp_path) as (gateway, _fake), gateway.client() as client:
        before = await client.post("/v1/chat/completions", json=chat())
        for words in (("rotate",), ("rotate", "--drop-old")):
            assert gateway.run("secrets", *words).returncode == 0
        text = (tmp_path / "config.toml").read_text()
        gateway.apply(text.replace('multiplier = "1.0"', 'multiplier = "2.0"'))
        async with asyncio.timeout(20):
            cost = None
            while cost != 2 * Decimal(before.headers["x-tollbridge-cost"]):
                answer = await client.post("/v1/chat/completions", json=chat())
                assert answer.status_code == 200
                cost = Decimal(answer.headers["x-tollbridge-cost"])
