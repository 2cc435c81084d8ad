"""Proof of `tollbridge account`: beside a running gateway or without one, relative changes only."""

import asyncio
import re

import pytest
from click.testing import CliRunner
from sqlalchemy import insert, select

from tests.services.gateway import KEY, catalogue, chat, running
from tollbridge.cli import main
from tollbridge.demo.fake_books import AccountScript
from tollbridge.storage.account_troubles import Held, database_ms, write_troubles
from tollbridge.storage.engine import open_engine
from tollbridge.storage.ledger_tables import node
from tollbridge.storage.tables import accounts
from tollbridge.storage.unit_of_work import working


@pytest.fixture
def url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "c.toml"
    file.write_text(catalogue("http://127.0.0.1:9"))
    url = f"sqlite:///{tmp_path}/t.db"
    done = CliRunner().invoke(main, ["apply", str(file), "--database", url])
    assert done.exit_code == 0, done.output
    return url


def run(url, *words):
    return CliRunner().invoke(main, ["account", *words, "--database", url])


async def holds(url: str) -> None:
    engine = open_engine(url)
    async with working(engine) as connection:
        row = {"id": 1, "name": "sqlite", "epoch": 1, "beat": 1, "dead": False}
        await connection.execute(insert(node), [row])
        one = (await connection.execute(select(accounts.c.id))).scalar_one()
        now_ms = await database_ms(connection)
        held = Held(one, "gpt-test", "rate_limited", "status_429", "m", now_ms, now_ms + 60_000)
        await write_troubles(connection, 1, [], [held])
    await engine.dispose()


def test_what_is_held_is_listed_and_recovered(url):
    assert run(url, "list").stdout == "main/one active\n"
    asyncio.run(holds(url))
    first, second = run(url, "list", "--channel", "main").stdout.splitlines()
    assert first == "main/one parked"
    assert re.fullmatch(
        r"  rate_limited for gpt-test until 20[-0-9]+ [:0-9]+: status_429 \(sqlite\)", second
    )
    done = run(url, "recover", "main/one")
    assert (done.exit_code, done.stdout) == (0, "nothing is held against main/one any more\n")
    assert run(url, "list").stdout == "main/one active\n"
    assert run(url, "list", "--channel", "other").stdout == "there are no accounts\n"


def test_out_of_use_and_back(url):
    done = run(url, "disable", "main/one", "--reason", "card expired")
    assert (done.exit_code, done.stdout) == (0, "main/one is out of use\n")
    assert run(url, "list").stdout == "main/one disabled: card expired\n"
    assert run(url, "enable", "main/one").exit_code == 0
    assert run(url, "list").stdout == "main/one active\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("recover", "main/two"), "there is no account main/two"),
        (("enable", "main"), "an account is named CHANNEL/ACCOUNT"),
        (("test", "other/one"), "there is no account other/one with a credential"),
        (("test", "main/one", "--model", "odd"), "the channel main does not sell this model"),
        (("disable", "main/one", "--reason", " "), "a reason has 1 to 200 characters"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(url, words, said):
    done = run(url, *words)
    assert (done.exit_code, done.stderr) == (1, f"tollbridge: {said}\n")


def test_a_vendor_that_is_not_there(url):
    done = run(url, "test", "main/one")
    assert done.exit_code == 1
    assert done.stdout.startswith("connect_failed: /v1/chat/completions (gpt-test), ")
    assert done.stdout.endswith("is held against the account: failing\n")


async def test_beside_a_running_gateway(tmp_path):
    async with running(tmp_path, environ={"TOLLBRIDGE_PARK_ACCOUNTS": "true"}) as (gateway, fake):
        broken = AccountScript({"status": 429, "retry_after": 18_000})
        fake.books.accounts["vendor-secret"] = broken
        async with gateway.client() as client:
            assert (await client.post("/v1/chat/completions", json=chat())).status_code == 503
            refused = await asyncio.to_thread(gateway.run, "account", "test", "main/one")
            assert refused.returncode == 1 and "status 429" in refused.stdout
            assert "rate_limited for 18000 s" in refused.stdout
            assert (await client.post("/v1/chat/completions", json=chat())).status_code == 503
            del fake.books.accounts["vendor-secret"]
            asked = len(fake.books.calls)
            well = await asyncio.to_thread(gateway.run, "account", "test", "main/one")
            assert well.returncode == 0 and well.stdout.startswith("ok: "), well.stderr
            assert KEY not in well.stdout and "vendor-secret" not in well.stdout
            assert len(fake.books.calls) == asked + 1
            async with asyncio.timeout(10):
                while (await client.post("/v1/chat/completions", json=chat())).status_code != 200:
                    await asyncio.sleep(0.05)
