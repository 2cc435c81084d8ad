"""The lanes send what they say they send."""

import pytest

from bench.lanes import (
    STREAM_EVENTS,
    Lane,
    lanes,
    two_processes,
    unary_body,
)
from bench.load import Job, connect, drive
from bench.surfaces import CHAT
from tollbridge.demo import fake_openai
from tollbridge.demo.fake_openai import Shape
from tollbridge.demo.fake_script import answer, read_ask, read_script
from tollbridge.demo.fake_upstream import FakeUpstream


def test_bodies_have_their_size() -> None:
    sizes = {lane.name: len(lane.body) for lane in lanes()}
    assert sizes.pop("large") == 300_000
    assert set(sizes.values()) == {1_400}
    with pytest.raises(ValueError, match="too small"):
        unary_body(20)


def test_streams_have_as_many_events_as_they_are_divided_by() -> None:
    lane, other = (lane for lane in lanes() if lane.unit == "event" and lane.surface == CHAT)
    assert lane.body == other.body
    ask = read_ask(lane.body)
    script = read_script(ask)
    said = answer(ask, script)
    events = list(fake_openai.stream(Shape(True, ask.model, 1, 1, ask.include_usage, script, said)))
    assert len(events) == STREAM_EVENTS == lane.events
    assert all(event.pause_ms >= 1 for event in events[1:])
    assert lane.units(10) == 10 * STREAM_EVENTS


def _of_other_surfaces() -> list[Lane]:
    return [lane for lane in lanes() if lane.surface != CHAT]


@pytest.mark.parametrize("lane", _of_other_surfaces(), ids=lambda lane: lane.name)
async def test_streams_of_other_surfaces_have_as_many(lane: Lane) -> None:
    vendor = FakeUpstream()
    port = int((await vendor.start()).rpartition(":")[2])
    request = lane.surface.request(lane.body, "s")
    surface = lane.surface
    job = Job(port, request, 2, 2, stream=True, blank=surface.blank, end=surface.end)
    result = await drive(*await connect(job))
    await vendor.stop()
    assert (result.completed, result.errors, result.sample) == (2, 0, "")
    assert result.events == 2 * lane.events == 2 * STREAM_EVENTS


def test_streams_of_other_surfaces_are_only_told() -> None:
    found = _of_other_surfaces()
    assert [lane.platform for lane in found] == ["anthropic", "gemini"]
    assert {lane.target for lane in found} == {None}


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
