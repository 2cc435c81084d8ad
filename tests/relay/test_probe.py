"""Proof of the test of an account, at a pretend vendor: what it tells, changes and leaves alone."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services.control_plane import secrets
from tollbridge.api.apply import apply
from tollbridge.catalog.finding import ProbeRuns
from tollbridge.core.secrets import Secrets
from tollbridge.demo.fake_books import AccountScript
from tollbridge.demo.fake_upstream import FakeUpstream
from tollbridge.relay.probe import Probe
from tollbridge.relay.tokens import Tokens
from tollbridge.storage.account_states import disable, find_account, one_account
from tollbridge.storage.engine import open_engine
from tollbridge.storage.ledger_tables import hold, usage
from tollbridge.storage.migrate import migrate
from tollbridge.storage.unit_of_work import reading, writing
from tollbridge.upstreams.http1 import Http1Client
from tollbridge.upstreams.limits import Limits

__all__ = ["secrets"]

CREDENTIAL = "vendor-secret-of-the-account"
_MODEL = (
    '[[model]]\nname = "{name}"\ncontext = 1000\nmax_output = 100\ninput = "1"\noutput = "{out}"\n'
)
_CHANNEL = """
[[channel]]
name = "{platform}"
platform = "{platform}"
models = [{models}]
[[channel.account]]
name = "one"
base_url = "{vendor}"
secret = "{secret}"
mapping = {{ "{first}" = "its-own-name" }}
"""
_SOLD = {"openai": ("gpt-test", "gpt-dear"), "anthropic": ("claude-test",), "gemini": ("gemini-x",)}


def catalogue(vendor: str) -> str:
    names = [name for names in _SOLD.values() for name in names] + ["image-1"]
    text = "[site]\nallow_private_upstreams = true\n"
    text += "".join(_MODEL.format(name=name, out="9" if "dear" in name else "1") for name in names)
    for platform, models in {**_SOLD}.items():
        text += _CHANNEL.format(
            platform=platform,
            models=", ".join(f'"{name}"' for name in models),
            vendor=vendor,
            secret=CREDENTIAL,
            first=models[0],
        )
    return text


@dataclass
class Bench:
    engine: AsyncEngine
    vendor: FakeUpstream
    probe: Probe

    def scripted(self, **script) -> None:
        self.vendor.books.accounts[CREDENTIAL] = AccountScript(script)

    async def number(self, platform: str = "openai") -> int:
        async with reading(self.engine) as connection:
            found = await find_account(connection, platform, "one")
        assert found is not None
        return found

    async def recovered_ms(self) -> int:
        number = await self.number()
        async with reading(self.engine) as connection:
            return (await one_account(connection, number))["recovered_ms"]


@pytest.fixture
async def bench(tmp_path, secrets: Secrets) -> AsyncIterator[Bench]:
    url = f"sqlite:///{tmp_path}/t.db"
    await migrate(url)
    engine, vendor = open_engine(url), FakeUpstream()
    address = await vendor.start()
    await apply(engine, secrets, catalogue(address), environ={}, dry_run=False, prune=False)
    client = Http1Client(Limits())
    tokens = Tokens(engine, secrets, lambda: None, lambda _kind, _subject, _detail: None)
    yield Bench(engine, vendor, Probe(engine, secrets, client, tokens))
    await client.close()
    await vendor.stop()
    await engine.dispose()


@pytest.mark.parametrize(
    ("platform", "path"),
    [
        ("openai", "/v1/chat/completions"),
        ("anthropic", "/v1/messages"),
        ("gemini", "/v1beta/models/its-own-name:generateContent"),
    ],
)
async def test_a_healthy_account_answers_and_is_recovered(bench: Bench, platform, path):
    number = await bench.number(platform)
    finding = await bench.probe.test(number)
    assert finding is not None and finding.ok, finding
    assert (finding.status, finding.path, finding.trouble) == (200, path, "")
    assert (finding.model, finding.model_sent) == (_SOLD[platform][0], "its-own-name")
    (call,) = bench.vendor.books.calls
    assert (call.secret, call.path) == (CREDENTIAL, path)
    async with reading(bench.engine) as connection:
        assert (await one_account(connection, number))["recovered_ms"] > 0
        for table in (hold, usage):
            count = select(func.count()).select_from(table)
            assert (await connection.execute(count)).scalar_one() == 0


@pytest.mark.parametrize(
    ("script", "outcome", "trouble", "for_s"),
    [
        ({"status": 401}, "account_refused", "quarantined", 600.0),
        ({"status": 429, "retry_after": 90}, "status_429", "rate_limited", 90.0),
        ({"status": 500}, "status_500", "failing", None),
        ({"status": 400}, "status_400", "", None),
        ({"empty": True, "tokens": 0, "no_finish": True}, "empty", "failing", None),
    ],
)
async def test_a_broken_account_is_told_and_nothing_is_changed(
    bench: Bench, script, outcome, trouble, for_s
):
    bench.scripted(**script)
    finding = await bench.probe.test(await bench.number())
    assert finding is not None and not finding.ok
    assert (finding.outcome, finding.trouble, finding.for_s) == (outcome, trouble, for_s)
    assert await bench.recovered_ms() == 0


async def test_what_the_vendor_says_has_no_secret_and_no_address(bench: Bench):
    words = f"Key {CREDENTIAL} of a@example.com is no good at https://vendor.example/keys"
    bench.scripted(status=401, error_text=words)
    finding = await bench.probe.test(await bench.number())
    assert finding is not None and "is no good" in finding.said
    for hidden in (CREDENTIAL, "example.com", "vendor.example"):
        assert hidden not in repr(finding)


async def test_a_vendor_that_is_not_there(bench: Bench):
    await bench.vendor.stop()
    finding = await bench.probe.test(await bench.number())
    assert finding is not None
    assert (finding.outcome, finding.status, finding.said) == ("connect_failed", None, "")


async def test_one_at_a_time_and_the_next_when_it_is_over(bench: Bench):
    number = await bench.number()
    bench.scripted(hang=True)
    running = asyncio.create_task(bench.probe.test(number))
    while not bench.vendor.books.calls:
        await asyncio.sleep(0.01)
    with pytest.raises(ProbeRuns):
        await bench.probe.test(number)
    # Others are no concern of this one.
    assert await bench.probe.test(99) is None
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    bench.scripted()
    finding = await bench.probe.test(number)
    assert finding is not None and finding.ok


async def test_an_account_that_is_out_of_use_can_be_tested_and_stays_so(bench: Bench):
    number = await bench.number()
    async with writing(bench.engine) as connection:
        await disable(connection, number, "why")
    finding = await bench.probe.test(number)
    assert finding is not None and finding.ok
    async with reading(bench.engine) as connection:
        assert (await one_account(connection, number))["disabled_reason"] == "why"


async def test_a_wish_for_a_model(bench: Bench):
    number = await bench.number()
    finding = await bench.probe.test(number, "gpt-dear")
    assert finding is not None and finding.ok and finding.model_sent == "gpt-dear"
    with pytest.raises(ValueError, match="does not sell"):
        await bench.probe.test(number, "claude-test")
    assert await bench.probe.test(number) is not None
