"""One request at a time: cuts, pipelines, floods, slow senders, and what waits."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.edge.lane import JSON, Client, Lane, chunked, echo, echo_app, get, lane, post
from tollbridge.edge.limits import Limits
from tollbridge.relay.exchange import Exchange

FUZZ = settings(max_examples=40, suppress_health_check=list(HealthCheck))
HALVES = ("/v1/x", "/page")
QUICK = Limits(head_timeout_s=0.2, body_progress_s=0.2, keep_alive_s=0.2, linger_s=0.2)
HASTY = Limits(head_timeout_s=0.03, body_progress_s=0.03, keep_alive_s=0.03, linger_s=0.03)


@contextlib.contextmanager
def fuzzed(*args: Any, **kwargs: Any) -> Iterator[tuple[asyncio.Runner, Lane]]:
    """Run one server for all examples of a property."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        running = lane(*args, **kwargs)
        yield runner, runner.run(running.__aenter__())
        runner.run(running.__aexit__(None, None, None))


async def send_cut(client: Client, data: bytes, cuts: list[int]) -> None:
    """Send data in pieces that the server reads one by one."""
    at = 0
    for cut in sorted(cuts):
        client.send(data[at:cut])
        at = cut
        await asyncio.sleep(0.001)
    client.send(data[at:])


@pytest.mark.parametrize("path", HALVES)
@pytest.mark.parametrize("body", ["none", "sized", "chunks"])
async def test_every_cut_gives_the_same_answer(path: str, body: str):
    requests = {
        "none": get(path + "?q=1"),
        "sized": post(path, b"\r\n\r\nabc\r\n\r\n"),
        "chunks": chunked(path, b"a\r\n\r\n", b"\r\n0\r\n\r\n", trailers=b"X-T: 1\r\n"),
    }
    data = requests[body]
    async with lane() as running:
        whole = await running.ask(data)
        assert whole.status == 200
        client = await running.connect()
        client.writer.transport.get_extra_info("socket").setsockopt(6, 1, 1)
        for cut in range(1, len(data)):
            await send_cut(client, data, [cut])
            answer = await client.answer()
            assert answer.seen == whole.seen | {"client": "127.0.0.1"}, cut


@pytest.mark.parametrize("path", HALVES)
async def test_the_next_request_may_come_with_the_end_of_this_one(path: str):
    async with lane() as running:
        client = await running.connect()
        for first in (get(path), post(path, b"ab"), chunked(path, b"ab", trailers=b"X: 1\r\n")):
            for cut in range(len(first) - 6, len(first) + 3):
                await send_cut(client, first + get("/v1/next") + get("/next"), [cut])
                assert (await client.answer()).seen["path"] == path
                assert (await client.answer()).seen["path"] == "/v1/next"
                assert (await client.answer()).seen["path"] == "/next"


@pytest.mark.parametrize("path", HALVES)
async def test_byte_by_byte_and_then_another(path: str):
    data = chunked(path, b"ab", b"cd") + get(path)
    async with lane() as running:
        client = await running.connect()
        await send_cut(client, data, list(range(1, len(data))))
        assert (await client.answer()).seen["body"] == "abcd"
        assert (await client.answer()).seen["method"] == "GET"


async def test_trailers_are_dropped():
    heard: list[dict[bytes, bytes]] = []

    async def handle(exchange: Exchange) -> None:
        heard.append(dict(exchange.headers))
        exchange.reply(200, JSON, b"{}")

    async with lane(handle) as running:
        trailers = b"Authorization: evil\r\nHost: b\r\n"
        client = await running.connect()
        client.send(chunked("/v1/x", b"ab", trailers=trailers) + get("/v1/y"))
        assert (await client.answer()).status == 200
        assert (await client.answer()).status == 200
        assert heard == [{b"host": b"a", b"transfer-encoding": b"chunked"}, {b"host": b"a"}]


def _request(kind: str, half: str, index: int, body: bytes) -> bytes:
    path = f"{half}/{index}"
    if kind == "get":
        return get(path)
    return post(path, body) if kind == "post" else chunked(path, *([body] if body else []))


PIPELINES = st.lists(
    st.tuples(
        st.sampled_from(["get", "post", "chunked"]),
        st.sampled_from(["/v1/x", "/page"]),
        st.sampled_from([b"", b"x", b"\r\n\r\n", b"0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n" * 9]),
    ),
    min_size=1,
    max_size=8,
)


async def _pipeline(running: Lane, pipeline: list[tuple[str, str, bytes]], cuts: list[int]) -> None:
    raw = b"".join(_request(*each[:2], index, each[2]) for index, each in enumerate(pipeline))
    client = await running.connect()
    await send_cut(client, raw, [cut % len(raw) for cut in cuts])
    for index, (kind, half, body) in enumerate(pipeline):
        seen = (await client.answer()).seen
        assert seen["path"] == f"{half}/{index}"
        assert seen["half"] == ("relay" if half == "/v1/x" else "asgi")
        assert seen["body"] == ("" if kind == "get" else body.decode())
    client.cut()


def test_pipelines_are_answered_in_order_whatever_the_cuts():
    async def slow(exchange: Exchange) -> None:
        await asyncio.sleep(0)
        await echo(exchange)

    with fuzzed(slow) as (runner, running):

        @FUZZ
        @given(pipeline=PIPELINES, cuts=st.lists(st.integers(0, 2_000), max_size=6))
        def each(pipeline, cuts):
            runner.run(_pipeline(running, pipeline, cuts))

        each()


JUNK = st.one_of(
    st.binary(max_size=300),
    st.lists(
        st.sampled_from(
            (
                [b"GET /v1/x HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n", b"Host: a\r\n", b"\r\n"],
                [b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"abc", b"3\r\n"],
                [b"0\r\n\r\n", b"\x00", b": ", b"Expect: 100-continue\r\n", b"\n", b"\r"],
            )
        ).flatmap(st.sampled_from),
        max_size=14,
    ).map(b"".join),
)


async def _junk(running: Lane, junk: bytes, cut: int) -> None:
    client = await running.connect()
    await send_cut(client, junk, [min(cut, len(junk))])
    assert b"HTTP/1.1 5" not in await client.rest()
    client.cut()
    await running.until(lambda: not running.connections)
    assert not running.server.server_state.tasks


def test_junk_never_hangs_and_is_never_our_fault():
    with fuzzed(limits=HASTY) as (runner, running):

        @FUZZ
        @given(junk=JUNK, cut=st.integers(0, 300))
        def each(junk, cut):
            runner.run(_junk(running, junk, cut))

        each()


async def test_ten_thousand_requests_in_one_go():
    async with lane() as running:
        client = await running.connect()
        client.send(get("/v1/x") * 10_000)
        for _ in range(10_000):
            assert (await client.answer()).status == 200
        assert running.server.server_state.total_requests == 10_000


async def _flood(running: Lane, start: bytes, more: bytes) -> None:
    client = await running.connect()
    client.send(start)
    for _ in range(2_000):
        client.send(more)
        await asyncio.sleep(0)
        if client.reader._buffer:  # type: ignore[attr-defined]
            break
    answer = await client.answer()
    assert answer.status == 400 and answer.headers["connection"] == "close"
    assert await client.closed()


@pytest.mark.parametrize("path", HALVES)
async def test_floods_are_refused_while_they_arrive(path: str):
    start = f"GET {path} HTTP/1.1\r\nHost: a\r\n".encode()
    async with lane() as running:
        await _flood(running, start, b"X-Flood: 1\r\n" * 10)
        await _flood(running, start, b"X-Flood: " + b"1" * 4_000 + b"\r\n")
        await _flood(running, start + b"X-Endless: ", b"1" * 4_000)
        await _flood(running, b"GET " + path.encode(), b"1" * 4_000)
        await _flood(running, b"", b"\r\n" * 2_000)
        endless = f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        await _flood(running, endless + b"1;", b"e" * 4_000)
        await _flood(running, endless + b"1\r\na\r\n0\r\n", b"X-Trailer: 1\r\n" * 300)


async def test_a_head_may_have_its_limits_to_the_byte():
    limits = Limits(max_head_bytes=200, max_headers=3)
    async with lane(limits=limits) as running:
        fits = get("/v1/x", "A: 1", "B: " + "1" * 100)
        fits = fits.replace(b"/v1/x", b"/v1/x" + b"y" * (200 - len(fits)))
        assert len(fits) == 200
        client = await running.connect()
        client.send(fits * 2)
        assert (await client.answer()).status == 200
        assert (await client.answer()).status == 200
        client.send(fits.replace(b"/v1/x", b"/v1/xy"))
        assert (await client.answer()).status == 400
        many = await running.ask(get("/v1/x", "A: 1", "B: 1", "C: 1"))
        assert many.seen["error"]["message"] == "The request has more than 3 headers."


@pytest.mark.parametrize("path", HALVES)
@pytest.mark.parametrize("part", ["head", "body", "chunk"])
async def test_what_stops_arriving_is_refused(path: str, part: str):
    starts = {
        "head": get(path)[:-3],
        "body": post(path, b"abc")[:-1],
        "chunk": chunked(path, b"abc")[:-3],
    }
    async with lane(limits=QUICK) as running:
        client = await running.connect()
        client.send(starts[part])
        answer = await client.answer()
        assert answer.status == 400
        assert answer.seen["error"]["code"] == "request_timeout"
        assert await client.closed()


async def test_dripping_does_not_win_time_for_a_head():
    async with lane(limits=QUICK) as running:
        client = await running.connect()
        for byte in get("/v1/x" + "y" * 2_000):
            client.send(bytes((byte,)))
            await asyncio.sleep(0.01)
            if client.reader._buffer:  # type: ignore[attr-defined]
                break
        assert (await client.answer()).seen["error"]["code"] == "request_timeout"


async def test_silent_connections_close_without_a_word():
    async with lane(limits=QUICK) as running:
        silent = await running.connect()
        assert await silent.closed()
        idle = await running.connect()
        idle.send(get("/v1/x"))
        assert (await idle.answer()).status == 200
        assert await idle.closed()


async def test_a_slow_answer_is_not_an_idle_connection():
    async def handle(exchange: Exchange) -> None:
        await asyncio.sleep(1)
        await echo(exchange)

    async def app(scope, receive, send) -> None:
        await asyncio.sleep(1)
        await echo_app(scope, receive, send)

    async with lane(handle, app, limits=QUICK) as running:
        for path in HALVES:
            assert (await running.ask(post(path, b"ok"))).seen["body"] == "ok"


async def test_bytes_that_come_too_early_wait_and_are_bounded():
    release = asyncio.Event()

    async def handle(exchange: Exchange) -> None:
        await release.wait()
        await echo(exchange)

    async with lane(handle) as running:
        client = await running.connect()
        client.send(get("/v1/1"))
        await running.until(lambda: running.edge.load.in_flight)
        client.send(post("/v1/2", b"x" * 50_000_000))
        (connection,) = running.connections
        await running.until(lambda: connection._held)
        await asyncio.sleep(0.2)
        assert len(connection._held) < 1_048_576
        assert running.edge.load.in_flight == 1
        release.set()
        assert (await client.answer()).seen["path"] == "/v1/1"
        assert len((await client.answer()).seen["body"]) == 50_000_000


async def test_an_application_that_polls_for_a_disconnect_cannot_pile_up_bytes():
    async def polling(scope, receive, send) -> None:
        await receive()
        for _ in range(10_000):
            try:
                async with asyncio.timeout(0.001):
                    await receive()
                    return
            except TimeoutError:
                pass

    async with lane(app=polling) as running:
        client = await running.connect()
        client.send(get("/page") + b"x" * 20_000_000)
        await running.until(lambda: running.connections)
        (connection,) = running.connections
        largest = 0
        while running.connections:
            largest = max(largest, len(connection._held))
            await asyncio.sleep(0)
        assert 0 < largest <= 1_048_576


async def test_many_requests_leave_nothing_on_the_connection():
    async with lane() as running:
        client = await running.connect()

        async def rounds(count: int) -> dict[str, int]:
            for _ in range(count):
                for path in HALVES:
                    client.send(chunked(path, b"ab", trailers=b"X: 1\r\n"))
                    assert (await client.answer()).status == 200
            (connection,) = running.connections
            state = vars(connection).items()
            return {k: len(v) for k, v in state if isinstance(v, (bytes, list, dict, set))}

        before = await rounds(5)
        assert await rounds(200) == before
        assert running.edge.load.in_flight == 0
        assert not running.server.server_state.tasks
