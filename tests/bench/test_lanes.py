"""The lanes send what they say they send."""

import json

import pytest

from bench.lanes import PATH, STREAM_EVENTS, lanes, request_bytes, unary_body
from tollbridge.demo import fake_openai
from tollbridge.demo.fake_openai import Shape
from tollbridge.demo.fake_script import answer, read_ask, read_script


def test_bodies_have_their_size() -> None:
    assert [len(lane.body) for lane in lanes()] == [1_400, 1_400, 1_400, 300_000]
    with pytest.raises(ValueError, match="too small"):
        unary_body(20)


def test_streams_have_as_many_events_as_they_are_divided_by() -> None:
    (lane,) = [lane for lane in lanes() if lane.unit == "event"]
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
