"""Heartbeats on every surface from every platform: a vendor that is silent, and clients that wait.

Each vendor's own client reads the stream to its end and gets the same as without the silence; the
array of Gemini, which no client of Google's reads, is read by hand.
"""

import asyncio

import pytest

from tests.faults.bazaar import PLATFORMS, SURFACES, asked, case
from tests.faults.stage import price
from tests.services.sdk_calls import CALLS

ENVIRON = {"HEARTBEAT_S": "0.2"}
pytestmark = pytest.mark.asyncio(loop_scope="session")
# Before the first byte, and again in the middle of the text, whatever the protocol.
SLOW = {"delay_ms": 1_000, "pause_after": 5, "pause_ms": 1_000}
SIX = {"tokens": 6, "prompt_tokens": 50, "cached_tokens": 20}
BEATS = {
    "chat": b": keepalive\n\n",
    "responses": b": keepalive\n\n",
    "messages": b'event: ping\ndata: {"type": "ping"}\n\n',
    "gemini": b"\r\n",
    "array": b"\n",
}
FINISHES = {"chat": "stop", "responses": "completed", "messages": "end_turn", "gemini": "STOP"}


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_the_vendors_own_clients_wait_through_a_silence(bazaar, platform):
    bazaar.at("chat", platform)
    bazaar.script("first", **SIX, **SLOW)
    where = (bazaar.stage.gateway.url, bazaar.key, bazaar.model)
    calls = [asyncio.to_thread(CALLS[one]["text"], *where, stream=True) for one in CALLS]
    answers = await asyncio.gather(*calls)
    for surface, answer in zip(CALLS, answers, strict=True):
        with case(surface):
            assert answer.text.startswith("Hello! I am ") and len(answer.text.split()) == 6
            assert (answer.finish, answer.model) == (FINISHES[surface], bazaar.model)
            assert answer.tokens_out == 6
    rows = await bazaar.settled(len(CALLS))
    assert {(row["end_state"], row["flags"]) for row in rows} == {("complete", "")}
    assert {row["charge"] for row in rows} == {price(30, 6, 20)}


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_the_beat_is_the_surfaces_own_and_takes_nothing_away(bazaar, platform):
    bazaar.at("chat", platform)
    bazaar.script("first", **SIX, **SLOW)
    calls = [asked(surface, bazaar.model, stream=True) for surface in SURFACES]
    answers = await asyncio.gather(*[bazaar.send(*call) for call in calls])
    for surface, answer in zip(SURFACES, answers, strict=True):
        with case(surface):
            bazaar.at(surface, platform)
            told = bazaar.told(answer)
            assert (told.finish, told.usage) == ("stop", (50, 6, 20))
            start, beat = b"[" if surface == "array" else b"", BEATS[surface]
            # The silence before the first byte is four beats long.
            assert answer.body.startswith(start + beat * 2), answer.body[:200]
            after = answer.body.partition(b"Hello!")[2]
            again = {"gemini": b"\n\r\n\r\n", "array": b"}\n\n"}.get(surface, beat)
            assert again in after, after
            row = await bazaar.entry(answer.tid)
            await bazaar.billed(row, end_state="complete", charge=price(30, 6, 20))


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_failure_after_beats_is_told_in_band(bazaar, platform):
    bazaar.at("chat", platform)
    bazaar.script(status=500, delay_ms=900)
    calls = [asked(surface, bazaar.model, stream=True) for surface in SURFACES]
    answers = await asyncio.gather(*[bazaar.send(*call) for call in calls])
    for surface, answer in zip(SURFACES, answers, strict=True):
        with case(surface):
            bazaar.at(surface, platform)
            assert bazaar.told(answer).check_broken()["tid"] == answer.tid
            await bazaar.billed(
                await bazaar.entry(answer.tid), end_state="upstream_error", status=502, charge=0,
                error_kind="upstream_failed",
            )  # fmt: skip
