"""Proof that pages of other origins can use the API, and nothing but the API."""

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from tests.services.shop import Shop
from tollbridge.api.cors import CrossOrigin
from tollbridge.core.cross_origin import ANSWER_PAIRS

PAGE = {"origin": "https://page.example"}
API = [
    *("/v1/models", "/v1/balance", "/dashboard/billing/usage", "/claude/v1/models"),
    *("/gemini/v1beta/models", "/v1/nothing", "/messages", "/v1/receipts/1"),
]
OTHERS = ["/healthz", "/readyz", "/metrics", "/", "/xyz", "/api/keys"]


def opened(reply: httpx2.Response) -> bool:
    """Tell whether a page may read an answer; fails the test when it carries but a part of it."""
    have = [
        reply.headers.get_list(name.decode()) == [value.decode()] for name, value in ANSWER_PAIRS
    ]
    assert len(set(have)) == 1
    assert "access-control-allow-credentials" not in reply.headers
    return all(have)


@pytest.mark.parametrize("path", API)
async def test_every_answer_of_the_api_can_be_read(shop: Shop, path: str):
    async with shop.client() as client:
        assert opened(await client.get(path, headers=PAGE))
        assert opened(await client.put(path, headers=PAGE))
    async with shop.client("") as client:
        assert opened(await client.get(path, headers=PAGE))


@pytest.mark.parametrize("path", OTHERS)
async def test_no_other_answer_can(shop: Shop, path: str):
    async with shop.client() as client:
        for method in ("GET", "POST", "OPTIONS"):
            reply = await client.request(method, path, headers=PAGE)
            assert not opened(reply)
            assert "access-control-allow-methods" not in reply.headers
            assert reply.status_code != 204


@pytest.mark.parametrize("path", [*API, "/v1/chat/completions", "/v1beta/models/x:generateContent"])
async def test_a_preflight_needs_no_key_and_allows_what_is_asked(shop: Shop, path: str):
    asked = {"access-control-request-method": "POST"}
    asked["access-control-request-headers"] = "authorization,content-type,x-new-thing"
    async with shop.client("") as client:
        reply = await client.options(path, headers=PAGE | asked)
    assert (reply.status_code, reply.content) == (204, b"")
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["access-control-allow-headers"] == asked["access-control-request-headers"]
    assert {"GET", "POST", "DELETE"} <= set(
        reply.headers["access-control-allow-methods"].split(", ")
    )
    assert reply.headers["access-control-max-age"] == "86400"
    assert "access-control-allow-credentials" not in reply.headers
    assert len(reply.headers["x-request-id"]) == 32


@pytest.mark.parametrize("asked", ["", "a b", "a,,b", "x" * 5_000, "naïve", "a:b"])
async def test_what_is_no_list_of_names_is_answered_with_the_usual_ones(shop: Shop, asked: str):
    headers = {**PAGE, "access-control-request-headers": asked}
    encoded = {name: value.encode() for name, value in headers.items()}
    async with shop.client("") as client:
        reply = await client.options("/v1/messages", headers=encoded)
    allowed = reply.headers["access-control-allow-headers"].split(", ")
    assert {"authorization", "content-type", "x-api-key", "x-goog-api-key"} <= set(allowed)
    assert {"anthropic-version", "openai-beta", "x-stainless-lang"} <= set(allowed)


async def test_other_kinds_of_connections_pass_untouched():
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope, receive, send))

    await CrossOrigin(app)({"type": "lifespan"}, None, None)
    assert seen == [({"type": "lifespan"}, None, None)]
