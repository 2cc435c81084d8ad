"""A session between two paper ends: what passes, what is counted, why and how it ends."""

import asyncio
import json
from dataclasses import replace

import pytest

from tests.relay.realtime_ends import PaperEnd, PaperTab
from tollbridge.core.websocket import Message
from tollbridge.relay.checkpoint import Answer
from tollbridge.relay.realtime import Cause, Session, SessionLimits

LIMITS = SessionLimits(3600, 90, 120, settling_s=20, silence_s=20)
USAGE = {"input_tokens": 5, "output_tokens": 2}


class Stage:
    def __init__(self, *answers: Answer, **limits: float) -> None:
        self.client, self.upstream, self.tab = PaperEnd(), PaperEnd(), PaperTab(*answers)
        self.session = Session(
            self.client, self.upstream, self.tab, replace(LIMITS, **limits), "tid"
        )
        self.running = asyncio.create_task(self.session.run())

    def begins(self, name: str = "r") -> None:
        self.upstream.says("response.created", response={"id": name})

    def ends(self, name: str = "r") -> None:
        self.upstream.says("response.done", response={"id": name, "usage": USAGE})

    def nothing_runs(self) -> None:
        self.upstream.says("error", error={"event_id": "end_tid"})

    async def over(self) -> Cause:
        return await asyncio.wait_for(self.running, 20)


async def test_messages_pass_both_ways_as_they_are():
    stage = Stage()
    odd = Message(b'{ "type":"x" ,"a":1.50}')
    stage.client._inbox.put_nowait(odd)
    stage.client._inbox.put_nowait(Message(b"\x00\xff", text=False))
    stage.upstream._inbox.put_nowait(odd)
    stage.upstream._inbox.put_nowait(Message(b'{"type": "response.done"}', text=False))
    await stage.upstream.until(2)
    await stage.client.until(2)
    assert stage.upstream.got == [odd, Message(b"\x00\xff", text=False)]
    assert stage.client.got[0] == odd and stage.tab.told == []
    stage.upstream.leave()
    assert await stage.over() is Cause.UPSTREAM


async def test_a_responses_end_is_shown_once_it_is_counted():
    stage = Stage()
    stage.begins()
    stage.ends()
    await stage.client.until(2)
    assert [used.id for used in stage.tab.told] == ["r"] and not stage.session.unfinished
    stage.upstream.leave()
    await stage.over()


async def test_a_client_that_leaves_has_its_response_stopped_and_counted():
    stage = Stage()
    stage.begins()
    await stage.client.until(1)
    stage.client.leave()
    await stage.upstream.until(2)
    first, fence = (json.loads(message.data) for message in stage.upstream.got)
    assert first["response_id"] == "r" and "response_id" not in fence
    assert first["type"] == fence["type"] == "response.cancel"
    stage.ends()
    assert await stage.over() is Cause.CLIENT
    assert len(stage.tab.told) == 1 and stage.client.kinds == ["response.created"]


async def test_what_was_asked_for_just_before_leaving_is_waited_for():
    stage = Stage()
    stage.client.says("response.create")
    stage.client.leave()
    await stage.upstream.until(2)
    stage.begins()
    stage.ends()
    assert await stage.over() is Cause.CLIENT
    assert len(stage.tab.told) == 1


async def test_an_upstream_with_nothing_to_stop_ends_the_wait():
    stage = Stage()
    stage.client.leave()
    await stage.upstream.until(1)
    stage.nothing_runs()
    assert await stage.over() is Cause.CLIENT


async def test_an_upstream_that_says_nothing_is_not_waited_for_for_ever():
    stage = Stage(silence_s=0.01)
    stage.client.leave()
    assert await stage.over() is Cause.CLIENT
    stage = Stage(settling_s=0.01)
    stage.begins()
    await stage.client.until(1)
    stage.client.leave()
    assert await stage.over() is Cause.CLIENT
    assert stage.session.unfinished


@pytest.mark.parametrize(
    ("answer", "cause", "shown"),
    [
        (Answer.SHORT, Cause.SHORT, True),
        (Answer.LATE, Cause.LOST, False),
        (Answer.GONE, Cause.LOST, False),
    ],
)
async def test_a_refusal_of_the_books_ends_it(answer, cause, shown):
    stage = Stage(answer)
    stage.ends()
    stage.upstream.says("later")
    await stage.upstream.until(1)
    stage.nothing_runs()
    assert await stage.over() is cause
    assert stage.client.kinds == (["response.done"] if shown else [])


async def test_what_other_responses_use_after_a_refusal_is_counted_and_not_shown():
    stage = Stage(Answer.SHORT)
    stage.begins("a")
    stage.begins("b")
    stage.ends("a")
    await stage.upstream.until(2)
    stage.ends("b")
    assert await stage.over() is Cause.SHORT
    assert [used.id for used in stage.tab.told] == ["a", "b"]
    assert stage.client.kinds.count("response.done") == 1


async def test_a_slow_client_does_not_keep_usage_from_being_counted():
    stage = Stage()
    stage.client.slow = True
    stage.begins()
    await asyncio.sleep(0.01)
    stage.ends()
    stage.client.leave()
    assert await stage.over() is Cause.CLIENT
    assert len(stage.tab.told) == 1


async def test_silence_ends_it_with_whom_it_is_of():
    stage = Stage(client_silence_s=0.05)
    stage.client.heard = 0.0
    await stage.upstream.until(1)
    stage.nothing_runs()
    assert await stage.over() is Cause.CLIENT
    stage = Stage(upstream_silence_s=0.05)
    stage.upstream.heard = 0.0
    await stage.upstream.until(1)
    stage.nothing_runs()
    assert await stage.over() is Cause.UPSTREAM
    assert stage.client.pings > 0 and stage.upstream.pings > 0


async def test_no_session_is_for_ever():
    stage = Stage(total_s=0.01)
    await stage.upstream.until(1)
    stage.nothing_runs()
    assert await stage.over() is Cause.CAPPED


async def test_draining_waits_for_the_response():
    stage = Stage()
    stage.begins()
    await stage.client.until(1)
    stage.session.drain()
    stage.ends()
    await stage.upstream.until(1)
    stage.nothing_runs()
    assert await stage.over() is Cause.DRAINED
    assert stage.client.kinds[-1] == "response.done"


async def test_draining_ends_an_idle_session_at_once():
    stage = Stage()
    stage.session.drain()
    await stage.upstream.until(1)
    stage.nothing_runs()
    assert await stage.over() is Cause.DRAINED


async def test_a_fault_of_ours_ends_it():
    stage = Stage()

    async def broken(told):
        raise RuntimeError("no")

    stage.tab.add = broken
    stage.ends()
    assert await stage.over() is Cause.FAULT


async def test_a_cancelled_session_leaves_nothing_running():
    stage = Stage()
    stage.begins()
    await stage.client.until(1)
    stage.running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stage.running
    assert len(asyncio.all_tasks()) == 1
