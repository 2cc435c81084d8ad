"""Proof that answers are uncached JSON and that amounts keep every decimal."""

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from tests.services.shop import Shop
from tollbridge.api.answers import answer, number, path_of
from tollbridge.core.money import MAX_AMOUNT, NANO


@given(st.integers(-MAX_AMOUNT * 100, MAX_AMOUNT * 100))
def test_a_number_is_exact(nano: int):
    body = answer({"amount": number(nano)}).body
    parsed = json.loads(bytes(body), parse_float=Decimal)
    assert parsed["amount"] * NANO == nano


def test_an_answer():
    reply = answer({"a": (1, None)}, 503)
    assert (reply.status_code, reply.body) == (503, b'{"a":[1,null]}')
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-store"


def test_the_path_is_as_it_was_sent():
    scope = {"type": "http", "path": "/a b", "raw_path": b"/a%20b?key=1", "headers": []}
    assert path_of(Request(scope)) == "/a%20b"
    scope = {"type": "http", "path": "/a", "headers": [], "query_string": b"key=1"}
    assert path_of(Request({**scope, "server": ("shop.test", 80)})) == "/a"


async def test_errors_are_not_cached_either(shop: Shop):
    async with shop.client("") as client:
        reply = await client.get("/v1/balance")
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers.get_list("content-type") == ["application/json"]
