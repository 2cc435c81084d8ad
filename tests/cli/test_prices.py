"""Proof of `tollbridge prices import`: shown first, taken when asked, noticed by a running gateway."""

import asyncio
import json

import pytest
from click.testing import CliRunner

from tests.billing.priced_calls import recomputed
from tests.services.control_plane import database_url, engine
from tests.services.gateway import catalogue, chat, running
from tollbridge.cli import main

__all__ = ["database_url", "engine"]

GPT = "gpt-test=gpt-4.1"
DIFF = """\
~ gpt-test (openai)
    input: $2.50 → $2.00
    cache_read: $0.25 → $0.50
    output: $10.00 → $8.00
"""


@pytest.fixture
def url(tmp_path, monkeypatch, database_url, engine):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOLLBRIDGE_KEY_FILE", str(tmp_path / "own.keys"))
    file = tmp_path / "c.toml"
    file.write_text(catalogue("http://127.0.0.1:9"))
    done = CliRunner().invoke(main, ["apply", str(file), "--database", database_url])
    assert done.exit_code == 0, done.output
    return database_url


def run(url, *words, typed=None):
    return CliRunner().invoke(main, ["prices", "import", *words, "--database", url], input=typed)


def test_shown_confirmed_and_taken(url):
    shown = run(url, "--model", GPT)
    assert shown.exit_code == 0 and shown.stdout.startswith(DIFF)
    assert shown.stdout.endswith("nothing was written; --apply takes these prices\n")
    refused = run(url, "--model", GPT, "--apply", typed="n\n")
    assert refused.exit_code == 1 and "Take these prices for 1 models? [y/N]: n" in refused.stdout
    assert run(url, "--model", GPT).stdout == shown.stdout
    taken = run(url, "--model", GPT, "--apply", typed="y\n")
    assert taken.exit_code == 0 and taken.stdout.endswith("took the prices of 1 models\n")
    again = run(url, "--model", GPT, "--apply", "--yes")
    assert again.exit_code == 0 and "= gpt-test (openai)\n" in again.stdout
    assert again.stdout.endswith("nothing to change\n")


def test_a_model_that_the_source_lacks_is_listed(url):
    done = run(url, "--apply", "--yes")
    assert (done.exit_code, done.stdout) == (
        0,
        (
            "- gpt-test: left as it is: genai-prices has no model of exactly this name\n"
            "nothing to change\n"
        ),
    )


def test_a_file_instead(url, tmp_path):
    file = tmp_path / "prices.toml"
    done = run(url, "--model", GPT, "--output", str(file))
    assert done.exit_code == 0 and done.stdout.endswith(f"wrote 1 models to {file}\n")
    text = file.read_text("utf-8")
    assert 'name = "gpt-test"\ncontext = 200000\nmax_output = 32768\ninput = "2.00"\n' in text
    applied = CliRunner().invoke(main, ["apply", str(file), "--database", url])
    assert applied.stdout == "~ model gpt-test: price\n"
    assert run(url, "--model", GPT).stdout.endswith("nothing to change\n")


def test_a_file_before_there_is_a_database(tmp_path):
    file, url = tmp_path / "prices.toml", f"sqlite:///{tmp_path}/none.db"
    done = run(url, "--model", "gpt-4o", "--provider", "openai", "--output", str(file))
    assert done.exit_code == 0, done.output
    assert "context = 128000\n# max_output = say it\n" in file.read_text("utf-8")
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--model", "gpt-*"), "a model is named NAME or NAME=SOURCE-NAME, without wildcards"),
        (("--provider", "nobody"), "genai-prices has no provider nobody: "),
        (
            ("--output", "x", "--apply"),
            "--output writes a file instead of the database: no --apply",
        ),
        (("--model", "gpt-4o", "--apply"), "the catalogue does not sell gpt-4o: write a file with"),
        (("--model", GPT, "--output", "none/x"), "none/x: cannot be written: No such file"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_cannot_be_done_is_a_sentence(url, words, said):
    done = run(url, *words)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"tollbridge: {said}") and done.stderr.count("\n") == 1


async def test_beside_a_running_gateway(tmp_path):
    async with running(tmp_path) as (gateway, _), gateway.client() as client:

        async def call():
            answer = await client.post("/v1/chat/completions", json=chat())
            assert answer.status_code == 200
            return (await client.get(f"/v1/receipts/{answer.headers['x-request-id']}")).json()

        before = await call()
        assert [line["rate"] for line in before["lines"]] == ["2.50", "10.00"]
        words = ("prices", "import", "--model", GPT, "--apply", "--yes")
        done = await asyncio.to_thread(gateway.run, *words)
        assert done.returncode == 0 and DIFF in done.stdout, done.stderr
        async with asyncio.timeout(10):
            while (after := await call())["lines"][0]["rate"] != "2.00":
                await asyncio.sleep(0.05)
        assert [line["rate"] for line in after["lines"]] == ["2.00", "8.00"]
        for one in (before, after):
            status, said = recomputed(one)
            assert status == 0, (said, json.dumps(one))
        # A price ends, it does not change: the old receipt is as it was.
        same = (await client.get(f"/v1/receipts/{before['tid']}")).json()
        assert same == before
    await asyncio.to_thread(gateway.verify)
