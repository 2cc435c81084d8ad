"""The lanes send what they say they send."""

import json

import pytest

from bench.lanes import (
    PATH,
    STREAM_EVENTS,
    lanes,
    request_bytes,
    two_processes,
    unary_body,
)
from tollbridge.demo import fake_openai
from tollbridge.demo.fake_openai import Shape
from tollbridge.demo.fake_script import answer, read_ask, read_script


def test_bodies_have_their_size() -> None:
    sizes = {lane.name: len(lane.body) for lane in lanes()}
    assert sizes.pop("large") == 300_000
    assert set(sizes.values()) == {1_400}
    with pytest.raises(ValueError, match="too small"):
        unary_body(20)


def test_streams_have_as_many_events_as_they_are_divided_by() -> None:
    lane, other = (lane for lane in lanes() if lane.unit == "event")
    assert lane.body == other.body
    ask = read_ask(lane.body)
    script = read_script(ask)
    said = answer(ask, script)
    events = list(fake_openai.stream(Shape(True, ask.model, 1, 1, ask.include_usage, script, said)))
    assert len(events) == STREAM_EVENTS == lane.events
    assert all(event.pause_ms >= 1 for event in events[1:])
    assert lane.units(10) == 10 * STREAM_EVENTS


def test_requests_are_whole() -> None:
    body = unary_body(1_400)
    head, _, sent = request_bytes(body, "s3cret").partition(b"\r\n\r\n")
    assert head.startswith(f"POST {PATH} HTTP/1.1\r\n".encode())
    assert b"authorization: Bearer s3cret" in head
    assert b"content-length: 1400" in head
    assert sent == body
    assert json.loads(sent)["messages"]


def test_unary_lanes_count_requests() -> None:
    lane = lanes()[0]
    assert lane.units(10) == 10
    assert lane.requests(quick=True) < lane.requests(quick=False)


def test_lanes_on_postgresql_send_the_same() -> None:
    found = {lane.name: lane for lane in lanes()}
    on_postgresql = [lane for lane in lanes() if lane.engine == "postgresql"]
    assert [lane.target for lane in on_postgresql] == [4.5, None, 1.6]
    for lane in on_postgresql:
        twin = found[lane.name.removeprefix("postgresql-")]
        assert twin.engine == "sqlite"
        assert (lane.body, lane.concurrency, lane.count) == (
            twin.body,
            twin.concurrency,
            twin.count,
        )


def test_two_processes_are_asked_as_one_is() -> None:
    lane = two_processes()
    assert (lane.body, lane.concurrency) == (lanes()[0].body, lanes()[0].concurrency)
    assert (lane.engine, lane.target) == ("postgresql", 1.1)
