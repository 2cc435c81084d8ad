"""The twin of edge/known_head.py: a head that comes again, alone and on a real connection."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.edge.lane import Lane, get, lane, post
from tests.edge.test_serial import FUZZ, fuzzed, send_cut
from tollbridge.edge.known_head import KnownHead, around_length
from tollbridge.edge.limits import Limits
from tollbridge.relay.exchange import Exchange, HeadFacts

HEAD = b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nX-B: c\r\n\r\n"


def known(head: bytes = HEAD, length: bytes = b"12") -> KnownHead:
    around = around_length(head, length)
    assert around is not None
    request = ("POST", b"/v1/x", "/v1/x", b"")
    return KnownHead(around, request, {b"content-length": length}, HeadFacts())


def test_only_the_length_may_differ():
    head = known()
    assert head.begins(HEAD + b"twelve bytes") == (12, len(HEAD))
    assert head.headers == {b"content-length": b"12"}
    other = HEAD.replace(b"12", b"345")
    assert head.begins(other) == (345, len(other))
    assert head.headers == {b"content-length": b"345"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEAD[:-1],
        HEAD[:50],
        HEAD.replace(b"c\r\n\r\n", b"d\r\n\r\n"),
        HEAD.replace(b"POST", b"PUT"),
        HEAD.replace(b"Content-L", b"content-l"),
        HEAD.replace(b"12", b""),
        HEAD.replace(b"12", b"012"),
        HEAD.replace(b"12", b"0"),
        HEAD.replace(b"12", b"-1"),
        HEAD.replace(b"12", b"1_2"),
        HEAD.replace(b"12", b"\xb2"),
        HEAD.replace(b"12", b"1 2"),
        HEAD.replace(b"12", b"1234567890"),
        HEAD.replace(b"12\r\n", b"12\r\nContent-Length: 12\r\n"),
        HEAD.replace(b"12\r\n", b"12\r\nTransfer-Encoding: chunked\r\n"),
    ],
)
def test_everything_else_is_another_head(data: bytes):
    assert known().begins(data) is None


@pytest.mark.parametrize(
    ("head", "length"),
    [
        (HEAD, b"13"),
        (HEAD.replace(b"12", b"012"), b"012"),
        (HEAD.replace(b"Content-Length: 12\r\n", b""), b"12"),
        (HEAD.replace(b"Content-Length", b"CONTENT-LENGTH"), b"12"),
    ],
)
def test_a_length_that_is_not_written_as_usual_is_not_learnt(head: bytes, length: bytes):
    assert around_length(head, length) is None


async def test_the_facts_of_a_head_live_as_long_as_it_does_not_change():
    seen: list[HeadFacts] = []

    async def note(exchange: Exchange) -> None:
        seen.append(exchange.facts)
        exchange.reply(200, b"", exchange.headers[b"content-length"])

    async with lane(note) as running:
        client = await running.connect()
        for body, line in ((b"ab", "X: 1"), (b"abcdefghijkl", "X: 1"), (b"ab", "X: 2")):
            client.send(post("/v1/x", body, line))
            assert (await client.answer()).body == str(len(body)).encode()
        assert seen[0] is seen[1]
        assert seen[2] is not seen[0]


async def test_a_body_of_a_known_head_is_refused_and_timed_out_like_any_other():
    limits = Limits(max_body_bytes=100, body_progress_s=0.05)
    async with lane(limits=limits) as running:
        client = await running.connect()
        client.send(post("/v1/x", b"ab"))
        assert (await client.answer()).status == 200
        client.send(post("/v1/x", b"a" * 101))
        assert (await client.answer()).status == 413
        client = await running.connect()
        client.send(post("/v1/x", b"ab"))
        assert (await client.answer()).status == 200
        client.send(post("/v1/x", b"abcd")[:-2])
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")


async def test_draining_is_noticed_although_the_head_is_known():
    draining = False
    async with lane(draining=lambda: draining) as running:
        client = await running.connect()
        client.send(post("/v1/x", b"ab"))
        assert (await client.answer()).status == 200
        draining = True
        client.send(post("/v1/x", b"ab"))
        assert (await client.answer()).status == 503


async def test_the_last_request_of_a_connection_says_so_although_its_head_is_known():
    answer_now = asyncio.Event()

    async def wait(exchange: Exchange) -> None:
        await answer_now.wait()
        exchange.reply(200, b"", b"")

    async with lane(wait) as running:
        client = await running.connect()
        answer_now.set()
        client.send(post("/v1/x", b"ab"))
        assert "connection" not in (await client.answer()).headers
        answer_now.clear()
        client.send(post("/v1/x", b"ab"))
        await running.until(lambda: running.edge.load.in_flight)
        running.server.should_exit = True
        await running.until(lambda: not running.server.servers[0].is_serving())
        answer_now.set()
        assert (await client.answer()).headers["connection"] == "close"


WISHES = st.lists(
    st.tuples(
        st.sampled_from(["post", "post", "post", "get", "page"]),
        st.sampled_from(["X-A: 1", "X-A: 1", "X-A: 2", "Accept: text/event-stream"]),
        st.binary(max_size=30),
        st.lists(st.integers(0, 150), max_size=3),
    ),
    min_size=2,
    max_size=8,
)


def _raw(kind: str, line: str, body: bytes) -> bytes:
    if kind == "get":
        return get("/v1/x", line)
    return post("/v1/x?q=1" if kind == "post" else "/page", body, line)


async def _talk(running: Lane, wishes: list[tuple[str, str, bytes, list[int]]]) -> None:
    client = await running.connect()
    for kind, line, body, cuts in wishes:
        raw = _raw(kind, line, body)
        await send_cut(client, raw, [cut % len(raw) for cut in cuts])
        answer = await client.answer()
        assert answer.status == 200
        if kind == "page":
            assert answer.seen["half"] == "asgi"
            continue
        assert answer.body == b"|".join(
            (
                b"get" if kind == "get" else b"q=1",
                line.partition(": ")[2].encode(),
                b"-" if kind == "get" else str(len(body)).encode(),
                b"" if kind == "get" else body,
            )
        )
    client.cut()


def test_many_heads_on_one_connection_are_never_taken_for_each_other():
    async def tell(exchange: Exchange) -> None:
        headers = exchange.headers
        shown = (
            exchange.query if exchange.method == "POST" else b"get",
            headers.get(b"x-a") or headers[b"accept"],
            headers.get(b"content-length", b"-"),
            exchange.body,
        )
        exchange.reply(200, b"", b"|".join(shown))

    with fuzzed(tell) as (runner, running):

        @FUZZ
        @given(wishes=WISHES)
        def each(wishes):
            runner.run(_talk(running, wishes))

        each()
