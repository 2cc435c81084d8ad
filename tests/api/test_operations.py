"""Proof that machines can tell whether the process lives, may get calls, and what it counts."""

import asyncio

from sqlalchemy import text

from tests.services.shop import Shop
from tollbridge.core.metrics import Metrics
from tollbridge.storage.engine import open_engine
from tollbridge.storage.unit_of_work import writing


async def readiness(shop: Shop, **services) -> tuple[int, list[str]]:
    async with shop.client("", **services) as client:
        reply = await client.get("/readyz")
    body = reply.json()
    assert body["status"] == ("ready" if reply.status_code == 200 else "not ready")
    return reply.status_code, body["reasons"]


async def test_health_needs_nothing(shop: Shop):
    def never() -> bool:
        raise AssertionError

    async with shop.client("", ready=never, draining=never, engine=None) as client:
        reply = await client.get("/healthz")
        head = await client.head("/healthz")
    assert (reply.status_code, reply.json()) == (200, {"status": "alive"})
    assert head.status_code == 200


async def test_ready(each_shop: Shop):
    assert await readiness(each_shop) == (200, [])


async def test_every_reason_not_to_be_ready(shop: Shop):
    assert await readiness(shop, ready=lambda: False) == (503, ["ledger not ready"])
    assert await readiness(shop, draining=lambda: True) == (503, ["draining"])
    both = await readiness(shop, ready=lambda: False, draining=lambda: True)
    assert both == (503, ["draining", "ledger not ready"])


async def test_an_older_schema_is_not_ready(each_shop: Shop):
    async with writing(each_shop.engine) as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert await readiness(each_shop) == (503, ["schema not current"])


async def test_a_database_that_is_down_is_not_ready(shop: Shop):
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    down = open_engine(f"postgresql://postgres@127.0.0.1:{port}/none")
    assert await readiness(shop, engine=down) == (503, ["database down"])
    await down.dispose()


async def test_metrics_are_fresh_and_of_this_process(shop: Shop):
    metrics = Metrics()
    metrics.request_done("chat", "complete")
    async with shop.client(
        "", metrics=metrics, refresh_gauges=lambda: metrics.holds_open.set(3)
    ) as client:
        reply = await client.get("/metrics")
    assert reply.headers["content-type"] == Metrics.content_type
    assert "tollbridge_holds_open 3.0" in reply.text
    assert 'tollbridge_requests_total{outcome="complete",surface="chat"} 1.0' in reply.text


async def test_with_several_processes_the_metrics_are_of_all(shop: Shop):
    async def everybody() -> bytes:
        return b"tollbridge_holds_open 7.0\n"

    async with shop.client("", all_metrics=everybody) as client:
        reply = await client.get("/metrics")
    assert reply.headers["content-type"] == Metrics.content_type
    assert reply.text == "tollbridge_holds_open 7.0\n"


async def test_a_scrape_whose_turn_never_comes_is_told_so(shop: Shop):
    async def never() -> bytes:
        raise TimeoutError

    async with shop.client("", all_metrics=never) as client:
        reply = await client.get("/metrics")
    assert (reply.status_code, reply.json()) == (503, {"status": "other scrapes take too long"})
