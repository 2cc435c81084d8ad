"""Proof that a served gateway keeps the limits of its file while a Redis comes and goes."""

import asyncio

import pytest

from tests.services.gateway import Gateway, catalogue, chat
from tests.services.redis import Server
from tollbridge.demo.fake_upstream import FakeUpstream

WHOLE = chat(fake={"tokens": 7, "prompt_tokens": 11})
PATIENCE_S = 60


@pytest.fixture
def server(redis_url):
    """Give the test a Redis of its own; `redis_url` knows how to skip."""
    server = Server()
    server.start()
    yield server
    server.remove()


@pytest.fixture
async def gateway(tmp_path, server):
    """Serve with a key of two calls a minute."""
    vendor = FakeUpstream()
    url = server.url.replace("redis://", "valkey://")
    gateway = Gateway(tmp_path, {"TOLLBRIDGE_REDIS_URL": url})
    try:
        text = catalogue(await vendor.start()) + "rpm = 2\n"
        await asyncio.to_thread(gateway.apply, text)
        await asyncio.to_thread(gateway.start)
        yield gateway
    finally:
        await asyncio.to_thread(gateway.stop)
        await vendor.stop()


async def shows(client, value):
    async with asyncio.timeout(PATIENCE_S):
        while f"tollbridge_limits_shared {value}" not in (await client.get("/metrics")).text:
            await asyncio.sleep(0.05)


async def answered(client, calls):
    replies = [await client.post("/v1/chat/completions", json=WHOLE) for _ in range(calls)]
    left = [reply.headers["x-ratelimit-remaining-requests"] for reply in replies]
    return [reply.status_code for reply in replies], left


async def test_limits_hold_and_money_never_waits_for_redis(gateway, server):
    async with gateway.client() as client:
        await shows(client, "1.0")
        assert await answered(client, 3) == ([200, 200, 429], ["1", "0", "0"])
        server.stop()
        assert await answered(client, 3) == ([200, 200, 429], ["1", "0", "0"])
        await shows(client, "0.0")
        server.start()
        await shows(client, "1.0")
        assert await answered(client, 3) == ([200, 200, 429], ["1", "0", "0"])
    gateway.verify()
    assert gateway.stop() == 0
    log = gateway.log.read_text()
    assert log.count("limits are no longer shared") == 1
    assert log.count("limits are shared again") == 1
