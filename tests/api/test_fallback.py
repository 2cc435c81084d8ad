"""Proof that whatever goes wrong is answered in JSON, in the grammar of the path's surface."""

from dataclasses import replace
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from tests.services.shop import Shop
from tollbridge.api import fallback
from tollbridge.api.traced import Traced
from tollbridge.catalog.snapshot import Site, Snapshot
from tollbridge.core.errors import Profile

CANARY = "canary-5f1c"
GEMINI_CALL = "/v1beta/models/x:generateContent"


def check(reply: httpx2.Response, status: int) -> dict[str, Any]:
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/json"
    assert len(reply.headers["x-request-id"]) == 32
    assert reply.headers["x-request-id"] in reply.text
    assert reply.headers["x-should-retry"] in {"true", "false"}
    body: dict[str, Any] = reply.json()
    return body


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("/v1/v1/models", "/v1/models"),
        ("/v1/v1/chat/completions", "/v1/chat/completions"),
        ("/messages", "/v1/messages"),
        ("/chat/completions", "/v1/chat/completions"),
        ("/v1/balance/", "/v1/balance"),
    ],
)
async def test_a_wrong_path_names_the_right_one(shop: Shop, path: str, nearest: str):
    async with shop.client() as client:
        body = check(await client.get(path), 404)
    error = body["error"]
    assert error["message"] == f"Invalid URL (GET {path}) (did you mean {nearest}?)"


@pytest.mark.parametrize("path", ["/", "/xyz", "/docs", "/redoc", "/openapi.json", "/v1/nothing"])
async def test_an_unknown_path_is_json_too(shop: Shop, path: str):
    async with shop.client() as client:
        body = check(await client.get(path), 404)
    assert body["error"]["message"] == f"Invalid URL (GET {path})"
    assert body["error"]["type"] == "not_found"


async def test_each_family_has_its_own_grammar(shop: Shop):
    async with shop.client() as client:
        claude = check(await client.get("/claude/v1/nothing"), 404)
        gemini = check(await client.post("/v1beta/nothing"), 404)
    assert (claude["type"], claude["error"]["type"]) == ("error", "not_found_error")
    assert (gemini["error"]["code"], gemini["error"]["status"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/chat/completions", "POST"),
        ("HEAD", "/v1/chat/completions", "POST"),
        ("DELETE", "/v1/completions", "POST"),
        ("PATCH", "/v1/completions", "POST"),
        ("POST", "/claude/v1/models", "GET,HEAD"),
        ("POST", "/v1beta/models/x", "GET,HEAD"),
        ("GET", GEMINI_CALL, "POST"),
        ("PUT", GEMINI_CALL, "POST"),
        ("POST", "/v1/models", "GET,HEAD"),
        ("PUT", "/v1/models/gpt-5.4", "GET,HEAD"),
        ("POST", "/v1/balance", "GET,HEAD"),
        ("DELETE", "/v1/receipts/1", "GET,HEAD"),
        ("POST", "/dashboard/billing/usage", "GET,HEAD"),
        ("POST", "/healthz", "GET,HEAD"),
    ],
)
async def test_a_wrong_method_names_the_right_ones(shop: Shop, method: str, path: str, allow: str):
    async with shop.client() as client:
        reply = await client.request(method, path)
    assert reply.status_code == 405
    assert reply.headers["allow"] == allow
    assert reply.headers["content-type"] == "application/json"
    if method != "HEAD":
        assert f"({method} {path})" in check(reply, 405)["error"]["message"]


async def test_all_methods_of_a_path_are_named_whoever_answers_them(shop: Shop):
    def relayed(method: str, path: str) -> bool:
        return path == "/v1/balance" and method in {"DELETE", "POST"}

    async with shop.client(relayed=relayed) as client:
        reply = await client.put("/v1/balance")
    assert (reply.status_code, reply.headers["allow"]) == (405, "DELETE,GET,HEAD,POST")


async def test_a_call_of_gemini_that_we_do_not_know_is_a_wrong_path(shop: Shop):
    async with shop.client() as client:
        for method in ("GET", "POST"):
            for action in ("predict", "countTokens", "generateAnswerContents"):
                reply = await client.request(method, f"/v1beta/models/x:{action}")
                assert check(reply, 404)["error"]["status"] == "NOT_FOUND"


async def test_a_relayed_path_that_was_spelt_otherwise_is_a_wrong_path(shop: Shop):
    async with shop.client() as client:
        check(await client.post("/v1/chat%2Fcompletions"), 404)


async def test_a_key_in_a_wrong_path_is_not_repeated(shop: Shop):
    async with shop.client() as client:
        reply = await client.get(f"/v1/nothing?key={CANARY}")
    assert CANARY not in check(reply, 404)["error"]["message"]


async def test_errors_speak_the_sites_dialect(shop: Shop):
    snapshot = Snapshot.build(1, Site(error_profile=Profile.LEGACY), [], [])
    async with shop.client("", snapshot=lambda: snapshot) as client:
        body = check(await client.get("/v1/models"), 401)
    assert body["error"]["message"].startswith("Unauthorized \u2013 no access token")


async def test_a_failure_shows_nothing_of_itself(shop: Shop):
    def broken() -> None:
        raise ZeroDivisionError(CANARY)

    async with shop.client(refresh_gauges=broken) as client:
        reply = await client.get("/metrics")
    assert check(reply, 500)["error"]["code"] == "server_error"
    assert CANARY not in reply.text
    assert "Traceback" not in reply.text


async def test_a_wrong_parameter_is_named_without_its_value(shop: Shop):
    app = FastAPI()
    app.state.services = replace(shop.services)
    fallback.install(app)

    @app.get("/v1/claims/{number}")
    async def claim(number: int) -> int:
        return number

    transport = httpx2.ASGITransport(Traced(app))
    async with httpx2.AsyncClient(transport=transport, base_url="http://shop.test") as client:
        reply = await client.get(f"/v1/claims/{CANARY}")
    error = check(reply, 400)["error"]
    assert (error["param"], error["message"]) == ("number", "Invalid 'number'.")
    assert CANARY not in reply.text
