"""States of accounts over processes: recovered through one, in force in all; a killed one remembers.

Two real gateways on one PostgreSQL, and one on SQLite. What is shown is held against what calls meet.
"""

import asyncio
import sqlite3
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import pytest_asyncio

from tests.faults.fleet import fleet
from tests.services.gateway import Gateway
from tests.services.plain import PLAIN
from tollbridge.demo.fake_books import AccountScript, Books
from tollbridge.demo.fake_upstream import FakeUpstream

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]
KEYS = {name: f"sk-{name:-<40}" for name in ("limited", "failing")}
FIVE_HOURS = 5 * 3600
PARKS = {"TOLLBRIDGE_PARK_ACCOUNTS": "true"}
_HEAD = """
[site]
allow_private_upstreams = true
[[model]]
name = "gpt-test"
context = 100000
max_output = 1000
input = "1"
output = "2"
[[user]]
email = "operator@example.com"
role = "admin"
credit = "100.00"
"""
_CHANNEL = """
[[channel]]
name = "{name}"
platform = "openai"
models = ["gpt-test"]
"""
_ACCOUNT = '[[channel.account]]\nname = "{name}"\nbase_url = "{vendor}"\nsecret = "{name}"\n'
_KEY = '[[user.key]]\nname = "{name}"\nsecret = "{key}"\nchannel = "{name}"\n'


def text(vendor: str) -> str:
    """Return a catalogue: `limited` has one account, `failing` two of which one works."""
    keys = "".join(_KEY.format(name=name, key=key) for name, key in KEYS.items())
    accounts = {"limited": ("limited",), "failing": ("failing", "works")}
    channels = "".join(
        _CHANNEL.format(name=name)
        + "".join(_ACCOUNT.format(name=one, vendor=vendor) for one in members)
        for name, members in accounts.items()
    )
    return _HEAD + keys + channels


async def called(port: int, name: str) -> int:
    """Make one call, a session of its own."""
    body = {"model": "gpt-test", "messages": [{"role": "user", "content": "hello"}]}
    headers = {"authorization": f"Bearer {KEYS[name]}", "x-session-id": uuid4().hex}
    async with httpx2.AsyncClient(verify=PLAIN, trust_env=False, timeout=30) as client:
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        return (await client.post(url, json=body, headers=headers)).status_code


def asked(books: Books, secret: str) -> int:
    return sum(call.secret == secret for call in books.calls)


def limits(books: Books) -> None:
    script = {"status": 429, "retry_after": FIVE_HOURS}
    books.accounts["limited"] = AccountScript(script)


async def opens_the_breaker(port: int, books: Books) -> None:
    books.accounts["failing"] = AccountScript({"status": 500})
    # Half of all sessions are its own: of so many more than the ten that it takes.
    for _ in range(60):
        assert await called(port, "failing") == 200
    assert asked(books, "failing") == 10


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(tmp_path_factory, postgres_server, redis_server):
    """Run two gateways."""
    environ = {"PARK_ACCOUNTS": "true", "WORK": "false"}
    async with fleet(tmp_path_factory.mktemp("pair"), text, 2, environ) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def api(pair):
    """Return how an operator asks: `api(member, path)` or with a method and a body."""
    words = ("--user", "operator@example.com", "--name", "test", "--scope", "*")
    made = await pair.run("token", "create", *words)
    assert made.returncode == 0, made.stderr
    token = next(word for word in made.stdout.split() if word.startswith("tb"))

    async def ask(member, path: str, method: str = "GET", **sent: Any) -> Any:
        async with httpx2.AsyncClient(verify=PLAIN, trust_env=False, timeout=30) as client:
            url = f"http://127.0.0.1:{member.port}/api/admin/accounts{path}"
            headers = {"authorization": f"Bearer {token}"}
            reply = await client.request(method, url, headers=headers, **sent)
        assert reply.status_code == 200, reply.text
        return reply.json()

    return ask


async def named(api, member, name: str) -> dict[str, Any]:
    rows = (await api(member, ""))["items"]
    return next(row for row in rows if row["name"] == name)


async def test_recovered_through_one_is_recovered_in_the_other(pair, api):
    one, two = pair.members
    books = pair.vendor.books
    limits(books)
    for member in (one, two):
        assert [await called(member.port, "limited") for _ in range(3)] == [503] * 3
    assert asked(books, "limited") == 2

    async def both_tell() -> bool:
        shown = await named(api, two, "limited")
        troubles = [held["trouble"] for held in shown["troubles"]]
        return shown["state"] == "parked" and troubles == ["rate_limited"] * 2

    await pair.until(both_tell, "both nodes tell of the limit")
    # A test of it fails and changes nothing.
    number = (await named(api, one, "limited"))["id"]
    found = await api(one, f"/{number}/test", "POST")
    assert (found["ok"], found["status"], found["for_s"]) == (False, 429, FIVE_HOURS)
    assert await called(two.port, "limited") == 503
    del books.accounts["limited"]
    assert await called(one.port, "limited") == 503
    well = await api(one, f"/{number}/recover", "POST")
    assert well["state"] == "active" and well["troubles"] == []

    async def both_call() -> bool:
        return {await called(member.port, "limited") for member in (one, two)} == {200}

    await pair.until(both_call, "both call the account again", 10)
    assert (await named(api, two, "limited"))["state"] == "active"


async def test_a_test_that_succeeds_recovers_everywhere(pair, api):
    one, two = pair.members
    limits(pair.vendor.books)
    assert await called(two.port, "limited") == 503
    del pair.vendor.books.accounts["limited"]
    number = (await named(api, one, "limited"))["id"]
    charged = await pair.count("SELECT count(*) FROM usage")
    found = await api(one, f"/{number}/test", "POST")
    assert (found["ok"], found["outcome"], found["model"]) == (True, "ok", "gpt-test")

    async def calls_again() -> bool:
        return await called(two.port, "limited") == 200

    await pair.until(calls_again, "the other calls the account again", 10)
    rows = await pair.rows("SELECT account_id FROM usage WHERE status = 200")
    assert await pair.count("SELECT count(*) FROM usage") >= charged and rows


async def test_out_of_use_everywhere_until_it_is_enabled(pair, api):
    one, two = pair.members
    number = (await named(api, one, "limited"))["id"]
    off = await api(one, f"/{number}/disable", "POST", json={"reason": "the card expired"})
    assert (off["state"], off["disabled_reason"]) == ("disabled", "the card expired")

    async def nobody() -> bool:
        return {await called(member.port, "limited") for member in (one, two)} == {503}

    await pair.until(nobody, "nobody calls it", 10)
    await api(two, f"/{number}/enable", "POST")

    async def everybody() -> bool:
        return {await called(member.port, "limited") for member in (one, two)} == {200}

    await pair.until(everybody, "all call it", 10)


async def test_a_killed_gateway_keeps_the_limit_and_forgets_the_breaker(pair, api):
    one, two = pair.members
    books = pair.vendor.books
    books.calls.clear()
    limits(books)
    assert await called(one.port, "limited") == 503
    await opens_the_breaker(one.port, books)

    async def told() -> bool:
        states = [(await named(api, two, name))["state"] for name in ("limited", "failing")]
        return states == ["parked", "parked"]

    await pair.until(told, "the limit and the breaker are told", 10)
    await asyncio.to_thread(one.end)
    await one.start_ready()
    del books.accounts["limited"]
    before = asked(books, "limited"), asked(books, "failing")
    assert await called(one.port, "limited") == 503
    assert asked(books, "limited") == before[0]
    # Half of all sessions are its own: that none of so many is happens once in sixteen million.
    for _ in range(24):
        assert await called(one.port, "failing") == 200
    assert asked(books, "failing") > before[1]
    shown = await named(api, one, "limited")
    assert shown["state"] == "parked"


async def test_a_killed_gateway_on_sqlite_does_so_too(tmp_path):
    fake = FakeUpstream()
    gateway = Gateway(tmp_path, PARKS)
    try:
        await asyncio.to_thread(gateway.apply, text(await fake.start()))
        await asyncio.to_thread(gateway.start)
        limits(fake.books)
        assert await called(gateway.port, "limited") == 503
        await opens_the_breaker(gateway.port, fake.books)
        async with asyncio.timeout(20):
            while len(_troubles(gateway)) < 2:
                await asyncio.sleep(0.05)
        assert _troubles(gateway) == {"failing", "rate_limited"}
        await asyncio.to_thread(gateway.kill)
        await asyncio.to_thread(gateway.start)
        fake.books.accounts.clear()
        fake.books.calls.clear()
        assert await called(gateway.port, "limited") == 503
        for _ in range(24):
            assert await called(gateway.port, "failing") == 200
        assert asked(fake.books, "failing") > 0 == asked(fake.books, "limited")
        async with asyncio.timeout(20):
            while _troubles(gateway) != {"rate_limited"}:
                await asyncio.sleep(0.05)
        listed = await asyncio.to_thread(gateway.run, "account", "list", "--channel", "limited")
        assert listed.stdout.startswith("limited/limited parked\n  rate_limited for gpt-test until")
        done = await asyncio.to_thread(gateway.run, "account", "recover", "limited/limited")
        assert done.returncode == 0, done.stderr
        async with asyncio.timeout(20):
            while await called(gateway.port, "limited") != 200:
                await asyncio.sleep(0.05)
    finally:
        await asyncio.to_thread(gateway.stop)
        await fake.stop()


def _troubles(gateway: Gateway) -> set[str]:
    try:
        return {row["trouble"] for row in gateway.rows("SELECT trouble FROM account_trouble")}
    except sqlite3.OperationalError:
        return set()
