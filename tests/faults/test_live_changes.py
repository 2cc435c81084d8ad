"""What an operator applies takes effect in a running gateway at once, and running calls go on.

Each change is timed from its commit to the first call that shows it. One slow moment of a busy
machine is no fault, so the middle one of all waits of a test counts (contract.md: a change is seen in < 1 s).
"""

import asyncio
import statistics
import time
from contextlib import asynccontextmanager

import pytest

from tests.faults.load import Ask, assert_books_right, call, charges, many, price, until
from tests.services.gateway import KEY, catalogue, running
from tollbridge.api.apply import apply
from tollbridge.catalog.file import FileError
from tollbridge.core.money import parse_usd
from tollbridge.core.secrets import load_or_create
from tollbridge.demo.fake_upstream import FakeUpstream
from tollbridge.storage.engine import open_engine

OTHER = "sk-other-0123456789-0123456789-0123456789"
SMALL = Ask(script={"prompt_tokens": 100, "tokens": 10})
SLOW = Ask(
    fields={"stream": True},
    script={"prompt_tokens": 100, "tokens": 30, "events": 30, "event_delay_ms": 80},
)
ROUNDS, WAITS = 3, 5
SOON_S, PATIENCE_S = 1.0, 8.0
ANOTHER_KEY = f'\n[[user.key]]\nname = "other"\nsecret = "{OTHER}"\nchannel = "main"\n'
ANOTHER_USER = f'\n[[user]]\nemail = "new@example.com"\ncredit = "1.50"\n{ANOTHER_KEY}'


class Operator:
    """Applies configurations to a running gateway and waits for what they do."""

    def __init__(self, gateway, engine):
        self.gateway = gateway
        self._engine = engine
        self._secrets = load_or_create(gateway.folder / "keys" / "tollbridge.keys")
        self.waits = []

    async def apply(self, text):
        """Apply as `tollbridge apply --prune` does; it returns when the change is committed."""
        report = await apply(self._engine, self._secrets, text, environ={}, prune=True)
        assert report.changed

    async def until(self, client, holds):
        """Call until `holds(call)` is true; note how long that took."""
        begun = time.monotonic()
        while True:
            seen = await call(client, SMALL)
            took = time.monotonic() - begun
            if holds(seen):
                self.waits.append(took)
                return seen
            assert took < PATIENCE_S, f"the change never came: {seen.status} {seen.data[:200]}"
            await asyncio.sleep(0.01)

    def assert_prompt(self):
        """Fail unless the middle one of all waits was within a second."""
        assert len(self.waits) >= WAITS
        assert statistics.median(self.waits) < SOON_S, self.waits


@asynccontextmanager
async def operated(folder):
    """Yield an operator of a running gateway, the vendor and its URL, and the test key's client."""
    async with running(folder) as (gateway, fake), many(gateway) as client:
        engine = open_engine(f"sqlite:///{gateway.database}")
        (account,) = gateway.rows("SELECT base_url FROM accounts")
        try:
            yield Operator(gateway, engine), fake, account["base_url"], client
            gateway.wait_settled()
            await assert_books_right(gateway)
        finally:
            await engine.dispose()


def answered(seen):
    return seen.status == 200


def refused(code):
    return lambda seen: seen.status in {401, 403, 404, 503} and f'"{code}"'.encode() in seen.data


async def running_stream(client, fake):
    """Begin a stream and return when the vendor writes to it."""
    before = len(fake.books.calls)
    stream = asyncio.ensure_future(call(client, SLOW))
    await until(lambda: len(fake.books.calls) > before, "a stream")
    return stream


async def test_a_key_comes_and_goes(tmp_path):
    async with operated(tmp_path) as (operator, fake, vendor, client):
        async with many(operator.gateway, OTHER) as other:
            assert (await call(other, SMALL)).status == 401
            await operator.apply(catalogue(vendor) + ANOTHER_KEY)
            await operator.until(other, answered)
            stream = await running_stream(other, fake)
            for _ in range(ROUNDS):
                await operator.apply(catalogue(vendor))
                await operator.until(other, refused("key_disabled"))
                # The first key never notices.
                assert answered(await call(client, SMALL))
                await operator.apply(catalogue(vendor) + ANOTHER_KEY)
                await operator.until(other, answered)
            # What was admitted before goes on to its end.
            assert (await stream).finished
        operator.assert_prompt()


def costs(nano):
    return lambda seen: parse_usd(seen.headers["x-tollbridge-cost"]) == nano


async def test_a_price_changes_for_new_calls_only(tmp_path):
    async with operated(tmp_path) as (operator, fake, vendor, client):
        assert costs(price(100, 10))(await call(client, SMALL))
        stream = await running_stream(client, fake)
        for number in range(ROUNDS):
            dollars = 20 + number
            await operator.apply(catalogue(vendor).replace('"10.00"', f'"{dollars}.00"'))
            await operator.until(client, costs(price(100, 0) + 10 * dollars * 1_000))
            # The old price was agreed to; it is used at an end that is later than the change.
            assert number or not stream.done()
            await operator.apply(catalogue(vendor))
            await operator.until(client, costs(price(100, 10)))
        stream = await stream
        assert stream.finished
        assert await charges(client, [stream]) == {stream.tid: SLOW.full_price()}
        operator.assert_prompt()


async def test_a_channel_is_switched_off_and_on(tmp_path):
    async with operated(tmp_path) as (operator, fake, vendor, client):
        head, _, rest = catalogue(vendor).partition("[[channel]]")
        without = head + "[[user]]" + rest.partition("[[user]]")[2]
        stream = await running_stream(client, fake)
        for _ in range(ROUNDS):
            await operator.apply(without)
            await operator.until(client, refused("channel_disabled"))
            calls = len(fake.books.calls)
            assert not answered(await call(client, SMALL))
            assert len(fake.books.calls) == calls
            await operator.apply(catalogue(vendor))
            await operator.until(client, answered)
        assert (await stream).finished
        operator.assert_prompt()


async def test_an_account_moves_to_another_host(tmp_path):
    async with operated(tmp_path) as (operator, fake, vendor, client):
        second = FakeUpstream()
        elsewhere = await second.start()
        try:
            stream = await running_stream(client, fake)
            for _ in range(ROUNDS):
                await operator.apply(catalogue(elsewhere))
                await operator.until(client, lambda _: bool(second.books.calls))
                calls = len(fake.books.calls)
                # From the first call there on nothing goes to the old host but what runs there.
                assert answered(await call(client, SMALL))
                assert len(fake.books.calls) == calls
                await operator.apply(catalogue(vendor))
                await operator.until(client, lambda _, calls=calls: len(fake.books.calls) > calls)
                second.books.reset()
            assert (await stream).finished
        finally:
            await second.stop()
        operator.assert_prompt()


async def test_a_new_user_has_the_credit_at_once(tmp_path):
    async with operated(tmp_path) as (operator, _, vendor, client):
        async with many(operator.gateway, OTHER) as other:
            await operator.apply(catalogue(vendor) + ANOTHER_USER)
            first = await operator.until(other, answered)
            left = parse_usd("1.50") - price(100, 10)
            assert parse_usd(first.headers["x-tollbridge-balance"]) == left
            balance = (await other.get("/v1/balance")).json()
            assert parse_usd(balance["balance"]) == left
        # Nobody else's money moved.
        mine = (await client.get("/v1/balance")).json()
        assert parse_usd(mine["balance"]) == parse_usd("20.00")
        assert operator.waits[0] < PATIENCE_S


async def test_a_change_by_the_command_line_is_seen_too(tmp_path):
    """The command in a process of its own: its end is later than the change."""
    async with operated(tmp_path) as (operator, _, vendor, _client):
        text = catalogue(vendor).replace(KEY, OTHER)
        report = await asyncio.to_thread(operator.gateway.apply, text)
        assert "~ key user@example.com/key: secret" in report
        async with many(operator.gateway, OTHER) as other:
            await operator.until(other, answered)
        async with many(operator.gateway, KEY) as old:
            assert refused("invalid_api_key")(await call(old, SMALL))


async def test_a_wrong_file_changes_nothing_in_the_running_gateway(tmp_path):
    async with operated(tmp_path) as (operator, _, vendor, client):
        # The version is how a running gateway hears of anything.
        before = operator.gateway.rows("SELECT version FROM change")
        dearer = catalogue(vendor).replace('"10.00"', '"99.00"')
        for wrong in (dearer + "[[channel]]\nname = 3", dearer.replace(KEY, "short")):
            with pytest.raises(FileError):
                await operator.apply(wrong)
        assert operator.gateway.rows("SELECT version FROM change") == before
        seen = await call(client, SMALL)
        assert parse_usd(seen.headers["x-tollbridge-cost"]) == price(100, 10)
