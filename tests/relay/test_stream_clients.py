"""Proof of what a client does to its stream: it leaves, is slow, is ready again."""

import asyncio

from tests.relay.upstreamed import (
    DONE,
    FINISH,
    USAGE,
    Scene,
    frame,
    said,
)
from tests.relay.visitor import Visitor
from tollbridge.relay.stream import End

PATIENCE_S = 30


async def soon(future):
    await asyncio.wait_for(asyncio.shield(future), PATIENCE_S)


async def test_a_client_that_leaves_stops_an_upstream_that_stops_its_bill():
    async with Scene(drains=False) as scene:
        scene.begin(said("one"))
        scene.pump.release()
        scene.client.leave()
        assert scene.handle.aborted
        assert (scene.pump.gone, scene.pump.end_state) == (True, End.ABORTED)
        assert not scene.pump.complete


async def test_a_client_that_leaves_before_the_first_byte_ends_both_waits():
    async with Scene(drains=False) as scene:
        scene.client.leave()
        assert scene.pump.begun.done()
        assert scene.pump.ended.done()


async def test_an_upstream_that_bills_on_is_drained_to_its_end():
    async with Scene(drains=True) as scene:
        scene.begin(said("one"))
        scene.pump.release()
        scene.client.leave()
        assert not scene.handle.aborted
        scene.feed(said("two"), FINISH, USAGE, DONE)
        assert scene.pump.complete
        assert scene.pump.tap.usage.output == 7
        assert scene.client.sent == said("one")


async def test_a_paused_upstream_is_read_on_when_its_client_left():
    async with Scene(drains=True) as scene:
        scene.begin(said("one"))
        scene.pump.release()
        scene.pump.client_slow()
        assert scene.handle.paused
        scene.client.leave()
        assert not scene.handle.paused
        scene.pump.client_slow()
        assert not scene.handle.paused


async def test_draining_has_its_cap():
    async with Scene(drains=True, drain_cap_s=0.01) as scene:
        scene.begin(said("one"))
        scene.client.leave()
        await soon(scene.pump.ended)
        assert scene.handle.aborted
        assert (scene.pump.end_state, scene.pump.complete) == (End.ABORTED, False)


async def test_a_client_that_leaves_after_the_finish_does_not_lose_us_the_usage():
    async with Scene(drains=False) as scene:
        scene.begin(said("one"), FINISH)
        scene.client.leave()
        assert not scene.handle.aborted
        scene.feed(USAGE, DONE)
        assert scene.pump.complete
        assert scene.pump.tap.usage.output == 7


async def test_a_slow_client_pauses_the_upstream_and_a_ready_one_resumes_it():
    async with Scene() as scene:
        scene.begin(said("one"))
        scene.pump.release()
        scene.pump.client_slow()
        scene.pump.client_slow()
        assert scene.handle.turns == ["pause"]
        scene.pump.client_ready()
        scene.pump.client_ready()
        assert scene.handle.turns == ["pause", "resume"]


async def test_a_finish_is_waited_for_with_an_upstream_that_is_read():
    # What follows the finish is held back here, so a slow client is no reason to leave the
    # usage unread and to bill by estimate.
    async with Scene() as scene:
        scene.begin(said("one"))
        scene.pump.release()
        scene.pump.client_slow()
        scene.feed(FINISH)
        assert not scene.handle.paused
        scene.pump.client_slow()
        assert not scene.handle.paused


class Choked(Visitor):
    """A client whose buffer is full after the first write, which it says at once."""

    def start(self, status, headers, first=b""):
        super().start(status, headers, first)
        self.watcher.client_slow()


async def test_a_client_that_chokes_on_the_start_stays_slow():
    async with Scene() as scene:
        scene.call.exchange = choked = Choked()
        choked.watcher = scene.pump
        scene.begin(*[frame({"role": "assistant"}, pad="x" * 60_000)] * 5)
        assert scene.handle.paused
        scene.pump.release()
        assert scene.handle.paused
        scene.pump.client_ready()
        assert not scene.handle.paused
