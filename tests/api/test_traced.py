"""Proof that every answer carries one trace id, made before anything else."""

import httpx2
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from tollbridge.api.traced import Traced
from tollbridge.core.clock import tid_ms


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        tid = Request(scope).state.tid
        response = PlainTextResponse(tid, headers={"x-request-id": "another"})
        await response(scope, receive, send)


async def test_the_id_is_in_the_state_and_on_the_answer_once():
    transport = httpx2.ASGITransport(Traced(echo))
    async with httpx2.AsyncClient(transport=transport, base_url="http://shop.test") as client:
        first, second = await client.get("/"), await client.get("/")
    assert first.headers.get_list("x-request-id") == [first.text]
    assert tid_ms(first.text) <= tid_ms(second.text)
    assert first.text != second.text


async def test_other_kinds_of_connections_pass_untouched():
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(dict(scope))

    await Traced(app)({"type": "lifespan"}, None, None)
    assert seen == [{"type": "lifespan"}]
