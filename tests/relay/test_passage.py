"""Proof of the passage of a stream: bytes as they come, an end only if there was one."""

import asyncio

import pytest

from tests.relay.visitor import Visitor
from tollbridge.relay.passage import Passage
from tollbridge.upstreams.failures import Reason, UpstreamFailure

EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-secret", b"no")]
JSON = [(b"content-type", b"application/json")]
LINES = b"x-request-id: t1\r\n"
FAILURE = UpstreamFailure(Reason.CLOSED_EARLY, sent=True, head_seen=True)


class Handle:
    """A running upstream call that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")

    def abort(self) -> None:
        self.told.append("abort")

    def break_off(self, reason: Reason) -> None:
        self.told.append(reason.value)


async def opened():
    visitor, handle = Visitor(), Handle()
    passage = Passage(visitor, LINES)
    waiting = asyncio.get_running_loop().create_task(passage.over(handle))
    await asyncio.sleep(0)
    return visitor, handle, passage, waiting


async def test_events_pass_byte_for_byte():
    visitor, _, passage, waiting = await opened()
    passage.head(200, EVENTS)
    passage.data(b"data: 1\n")
    passage.data(b"\ndata: 2\n\n")
    passage.end()
    assert await waiting is None
    assert visitor.events == ["start", "write", "write", "finish"]
    assert visitor.sent == b"data: 1\n\ndata: 2\n\n"
    assert visitor.header(b"content-type") == b"text/event-stream; charset=utf-8"
    assert visitor.header(b"x-request-id") == b"t1"
    assert visitor.header(b"x-secret") is None


@pytest.mark.parametrize(("status", "headers"), [(200, JSON), (404, EVENTS), (200, [])])
async def test_what_is_no_stream_is_gathered(status, headers):
    visitor, _, passage, waiting = await opened()
    passage.head(status, headers)
    passage.data(b'{"a"')
    passage.data(b":1}")
    passage.end()
    reply = await waiting
    assert (reply.status, reply.headers, reply.body) == (status, headers, b'{"a":1}')
    assert not visitor.events


async def test_a_failure_before_the_head_is_told_and_after_it_cuts():
    visitor, _, passage, waiting = await opened()
    passage.fail(FAILURE)
    with pytest.raises(UpstreamFailure):
        await waiting
    assert not visitor.events
    visitor, _, passage, waiting = await opened()
    passage.head(200, EVENTS)
    passage.data(b"data: 1\n\n")
    passage.fail(FAILURE)
    assert await waiting is None
    assert visitor.events == ["start", "write", "abort"]


async def test_a_client_that_leaves_ends_the_upstream_and_a_slow_one_stops_it():
    visitor, handle, passage, waiting = await opened()
    passage.head(200, EVENTS)
    passage.client_slow()
    passage.client_ready()
    visitor.leave()
    assert await waiting is None
    assert handle.told[:3] == ["pause", "resume", "abort"]
    assert visitor.watcher is None


async def test_a_client_that_has_left_already_is_not_waited_for():
    visitor, handle = Visitor(), Handle()
    visitor.gone = True
    assert await Passage(visitor, LINES).over(handle) is None
    assert "abort" in handle.told


async def test_a_plain_answer_without_an_end_is_broken_off():
    _, handle, passage, waiting = await opened()
    passage.head(500, JSON)
    passage.data(b"x" * (1024 * 1024))
    assert not handle.told
    passage.data(b"x")
    assert handle.told == [Reason.REPLY_TOO_LARGE.value]
    passage.fail(FAILURE)
    with pytest.raises(UpstreamFailure):
        await waiting
