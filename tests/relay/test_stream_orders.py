"""Proof of what holds for one attempt at a stream in any order of events.

No byte is lost or doubled, each wait ends once, complete is told from cut, and reading is paused
exactly while the client is slow.
"""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.relay.upstreamed import COMMENT, DONE, FINISH, OPENING, USAGE, Scene, said
from tests.storage.books import run
from tollbridge.relay.stream import End
from tollbridge.upstreams.failures import Reason, UpstreamFailure

FAILURE = UpstreamFailure(Reason.IDLE_TIMEOUT, sent=True, head_seen=True)
STEPS = ["data"] * 8 + ["slow", "ready", "release", "gone", "stop", "fail", "end"]


@st.composite
def answers(draw):
    """Return the bytes of an answer that breaks off anywhere between frames, or nowhere."""
    words = draw(st.lists(st.sampled_from(["a", "Ünïcödé", "two words ", "\n\n"]), max_size=6))
    parts = [OPENING, *(said(word) for word in words), FINISH, USAGE, DONE]
    parts = parts[: draw(st.integers(0, len(parts)) | st.just(len(parts)))]
    for at in draw(st.lists(st.integers(0, len(parts)), max_size=2)):
        if DONE not in parts[:at]:
            parts.insert(at, COMMENT)
    body = b"".join(parts)
    return body.replace(b"\n", b"\r\n") if draw(st.booleans()) else body


@st.composite
def plays(draw):
    return (
        draw(answers()),
        draw(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(1, 200)), max_size=30)),
        draw(st.booleans()),
    )


class Play:
    """Plays events on a scene within the rules of their callers, and checks after each."""

    def __init__(self, scene, answer):
        self.scene = scene
        self.pump = scene.pump
        self.answer = answer
        self.at = 0
        self.silent = False
        self.slow = False
        self.released = False
        self.stopped = False
        self.failed = False

    def step(self, name, size):
        getattr(self, f"_{name}")(size)
        self.check()

    @property
    def fed(self):
        return self.answer[: self.at]

    def _data(self, size):
        if not (self.silent or self.scene.handle.aborted):
            piece = self.answer[self.at : self.at + size]
            self.at += len(piece)
            if piece:
                self.pump.data(piece)

    def _end(self, _size):
        if not (self.silent or self.scene.handle.aborted):
            self.silent = True
            self.pump.end()

    def _fail(self, _size):
        if not (self.silent or self.scene.handle.aborted):
            self.silent = self.failed = True
            self.pump.fail(FAILURE)

    def _slow(self, _size):
        if self.scene.client.sent and not (self.slow or self.pump.gone):
            self.slow = True
            self.pump.client_slow()

    def _ready(self, _size):
        if self.slow and not self.pump.gone:
            self.slow = False
            self.pump.client_ready()

    def _gone(self, _size):
        if not self.pump.gone:
            self.scene.client.leave()

    def _stop(self, _size):
        self.stopped = True
        self.pump.stop()

    def _release(self, _size):
        tap = self.pump.tap
        if not self.released and self.pump.begun.done() and (tap.content or tap.finished):
            self.released = True
            self.pump.release()

    def check(self):
        pump, client, handle = self.pump, self.scene.client, self.scene.handle
        assert pump.ended.done() == (pump.end_state is not None)
        assert pump.begun.done() >= pump.ended.done()
        assert self.fed.startswith(client.sent)
        assert self.released or not client.sent
        if not pump.ended.done():
            assert not handle.aborted
            near_end = pump.tap.finished
            wanted = self.slow and not pump.gone and not near_end
            assert handle.paused == wanted
        if pump.complete:
            assert pump.tap.finished or pump.tap.done
        turns = handle.turns
        assert turns == ["pause", "resume"] * (len(turns) // 2) + ["pause"] * (len(turns) % 2)

    def finish(self):
        """Let the rest happen as it would."""
        self.step("data", len(self.answer))
        self.step("end", 0)
        self.step("release", 0)
        self.step("ready", 0)


def has_ended(fed):
    """Say whether a finish or the end marker has arrived whole."""
    plain = fed.replace(b"\r\n", b"\n")
    return FINISH.strip() in plain or DONE.strip() in plain


def verdict(play):
    """Judge how the play ended."""
    fed, pump = play.fed, play.pump
    assert pump.ended.done()
    if not (play.stopped or play.failed or pump.gone):
        assert pump.end_state is End.DONE
        assert pump.complete == has_ended(fed)
        if pump.tap.content or pump.tap.finished:
            assert play.scene.whole == fed
    elif pump.complete:
        assert has_ended(fed)
        if not pump.gone and play.released:
            assert play.scene.whole == fed


async def perform(answer, steps, drains):
    async with Scene(drains=drains) as scene:
        scene.begin()
        play = Play(scene, answer)
        for name, size in steps:
            play.step(name, size)
        play.finish()
        verdict(play)
        # A future that is resolved twice raises; the loop's turn shows callbacks that do.
        await asyncio.sleep(0)


@given(plays())
@settings(max_examples=200)
def test_in_any_order_of_events(play):
    run(perform(*play))


@pytest.mark.long
@pytest.mark.timeout(900)
@given(plays())
@settings(max_examples=20_000)
def test_in_very_many_orders_of_events(play):
    run(perform(*play))
