"""The fork between the halves, early refusals, and the end of the server."""

import asyncio
import json
import logging
import socket

import pytest

from tests.edge.lane import JSON, chunked, echo, echo_app, get, lane, post
from tollbridge.edge.limits import Limits
from tollbridge.relay.exchange import Exchange

HALVES = ("/v1/x", "/page")


async def test_each_half_gets_its_own():
    async with lane() as running:
        client = await running.connect()
        for path, half in (("/v1/x", "relay"), ("/page", "asgi"), ("/v1/y", "relay")):
            client.send(post(path + "?a=b", b"body"))
            answer = await client.answer()
            assert answer.seen | {"client": ""} == {
                "half": half,
                "method": "POST",
                "path": path,
                "query": "a=b",
                "client": "",
                "body": "body",
            }
            assert "date" in answer.headers and "connection" not in answer.headers


async def test_the_relay_gets_paths_as_sent():
    async with lane() as running:
        assert (await running.ask(get("/v1/%2e%2e/%41"))).seen["path"] == "/v1/%2e%2e/%41"
        assert (await running.ask(get("/%41"))).seen["path"] == "/A"


@pytest.mark.parametrize("path", HALVES)
async def test_expect_is_answered_when_the_body_is_wanted(path: str):
    async with lane(limits=Limits(max_body_bytes=10)) as running:
        client = await running.connect()
        whole = post(path, b"body", "Expect: 100-Continue")
        client.send(whole[:-4])
        assert (await client.answer()).status == 100
        client.send(b"body")
        assert (await client.answer()).seen["body"] == "body"
        large = post(path, b"x" * 11, "Expect: 100-continue")
        assert (await running.ask(large[:-11])).status == 413


@pytest.mark.parametrize("path", HALVES)
async def test_a_large_body_is_refused_without_being_kept(path: str):
    async with lane(limits=Limits(max_body_bytes=1_000_000)) as running:
        client = await running.connect()
        client.send(post(path, b"")[:-2].replace(b"Length: 0", b"Length: 100000000") + b"\r\n")
        for _ in range(100):
            client.send(b"x" * 1_000_000)
        answer = await client.answer()
        assert answer.status == 413 and answer.headers["connection"] == "close"
        assert answer.seen["error"]["code"] == "request_too_large"
        client.cut()

        counted = await running.connect()
        counted.send(chunked(path, *[b"x" * 100_000] * 1_000))
        assert (await counted.answer()).status == 413
        for connection in running.connections:
            assert not connection._pieces and not connection._held


async def test_the_answer_to_a_large_body_survives_what_is_still_sent():
    async with lane(limits=Limits(max_body_bytes=10, linger_s=1_000)) as running:
        client = await running.connect()
        client.send(post("/v1/x", b"x" * 3_000_000))
        await client.writer.drain()
        assert (await client.answer()).status == 413
        assert await client.closed()


async def test_tiny_pieces_do_not_pile_up():
    async with lane() as running:
        body = b"ab" * 5_000
        client = await running.connect()
        raw = chunked("/v1/x", *[b"ab"] * 5_000)
        client.send(raw[:-5])
        await running.until(
            lambda: (
                running.connections and any(c._body_bytes == 10_000 for c in running.connections)
            )
        )
        (connection,) = running.connections
        assert len(connection._pieces) < 300
        client.send(raw[-5:])
        assert (await client.answer()).seen["body"] == body.decode()


async def test_draining_refuses_the_relay_half_alone():
    async with lane(draining=lambda: True) as running:
        refused = await running.ask(post("/v1/messages", b"{}"))
        assert refused.status == 503
        assert refused.seen["error"]["type"] == "overloaded_error"
        assert refused.headers["retry-after"] and refused.headers["connection"] == "close"
        assert (await running.ask(get("/healthz"))).status == 200


@pytest.mark.parametrize("path", HALVES)
async def test_old_clients_get_answers_that_end_with_the_connection(path: str):
    async with lane() as running:
        client = await running.connect()
        client.send(get(path, "Connection: keep-alive", version="1.0"))
        answer = await client.answer()
        assert answer.status == 200 and answer.headers["connection"] == "close"
        assert await client.closed()
        bare = await running.connect()
        bare.send(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        assert (await bare.answer()).status == 200


@pytest.mark.parametrize("path", HALVES)
async def test_connection_close_is_honoured(path: str):
    async with lane() as running:
        client = await running.connect()
        client.send(get(path, "Connection: close") + get("/v1/ignored"))
        answer = await client.answer()
        assert answer.headers["connection"] == "close"
        assert await client.closed()


async def test_a_failing_relay_is_a_500_without_details(caplog: pytest.LogCaptureFixture):
    async def handle(exchange: Exchange) -> None:
        if exchange.path == "/v1/silent":
            return
        if exchange.path == "/v1/begun":
            exchange.start(200, JSON, b"{")
        raise ValueError("a prompt")

    with caplog.at_level(logging.ERROR, "tollbridge.edge"):
        async with lane(handle) as running:
            for path in ("/v1/raises", "/v1/silent"):
                answer = await running.ask(get(path))
                assert answer.status == 500 and answer.seen["error"]["code"] == "server_error"
            begun = await running.ask(get("/v1/begun"))
            assert begun.status == 200 and not begun.whole
            assert running.edge.load.in_flight == 0 and running.edge.load.open_streams == 0
    assert "ValueError" in caplog.text and "a prompt" not in caplog.text


async def test_an_early_answer_of_the_application_does_not_lose_the_next_request():
    async def hasty(scope, receive, send) -> None:
        if scope["path"] != "/hasty":
            await echo_app(scope, receive, send)
            return
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"no"})

    async with lane(app=hasty) as running:
        client = await running.connect()
        raw = post("/hasty", b"x" * 300_000) + get("/page")
        client.send(raw[:1_000])
        assert (await client.answer()).body == b"no"
        client.send(raw[1_000:])
        assert (await client.answer()).seen["path"] == "/page"


async def test_shutdown_closes_the_idle_and_lets_the_busy_answer():
    release = asyncio.Event()

    async def handle(exchange: Exchange) -> None:
        await release.wait()
        await echo(exchange)

    async with lane(handle) as running:
        idle, busy, reading = [await running.connect() for _ in range(3)]
        idle.send(get("/page"))
        await idle.answer()
        busy.send(get("/v1/x"))
        reading.send(post("/v1/y", b"abc")[:-1])
        await running.until(lambda: running.edge.load.in_flight)
        await running.until(lambda: len(running.connections) == 3)
        running.server.should_exit = True
        assert await idle.closed()
        release.set()
        answer = await busy.answer()
        assert answer.status == 200 and answer.headers["connection"] == "close"
        assert await busy.closed()
        reading.send(b"c")
        assert (await reading.answer()).headers["connection"] == "close"


async def test_small_answers_are_not_delayed():
    async with lane() as running:
        client = await running.connect()
        client.send(get("/v1/x"))
        await client.answer()
        (connection,) = running.connections
        sock = connection.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_one_of_the_halves_does_not_see_the_headers_of_the_other():
    heard: list[bytes] = []

    async def app(scope, receive, send) -> None:
        heard.extend(name for name, _ in scope["headers"])
        await echo_app(scope, receive, send)

    async with lane(app=app) as running:
        client = await running.connect()
        client.send(get("/v1/x", "X-Secret: 1") + get("/page", "Cookie: a", "Cookie: b"))
        await client.answer()
        assert json.loads((await client.answer()).body)["half"] == "asgi"
        assert heard == [b"host", b"cookie", b"cookie"]
