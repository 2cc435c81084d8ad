"""Proof of a stream that travels as one JSON array, and of errors that join a running stream."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import admitted, visitor_of
from tests.storage.books import run
from tollbridge.core.errors import ApiError, Kind
from tollbridge.relay.outlet import Outlet

LONG = 1000.0
PATH = "/v1beta/models/gpt-test:streamGenerateContent"
BODY = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
BODIES = {
    PATH: BODY,
    "/v1/responses": {"model": "gpt-test", "input": "hello", "stream": True},
    "/v1/chat/completions": {"model": "gpt-test", "messages": [{}], "stream": True},
    "/v1/messages": {"model": "gpt-test", "messages": [{}], "max_tokens": 9, "stream": True},
}


class Named:
    """What an outlet asks of a tap."""

    stream_id = "its-own-id"
    sequence = 42


class Open:
    """An outlet with its client."""

    def __init__(self, beat_s=LONG, query=b"", path=PATH):
        self.call = admitted(BODIES[path], path=path, query=query)
        self.client = visitor_of(self.call)
        self.outlet = Outlet(self.call, asyncio.get_running_loop(), beat_s)
        self.outlet.tap = Named()


def frame(number):
    return b'data: {"n":%d}\r\n\r\n' % number


async def test_frames_become_the_elements_of_one_array():
    it = Open()
    it.outlet.send(frame(1))
    it.outlet.send(frame(2) + frame(3))
    it.outlet.end(frame(4))
    assert it.client.header(b"content-type") == b"application/json"
    assert it.client.header(b"cache-control") == b"no-cache, no-transform"
    assert it.client.header(b"x-request-id").decode() == it.call.tid
    assert it.client.json() == [{"n": n} for n in (1, 2, 3, 4)]
    assert it.client.events == ["start", "write", "finish"]


async def test_an_answer_that_is_all_tail_is_an_array_too():
    it = Open()
    it.outlet.end(frame(1))
    assert it.client.json() == [{"n": 1}]


async def test_with_alt_sse_frames_pass_as_they_are():
    it = Open(query=b"alt=sse")
    it.outlet.send(frame(1))
    it.outlet.end(frame(2))
    assert it.client.sent == frame(1) + frame(2)
    assert it.client.header(b"content-type") == b"text/event-stream; charset=utf-8"


async def test_an_error_is_the_last_element():
    it = Open()
    it.outlet.send(frame(1))
    it.outlet.fail(ApiError(Kind.STREAM_BROKEN))
    first, last = it.client.json()
    assert first == {"n": 1}
    assert (last["error"]["status"], last["error"]["details"]) == (
        "UNAVAILABLE", [{"tid": it.call.tid}]
    )  # fmt: skip


@pytest.mark.parametrize("started", [False, True])
async def test_each_heartbeat_reaches_the_client_and_leaves_the_array_whole(started):
    it = Open(beat_s=0.005)
    if started:
        it.outlet.send(frame(1))
    size = len(it.client.sent)
    for _ in range(3):
        async with asyncio.timeout(30):
            while len(it.client.sent) == size:
                await asyncio.sleep(0.001)
        assert it.client.sent.endswith(b"\n")
        size = len(it.client.sent)
    it.outlet.send(frame(2))
    it.outlet.end(b"")
    assert it.client.json() == [{"n": 1}] * started + [{"n": 2}]
    assert b"" not in it.client.written


async def test_googles_client_gets_no_comment_for_a_heartbeat():
    it = Open(beat_s=0.005, query=b"alt=sse")
    async with asyncio.timeout(30):
        while not it.client.sent:
            await asyncio.sleep(0.001)
    it.outlet.close()
    assert it.client.sent.strip(b"\r\n") == b""


pieces = st.lists(st.tuples(st.integers(0, 99), st.booleans()), max_size=12)


@given(pieces, st.booleans())
def test_whatever_comes_it_is_one_array(numbers, breaks):
    async def check():
        it = Open()
        for number, beats in numbers:
            it.outlet.send(frame(number))
            if beats:
                it.outlet._beat()
        if breaks and numbers:
            it.outlet.fail(ApiError(Kind.STREAM_BROKEN))
        else:
            it.outlet.end(b"")
        elements = it.client.json()
        assert [one["n"] for one in elements if "n" in one] == [number for number, _ in numbers]
        assert len(elements) == len(numbers) + bool(breaks and numbers)

    run(check())


@pytest.mark.parametrize("path", sorted(BODIES))
async def test_an_error_joins_the_stream_under_its_own_name_and_number(path):
    it = Open(path=path, query=b"alt=sse")
    it.outlet.send(b"data: {}\n\n")
    it.outlet.fail(ApiError(Kind.STREAM_BROKEN))
    last = msgspec.json.decode(it.client.sent.split(b"data: ")[-1])
    if path == "/v1/responses":
        assert (last["response"]["id"], last["sequence_number"]) == ("its-own-id", 42)
        assert b"event: response.failed\n" in it.client.sent
    elif path == "/v1/chat/completions":
        assert last["id"] == "its-own-id"
    elif path == "/v1/messages":
        assert (last["type"], last["error"]["type"]) == ("error", "api_error")
        assert b"event: error\n" in it.client.sent
    else:
        assert last["error"]["status"] == "UNAVAILABLE"
