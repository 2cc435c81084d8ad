"""Proof of one attempt at a stream, event by event: what passes, what waits, how it ended.

What holds in any order of events is in test_stream_orders.py, what clients do in test_stream_clients.py.
"""

import asyncio
import socket
import time
from collections.abc import Callable

import pytest
import uvloop

from tests.relay.upstreamed import (
    ANSWER,
    COMMENT,
    DONE,
    FAULT,
    FINISH,
    JSON,
    OPENING,
    USAGE,
    Scene,
    frame,
    said,
)
from tollbridge.protocols.usage import Usage
from tollbridge.relay.stream import End
from tollbridge.storage.ledger_items import Update
from tollbridge.upstreams.failures import Reason, UpstreamFailure

PATIENCE_S = 30
CUT = UpstreamFailure(Reason.CLOSED_EARLY, sent=True, head_seen=True)


async def soon(future):
    await asyncio.wait_for(asyncio.shield(future), PATIENCE_S)


async def test_nothing_passes_before_content_nor_before_gate_one():
    async with Scene() as scene:
        scene.begin(COMMENT, OPENING)
        assert not scene.pump.begun.done()
        scene.feed(said("one"))
        assert scene.pump.begun.done()
        scene.feed(said("two"))
        assert scene.client.events == []
        scene.pump.release()
        assert scene.client.sent == COMMENT + OPENING + said("one") + said("two")
        scene.feed(said("three"))
        assert scene.client.events == ["start", "write"]
        assert not scene.pump.ended.done()


async def test_everything_from_the_finish_on_is_held_back():
    async with Scene() as scene:
        scene.begin(said("one"))
        scene.pump.release()
        scene.feed(FINISH)
        assert not scene.pump.ended.done()
        scene.feed(USAGE)
        assert not scene.pump.ended.done()
        scene.feed(DONE)
        assert scene.pump.ended.done()
        assert scene.client.sent == said("one")
        assert scene.pump.last_frames() == FINISH + USAGE + DONE
        assert (scene.pump.end_state, scene.pump.complete) == (End.DONE, True)
        assert scene.pump.tap.usage.output == 7


async def test_a_whole_answer_in_one_piece_begins_and_ends_at_once():
    async with Scene() as scene:
        scene.begin(ANSWER)
        assert scene.pump.begun.done()
        assert scene.pump.ended.done()
        scene.pump.release()
        assert scene.whole == ANSWER


async def test_the_connection_may_end_by_itself_after_done_and_is_closed_if_it_does_not():
    async with Scene(finish_silence_s=0.0) as scene:
        scene.begin(ANSWER)
        scene.pump.end()
        await asyncio.sleep(0.02)
        assert not scene.handle.aborted
    async with Scene(finish_silence_s=0.0) as scene:
        scene.begin(ANSWER)
        await asyncio.sleep(0.02)
        assert scene.handle.aborted
        assert scene.pump.complete


async def test_an_upstream_that_falls_silent_after_the_finish_is_ended_for_it():
    async with Scene(finish_silence_s=0.01) as scene:
        scene.begin(said("one"), FINISH)
        scene.pump.release()
        await soon(scene.pump.ended)
        assert (scene.pump.end_state, scene.pump.complete) == (End.SILENT, True)
        assert scene.handle.aborted
        assert scene.whole == said("one") + FINISH + DONE


async def test_the_silence_is_counted_anew_from_each_sign_of_life():
    async with Scene(finish_silence_s=0.8) as scene:
        scene.begin(said("one"), FINISH)
        for _ in range(8):
            await asyncio.sleep(0.2)
            assert not scene.pump.ended.done()
            scene.feed(COMMENT)
        await soon(scene.pump.ended)
        assert scene.pump.end_state is End.SILENT


async def test_time_in_which_we_stood_still_is_no_silence_of_the_upstream():
    async with Scene(finish_silence_s=0.01) as scene:
        scene.begin(said("one"), FINISH)
        # As if the process had been stopped: the rest came, and nobody could read it.
        time.sleep(1.2)  # noqa: ASYNC251 - the loop itself is to stand still
        for _ in range(3):
            await asyncio.sleep(0)
        assert not scene.pump.ended.done()
        scene.feed(USAGE, DONE)
        assert scene.pump.end_state is End.DONE
        assert scene.pump.tap.usage.output == 7


class Reader(asyncio.Protocol):
    """Does with what arrives what it is told, inside the loop's turn of input."""

    def __init__(self, read: Callable[[bytes], None]) -> None:
        self._read = read

    def data_received(self, data: bytes) -> None:
        self._read(data)


async def usage_of_a_late_loop(late_s: float) -> Usage | None:
    """Return what is known of a stream whose usage came while the loop stood still."""
    loop = asyncio.get_running_loop()
    upstream, vendor = socket.socketpair()
    other, stopper = socket.socketpair()

    def stop(_data: bytes) -> None:
        # As if the process were stopped in its turn of input: this loop goes on with what is due.
        vendor.send(USAGE + DONE)
        time.sleep(0.05 + late_s)

    async with Scene(finish_silence_s=0.05) as scene:
        one, _ = await loop.create_connection(lambda: Reader(scene.feed), sock=upstream)
        two, _ = await loop.create_connection(lambda: Reader(stop), sock=other)
        scene.begin(said("one"), FINISH)
        stopper.send(b"!")
        await soon(scene.pump.ended)
        for end in (one, two, vendor, stopper):
            end.close()
        await asyncio.sleep(0)
        return scene.pump.tap.usage


@pytest.mark.parametrize("late_s", [0.1, 0.5, 1.5])
def test_what_lies_unread_when_the_silence_is_over_is_read_first(late_s):
    usage = uvloop.run(usage_of_a_late_loop(late_s))
    assert usage is not None
    assert usage.output == 7


@pytest.mark.parametrize(
    ("pieces", "complete"),
    [
        ((said("one"),), False),
        ((OPENING,), False),
        ((), False),
        ((said("one"), FINISH), True),
        ((said("one"), FINISH, USAGE), True),
        ((said("one"), FINISH.rstrip()), True),
    ],
)
async def test_a_proper_end_without_a_finish_is_a_cut(pieces, complete):
    async with Scene() as scene:
        scene.begin(*pieces)
        scene.pump.end()
        assert scene.pump.begun.done()
        assert scene.pump.ended.done()
        assert (scene.pump.end_state, scene.pump.complete) == (End.DONE, complete)


async def test_a_connection_that_fails_is_no_end_even_after_the_finish():
    async with Scene() as scene:
        scene.begin(said("one"), FINISH)
        scene.pump.fail(CUT)
        assert (scene.pump.end_state, scene.pump.complete) == (End.FAILED, False)
        assert scene.pump.failure is CUT


async def test_a_connection_that_fails_after_done_changes_nothing():
    async with Scene() as scene:
        scene.begin(ANSWER)
        scene.pump.fail(CUT)
        assert (scene.pump.end_state, scene.pump.failure) == (End.DONE, None)
        assert scene.pump.complete


@pytest.mark.parametrize("before", [(), (OPENING,), (OPENING, said("one"))])
async def test_an_error_inside_the_stream_ends_it_and_closes_the_connection(before):
    async with Scene() as scene:
        scene.begin(*before, FAULT)
        assert scene.pump.ended.done()
        assert (scene.pump.end_state, scene.pump.complete) == (End.FAILED, False)
        assert scene.handle.aborted
        assert scene.pump.tap.error.message == "The server had an error"
        assert FAULT not in scene.client.sent


@pytest.mark.parametrize(
    ("status", "headers"),
    [(400, JSON), (200, JSON), (500, []), (429, [(b"content-type", b"text/event-stream")])],
)
async def test_what_is_no_event_stream_is_gathered_whole(status, headers):
    async with Scene() as scene:
        scene.pump.head(status, headers)
        scene.feed(b'{"error":', b'"no"}')
        assert not scene.pump.begun.done()
        scene.pump.end()
        assert scene.pump.begun.done()
        assert (scene.pump.status, scene.pump.body) == (status, b'{"error":"no"}')
        assert scene.pump.headers == headers
        assert not scene.pump.complete
        assert scene.client.events == []


async def test_what_is_no_event_stream_may_not_be_endless():
    async with Scene() as scene:
        scene.pump.head(500, JSON)
        for _ in range(17):
            scene.feed(b"x" * 65_536)
        assert scene.pump.failure.reason is Reason.REPLY_TOO_LARGE
        assert scene.handle.aborted
        assert scene.pump.ended.done()


async def test_an_event_streams_name_may_be_written_in_any_case():
    async with Scene() as scene:
        scene.pump.head(200, [(b"content-type", b"Text/Event-Stream")])
        assert scene.pump.body is None


async def test_a_start_that_does_not_come_to_content_is_bounded():
    async with Scene() as scene:
        scene.begin()
        padded = frame({"role": "assistant"}, pad="x" * 60_000)
        for _ in range(4):
            scene.feed(padded)
        assert not scene.pump.begun.done()
        scene.feed(padded)
        assert scene.pump.begun.done()
        assert scene.handle.paused
        scene.pump.release()
        assert not scene.handle.paused
        assert scene.client.sent == padded * 5


async def test_a_start_of_very_many_parts_is_bounded_too():
    async with Scene() as scene:
        scene.begin(*[COMMENT] * 64)
        assert not scene.pump.begun.done()
        scene.feed(COMMENT)
        assert scene.pump.begun.done()


async def test_the_first_checkpoint_comes_with_the_first_content_and_then_by_cost():
    async with Scene(step_nano=200) as scene:
        scene.begin(said("abcd"))
        assert scene.writer.only(Update) == []
        scene.pump.release()
        assert len(scene.writer.only(Update)) == 1
        scene.feed(said("x" * 79))
        assert len(scene.writer.only(Update)) == 1
        scene.feed(said("x"))
        assert len(scene.writer.only(Update)) == 2


async def test_time_brings_a_checkpoint_as_well_until_the_end():
    async with Scene() as scene:
        scene.begin(said("abcd"))
        scene.pump.release()
        scene.feed(said("x" * 40))
        scene.outlet.tick()
        assert len(scene.writer.only(Update)) == 2
        scene.feed(said("x" * 40), FINISH, DONE)
        scene.outlet.tick()
        assert len(scene.writer.only(Update)) == 2


async def test_stopping_twice_or_after_the_end_is_harmless():
    async with Scene() as scene:
        scene.begin(ANSWER)
        scene.pump.stop()
        scene.pump.stop()
        assert scene.pump.end_state is End.DONE
        scene.feed(said("late"))
        scene.pump.end()
        scene.pump.client_gone()
        scene.pump.release()
        assert scene.whole == ANSWER
