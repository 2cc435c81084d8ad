"""Proof that the application serves from a real connection, behind the edge that diverts calls."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
import uvicorn

from tests.services.plain import PLAIN
from tests.services.shop import DEMO, RELAY_PATHS, Shop
from tollbridge.api.app import make_api
from tollbridge.edge.config import EdgeConfig
from tollbridge.edge.protocol import make_protocol
from tollbridge.relay.exchange import Exchange


async def relay(exchange: Exchange) -> None:
    exchange.reply(200, b"content-type: text/plain\r\n", b"relayed")


def diverts(method: str, path: str) -> bool:
    return method == "POST" and path in RELAY_PATHS


@pytest.fixture
async def client(shop: Shop) -> AsyncIterator[httpx2.AsyncClient]:
    """Return a client of a server on loopback, with both halves."""
    edge = EdgeConfig(diverts=diverts, handle=relay)
    config = uvicorn.Config(
        make_api(shop.services),
        host="127.0.0.1",
        port=0,
        http=make_protocol(edge),
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
    )
    server = uvicorn.Server(config)
    # Signals belong to the test runner.
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    ticking = asyncio.create_task(server.main_loop())
    headers = {"authorization": f"Bearer {DEMO}"}
    base = f"http://127.0.0.1:{port}"
    async with httpx2.AsyncClient(
        base_url=base, headers=headers, verify=PLAIN, trust_env=False
    ) as opened:
        yield opened
    server.should_exit = True
    await ticking
    await server.shutdown()


async def test_reads_and_calls_share_a_connection(client: httpx2.AsyncClient):
    assert (await client.get("/v1/models")).json()["data"][0]["id"] == "gpt-5.4"
    assert (await client.post("/v1/chat/completions", json={})).text == "relayed"
    assert (await client.get("/v1/balance")).json()["balance"] == "5.00"
    assert (await client.get("/healthz")).status_code == 200


async def test_a_call_by_the_wrong_method(client: httpx2.AsyncClient):
    reply = await client.get("/v1/chat/completions")
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
    assert reply.headers["x-request-id"] == reply.json()["request_id"]


async def test_head_has_no_body(client: httpx2.AsyncClient):
    for path, status in (("/v1/models", 200), ("/v1/nothing", 404), ("/readyz", 200)):
        reply = await client.head(path)
        assert (reply.status_code, reply.content) == (status, b"")
    assert (await client.get("/healthz")).status_code == 200


async def test_a_wrong_path_with_a_body(client: httpx2.AsyncClient):
    reply = await client.post("/messages", content=b"x" * 100_000)
    assert reply.status_code == 404
    assert "did you mean /v1/messages?" in reply.json()["error"]["message"]
    assert (await client.get("/healthz")).status_code == 200


async def test_the_keys_address_is_the_connections(client: httpx2.AsyncClient, shop: Shop):
    await shop.change_key(DEMO, ips='["192.0.2.0/24"]')
    assert (await client.get("/v1/balance")).status_code == 403
    await shop.change_key(DEMO, ips='["127.0.0.1"]')
    assert (await client.get("/v1/balance")).status_code == 200


async def test_there_are_no_pages_about_it_and_nobody_is_redirected(client: httpx2.AsyncClient):
    for path in ("/docs", "/redoc", "/openapi.json", "/v1/models/", "/healthz/"):
        reply = await client.get(path)
        assert (reply.status_code, reply.headers["content-type"]) == (404, "application/json")
