"""Opening a WebSocket to an upstream: what is sent, and every way in which there is none."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import serve

from tests.upstreams.certificates import Authority
from tests.upstreams.hostile import serving
from tests.upstreams.proxies import connect_proxy
from tollbridge.core.websocket import Message
from tollbridge.upstreams.dial import trust
from tollbridge.upstreams.failures import Reason, UpstreamFailure
from tollbridge.upstreams.target import Target
from tollbridge.upstreams.websocket import Refused, open_websocket


@asynccontextmanager
async def echoing(**options: Any) -> AsyncIterator[tuple[int, list[Any]]]:
    requests = []

    async def echo(connection):
        requests.append(connection.request)
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0, max_size=None, **options) as server:
        yield server.sockets[0].getsockname()[1], requests


@asynccontextmanager
async def answering(answer: bytes, *, close: bool = True) -> AsyncIterator[int]:
    """Serve connections that get these bytes whatever they ask."""

    ended = []

    async def serve_one(reader, writer):
        ended.append(over := asyncio.Event())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            if not close:
                await reader.read()
        with contextlib.suppress(ConnectionError):
            writer.close()
            await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for over in ended:
            await over.wait()


def opening(port: int, *, private: bool = True, answer_s: float = 10.0, prefix: str = "/p") -> Any:
    target = Target.parse(f"http://127.0.0.1:{port}{prefix}", None, private)
    headers = {"Authorization": "Bearer secret"}
    return open_websocket(target, "/v1/realtime?model=m%2F1", headers, trust(), 10.0, answer_s)


async def test_it_opens_and_talks():
    async with echoing() as (port, requests):
        socket = await opening(port)
        await socket.send(Message(b"hello"))
        assert await socket.receive() == Message(b"hello")
        socket.close(1000)
        await socket.gone()
    request = requests[0]
    assert request.path == "/p/v1/realtime?model=m%2F1"
    assert request.headers["Authorization"] == "Bearer secret"
    assert request.headers.get_all("Host") == [f"127.0.0.1:{port}"]
    assert "Sec-WebSocket-Extensions" not in request.headers


async def test_it_opens_through_tls_and_a_proxy(tmp_path):
    authority, asked = Authority(tmp_path), []
    async with (
        echoing(ssl=authority.server("127.0.0.1")) as (port, _),
        serving(connect_proxy(asked)) as proxy,
    ):
        target = Target.parse(
            f"https://127.0.0.1:{port}", f"http://127.0.0.1:{proxy.port}", allow_private=True
        )
        tls = trust(authority.ca_file)
        socket = await open_websocket(target, "/v1/realtime", {}, tls, 10.0, 10.0)
        large = Message(b"x" * 3_000_000, text=False)
        for message in (large, Message(b"hello")):
            await socket.send(message)
        assert [await socket.receive() for _ in range(2)] == [large, Message(b"hello")]
        socket.close(1000)
        await socket.gone()
        assert socket.closed == (1000, "") and asked == [f"127.0.0.1:{port}"]
        with pytest.raises(UpstreamFailure) as failure:
            await open_websocket(target, "/v1/realtime", {}, trust(), 10.0, 10.0)
        assert failure.value.reason is Reason.TLS_FAILED


async def test_another_status_is_a_refusal_with_its_body():
    async with echoing(process_request=lambda c, _: c.respond(429, "slow down")) as (port, _):
        with pytest.raises(Refused) as refused:
            await opening(port)
    assert (refused.value.status, refused.value.body) == (429, b"slow down")
    assert str(refused.value) == ""
    head = b"HTTP/1.1 503 No\r\nretry-after: 7\r\nretry-after: 8\r\n\r\nbody to the end"
    async with answering(head) as port:
        with pytest.raises(Refused) as refused:
            await opening(port)
    told = refused.value
    assert (told.status, told.retry_after, told.body) == (503, "7", b"body to the end")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", Reason.CLOSED_EARLY),
        (b"HTTP/1.1 101 Switching Protocols\r\n", Reason.CLOSED_EARLY),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", Reason.PROTOCOL_ERROR),
        (
            (
                b"HTTP/1.1 101 S\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
                b"sec-websocket-accept: wrong\r\n\r\n"
            ),
            Reason.PROTOCOL_ERROR,
        ),
    ],
)
async def test_what_is_no_proper_answer_is_a_failure(answer, reason):
    async with answering(answer) as port:
        with pytest.raises(UpstreamFailure) as failure:
            await opening(port)
    assert failure.value.reason is reason and failure.value.sent


async def test_rubbish_is_a_failure():
    async with answering(b"rubbish\r\n\r\n") as port:
        with pytest.raises(UpstreamFailure):
            await opening(port)


async def test_an_upstream_that_never_answers_is_given_up():
    async with answering(b"", close=False) as port:
        with pytest.raises(UpstreamFailure) as failure:
            await opening(port, answer_s=0.05)
    assert failure.value.reason is Reason.FIRST_BYTE_TIMEOUT


async def test_the_rules_of_dialling_hold():
    with pytest.raises(UpstreamFailure) as failure:
        await opening(9, private=False)
    assert failure.value.reason is Reason.REFUSED_ADDRESS
    target = Target.parse("https://127.0.0.1:9", "http://127.0.0.1:9", True)
    with pytest.raises(UpstreamFailure) as failure:
        await open_websocket(target, "/", {}, trust(), 10.0, 10.0)
    assert failure.value.reason is Reason.PROXY_FAILED


async def test_a_caller_that_is_cancelled_leaves_nothing_open():
    async with answering(b"", close=False) as port:
        task = asyncio.create_task(opening(port))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
