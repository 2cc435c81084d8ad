"""The load generator counts right and says what failed."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.lanes import stream_body, unary_body
from bench.load import EventCounter, Job, Result, connect, drive
from bench.surfaces import CHAT
from tollbridge.demo.fake_upstream import FakeUpstream

_BODY = b'data: {"a":1}\n\ndata: {"b":"\\n"}\n\n: comment\n\ndata: [DONE]\n\n'


_CRLF = _BODY.replace(b"\n", b"\r\n")


@given(
    cuts=st.lists(st.integers(0, len(_BODY))),
    kind=st.sampled_from([(_BODY, b"\n\n"), (_CRLF, b"\r\n\r\n")]),
)
def test_events_are_counted_however_they_are_cut(
    cuts: list[int], kind: tuple[bytes, bytes]
) -> None:
    body, blank = kind
    counter = EventCounter(blank, b"data: [DONE]" + blank)
    edges = [0, *sorted(cuts), len(body)]
    for begin, end in itertools.pairwise(edges):
        counter.feed(body[begin:end])
    assert counter.events == 4
    assert counter.done


def test_a_stream_without_its_end_is_not_done() -> None:
    counter = EventCounter()
    counter.feed(_BODY[:-1])
    assert not counter.done


async def _load(request: bytes, *, count: int = 6, stream: bool = False) -> Result:
    vendor = FakeUpstream()
    url = await vendor.start()
    try:
        port = int(url.rpartition(":")[2])
        job = Job(port, request, concurrency=3, count=count, stream=stream, seconds_max=20)
        return await drive(*await connect(job))
    finally:
        await vendor.stop()


async def test_unary_calls_are_counted() -> None:
    result = await _load(CHAT.request(unary_body(1_400), "s"), count=7)
    assert (result.completed, result.errors, result.sample) == (7, 0, "")
    assert len(result.latencies) == 7
    assert min(result.latencies) > 0


async def test_streams_are_counted() -> None:
    body = stream_body().replace(b'"event_delay_ms":5', b'"event_delay_ms":0')
    result = await _load(CHAT.request(body, "s"), stream=True)
    assert (result.completed, result.errors, result.events) == (6, 0, 6 * 102)


@pytest.mark.parametrize(
    ("fake", "says"),
    [(b'"status":503', "503"), (b'"cut_body":5', "connection lost"), (b'"no_done":true', "")],
)
async def test_failures_are_counted(fake: bytes, says: str) -> None:
    stream = b"no_done" in fake
    body = b'{"model":"m","messages":[],"stream":%s,"fake":{%s}}'
    request = CHAT.request(body % (b"true" if stream else b"false", fake), "s")
    result = await _load(request, stream=stream)
    assert (result.completed, result.errors) == (0, 6)
    assert says in result.sample
    assert result.sample


async def test_a_job_without_an_answer_ends() -> None:
    vendor = FakeUpstream()
    url = await vendor.start()
    body = b'{"model":"m","messages":[],"fake":{"hang":true}}'
    request = CHAT.request(body, "s")
    job = Job(int(url.rpartition(":")[2]), request, concurrency=2, count=2, seconds_max=0.1)
    result = await drive(*await connect(job))
    await vendor.stop()
    assert (result.completed, result.errors, result.sample) == (0, 2, "not answered in time")
