"""Proof of what a streaming client receives: the head once, heartbeats, one end, nothing after."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import admitted, chat, visitor_of
from tests.storage.books import run
from tollbridge.core.errors import ApiError, Kind
from tollbridge.relay.outlet import Outlet
from tollbridge.relay.replies import SSE_HEADERS, tracing
from tollbridge.relay.talk import KEEPALIVE

LONG = 1000.0
FRAME = b'data: {"a":1}\n\n'


class Open:
    """An outlet with its client."""

    def __init__(self, beat_s=LONG):
        self.call = admitted(chat(stream=True))
        self.client = visitor_of(self.call)
        self.outlet = Outlet(self.call, asyncio.get_running_loop(), beat_s)


async def test_the_first_frames_take_the_head_with_them():
    it = Open()
    assert not it.outlet.started
    it.call.output_limit = 9
    it.outlet.send(FRAME)
    it.outlet.send(FRAME)
    assert it.outlet.started
    assert it.client.events == ["start", "write"]
    assert (it.client.status, it.client.sent) == (200, FRAME * 2)
    assert it.client.sent_headers == SSE_HEADERS + tracing(it.call)
    it.outlet.close()


async def test_the_last_frames_end_the_answer():
    it = Open()
    it.outlet.send(FRAME)
    it.outlet.end(b"data: [DONE]\n\n")
    assert it.client.events == ["start", "finish"]
    assert it.client.sent == FRAME + b"data: [DONE]\n\n"


async def test_an_answer_that_is_all_tail_has_a_head_as_well():
    it = Open()
    it.outlet.end(FRAME)
    assert it.outlet.started
    assert it.client.events == ["start", "finish"]
    assert it.client.sent == FRAME


async def test_a_broken_stream_ends_in_its_own_grammar_and_without_a_done():
    it = Open()
    it.outlet.send(FRAME)
    it.outlet.fail(ApiError(Kind.STREAM_BROKEN))
    assert it.client.events == ["start", "finish"]
    last = msgspec.json.decode(it.client.frames()[-1])
    assert last["error"]["code"] == "stream_broken"
    assert it.call.tid in it.client.sent.decode()
    assert b"[DONE]" not in it.client.sent


steps = st.lists(st.sampled_from(["send", "end", "fail", "close", "leave"]), max_size=8)


@given(steps)
def test_in_any_order_there_is_one_head_one_end_and_nothing_after(order):
    async def check():
        it = Open()
        sent = b""
        for step in order:
            over = {"finish"} & set(it.client.events) or it.client.gone
            before = it.client.sent
            if step == "leave":
                it.client.leave()
                continue
            if step == "fail" and not it.outlet.started:
                continue  # the pipeline answers such an error as a whole
            getattr(it.outlet, step)(*{"send": (FRAME,), "end": (b"E",),
                                       "fail": (ApiError(Kind.INTERNAL),)}.get(step, ()))  # fmt: skip
            if over:
                assert it.client.sent == before
            sent = it.client.sent
        it.outlet.close()
        it.outlet.send(b"late")
        it.outlet.end(b"late")
        assert it.client.sent == sent
        assert it.client.events.count("start") <= 1
        assert it.client.events.count("finish") <= 1

    run(check())


async def test_a_silent_answer_is_kept_alive_with_its_head_sent():
    it = Open(beat_s=0.005)
    async with asyncio.timeout(30):
        while it.client.sent.count(KEEPALIVE) < 2:
            await asyncio.sleep(0.001)
    it.outlet.close()
    assert it.outlet.started
    assert it.client.events[0] == "start"
    assert it.client.sent.replace(KEEPALIVE, b"") == b""


@pytest.mark.parametrize("how", ["end", "close", "fail"])
async def test_no_heartbeat_follows_the_end(how):
    it = Open(beat_s=0.005)
    it.outlet.send(FRAME)
    if how == "end":
        it.outlet.end(b"")
    elif how == "fail":
        it.outlet.fail(ApiError(Kind.INTERNAL))
    else:
        it.outlet.close()
    sent = it.client.sent
    await asyncio.sleep(0.03)
    assert it.client.sent == sent


async def test_the_tick_goes_on_also_while_frames_flow():
    it = Open(beat_s=0.02)
    ticks = []
    it.outlet.tick = lambda: ticks.append(1)
    async with asyncio.timeout(30):
        while len(ticks) < 3:
            it.outlet.send(FRAME)
            await asyncio.sleep(0.001)
    it.outlet.close()
    ticks_then = len(ticks)
    await asyncio.sleep(0.05)
    assert len(ticks) == ticks_then


async def test_a_client_that_left_gets_nothing_and_the_tick_still_comes():
    it = Open(beat_s=0.005)
    ticked = asyncio.Event()
    it.outlet.tick = ticked.set
    it.client.leave()
    it.outlet.send(FRAME)
    await asyncio.wait_for(ticked.wait(), 30)
    it.outlet.end(FRAME)
    assert it.client.events == []


async def test_ticks_come_at_their_own_pace_without_a_heartbeat():
    it = Open()
    it.outlet.close()
    ticks = []
    outlet = Outlet(it.call, asyncio.get_running_loop(), LONG, 0.01)
    outlet.tick = lambda: ticks.append(1)
    while len(ticks) < 3:
        await asyncio.sleep(0.01)
    assert it.client.events == []
    outlet.close()
