"""Proof of a stream whose hold grows: what passes, what waits for money, and how it ends without."""

import asyncio
import json

import pytest

from tests.relay.paper import REFUSED
from tests.relay.sliced import SlicedScene
from tests.relay.upstreamed import COMMENT, DONE, FINISH, OPENING, frame, said
from tollbridge.protocols.usage import Usage
from tollbridge.relay.stream import End
from tollbridge.storage.ledger_items import Update

PATIENCE_S = 30
LIMIT = 200
SOME = 1_500


async def over(scene):
    await asyncio.wait_for(scene.pump.over(), PATIENCE_S)


def usage(scene, output):
    sent = scene.call.input_bound
    figures = {"prompt_tokens": sent, "completion_tokens": output, "total_tokens": sent + output}
    return b"data: " + json.dumps({"id": "c", "choices": [], "usage": figures}).encode() + b"\n\n"


async def started(scene, *, slow=True):
    scene.feed(OPENING, said("a"))
    scene.pump.release()
    scene.writer.slow = slow


async def test_text_passes_to_the_last_byte_that_is_paid_for_and_then_waits():
    async with SlicedScene() as scene:
        await started(scene)
        for _ in range(LIMIT + 50):
            scene.feed(said("x"))
        assert scene.shown == LIMIT
        assert scene.handle.turns == ["pause"]
        assert len(scene.writer.only(Update)) == 2
        scene.writer.write()
        await scene.answered()
        assert scene.shown == LIMIT + 51
        assert scene.handle.turns == ["pause", "resume"]
        assert scene.pump.text_bytes == LIMIT + 51


async def test_of_frames_that_come_together_those_that_are_paid_for_pass():
    async with SlicedScene() as scene:
        await started(scene)
        scene.feed(b"".join([said("x" * 60)] * 8))
        assert scene.shown == 1 + 180
        assert scene.pump.text_bytes == 181
        scene.writer.write()
        await scene.answered()
        assert scene.shown == 1 + 480


async def test_a_start_longer_than_the_slice_waits_as_well():
    async with SlicedScene() as scene:
        scene.feed(OPENING, *[said("x" * 30)] * 20)
        scene.writer.slow = True
        scene.pump.release()
        assert scene.shown == 180
        assert scene.handle.paused
        scene.writer.write()
        await scene.answered()
        assert scene.shown == 600
        assert not scene.handle.paused


async def test_below_half_of_the_slice_there_is_no_extension_and_nothing_pauses():
    async with SlicedScene() as scene:
        await started(scene, slow=False)
        scene.feed(*[said("x")] * 98, COMMENT)
        [first] = scene.writer.only(Update)
        assert first.amount == scene.call.amount
        assert scene.handle.turns == []


async def test_a_slow_client_is_still_slow_when_the_money_is_there():
    async with SlicedScene() as scene:
        await started(scene)
        scene.feed(said("x" * 300))
        scene.pump.client_slow()
        scene.writer.write()
        await scene.answered()
        assert scene.handle.turns == ["pause"]
        scene.pump.client_ready()
        assert scene.handle.turns == ["pause", "resume"]


async def test_a_ready_client_does_not_bring_what_is_not_paid_for():
    async with SlicedScene() as scene:
        await started(scene)
        scene.pump.client_slow()
        scene.feed(said("x" * 300))
        scene.pump.client_ready()
        assert scene.handle.turns == ["pause"]
        assert scene.shown == 1


async def test_without_money_the_stream_is_limited_and_what_waited_is_dropped():
    async with SlicedScene(money=SOME) as scene:
        await started(scene, slow=False)
        scene.feed(*[said("x" * 10)] * 30)
        await over(scene)
        assert (scene.pump.end_state, scene.pump.complete) == (End.LIMITED, False)
        assert scene.handle.aborted
        assert scene.shown == scene.pump.text_bytes == 191
        assert scene.pump.tap.unfinished == [0]
        result = await scene.settled()
        estimate = scene.call.input_estimate * 2 + 48 * 10
        assert (result.charge, result.loss) == (estimate, 0)
        [row] = scene.writer.rows
        assert (row["end_state"], row["flags"]) == ("limited", "estimated,balance_short")
        assert row["held"] == scene.call.amount >= result.charge
        assert scene.writer.purses[1].held == 0


@pytest.mark.parametrize("how", ["gone", "late"])
async def test_without_books_the_stream_is_broken(how):
    async with SlicedScene() as scene:
        await started(scene, slow=how == "late")
        if how == "gone":
            scene.writer.scripted[Update] = [REFUSED]
        scene.feed(said("x" * 300))
        scene.ledger.broken("the disk is gone") if how == "late" else None
        await over(scene)
        assert (scene.pump.end_state, scene.pump.complete) == (End.FAILED, False)
        assert scene.handle.aborted
        assert scene.shown == scene.pump.text_bytes == 1


async def test_a_hold_that_is_gone_ends_a_stream_that_does_not_wait_for_it():
    async with SlicedScene() as scene:
        await started(scene, slow=False)
        scene.writer.scripted[Update] = [REFUSED]
        scene.feed(said("x" * 120))
        await over(scene)
        assert scene.pump.end_state is End.FAILED
        assert scene.shown == 121


async def test_a_finished_answer_that_the_hold_pays_for_needs_no_more():
    async with SlicedScene(money=SOME) as scene:
        await started(scene)
        scene.feed(said("x" * 300), FINISH, usage(scene, 75), DONE)
        await over(scene)
        assert scene.pump.complete
        assert scene.shown == 301
        assert scene.pump.last_frames() == FINISH + DONE


async def test_a_whole_answer_before_gate_one_asks_for_nothing():
    async with SlicedScene(money=SOME) as scene:
        scene.feed(OPENING, said("x" * 300), FINISH, usage(scene, 75), DONE)
        scene.pump.release()
        await over(scene)
        assert (scene.shown, scene.writer.only(Update)) == (300, [])


async def test_a_finished_answer_that_costs_more_waits_and_is_limited():
    async with SlicedScene(money=SOME) as scene:
        await started(scene, slow=False)
        scene.feed(said("x" * 300), FINISH, usage(scene, 140), DONE)
        await over(scene)
        assert scene.pump.end_state is End.LIMITED
        assert scene.pump.tap.unfinished == [0]
        assert scene.shown == 1


async def test_a_finish_of_one_choice_that_was_dropped_is_given_again():
    async with SlicedScene(money=SOME, n=2) as scene:
        await started(scene, slow=False)
        other = frame({"content": "b"}).replace(b'"index":0', b'"index":1')
        scene.feed(other, said("x" * 300), FINISH)
        await over(scene)
        assert scene.pump.end_state is End.LIMITED
        assert scene.pump.tap.unfinished == [0, 1]
    async with SlicedScene(money=SOME, n=2) as scene:
        await started(scene, slow=False)
        scene.feed(FINISH, other, other.replace(b'"b"', b'"' + b"x" * 300 + b'"'))
        await over(scene)
        assert scene.pump.tap.unfinished == [1]


async def test_a_client_that_leaves_while_money_is_awaited_ends_it_at_once():
    async with SlicedScene() as scene:
        await started(scene)
        scene.feed(said("x" * 300))
        scene.client.leave()
        await over(scene)
        assert (scene.pump.end_state, scene.pump.gone) == (End.ABORTED, True)
        assert scene.handle.aborted
        scene.writer.write()
        await scene.answered()
        assert scene.pump.end_state is End.ABORTED


async def test_a_cut_while_money_is_awaited_shows_what_is_paid_for_first():
    async with SlicedScene() as scene:
        await started(scene)
        scene.feed(said("x" * 300))
        scene.pump.end()
        waiting = asyncio.ensure_future(scene.pump.over())
        await scene.answered()
        assert not waiting.done()
        scene.writer.write()
        await waiting
        assert (scene.shown, scene.pump.complete) == (301, False)


async def test_the_ending_bears_the_streams_own_name():
    async with SlicedScene(money=SOME) as scene:
        await started(scene, slow=False)
        scene.feed(said("x" * 300))
        await over(scene)
        tail = scene.pump.tap.length_ending(Usage(input=1))
        chunk = json.loads(tail.split(b"\n\n")[0].removeprefix(b"data: "))
        assert (chunk["id"], chunk["model"], chunk["created"]) == ("c", "gpt-test", 7)
        assert chunk["choices"][0]["finish_reason"] == "length"
        assert tail.endswith(DONE) and b'"usage"' not in tail
