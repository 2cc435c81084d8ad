"""The end table on every surface and every platform: clients that leave, before content and mid-stream."""

import pytest

from tests.faults.bazaar import BEFORE_TEXT, EVERYWHERE
from tests.faults.stage import price, wait

ENVIRON = {"FIRST_BYTE_TIMEOUT_S": "8", "IDLE_TIMEOUT_S": "1.5", "FINISH_SILENCE_S": "0.8"}
pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    EVERYWHERE,
]
GONE = "client_disconnected"
SIX = {"tokens": 6, "prompt_tokens": 50, "cached_tokens": 20}


def pause(bazaar):
    """How long the vendor waits, in ms: one that stops must hear of the client before it goes on."""
    return 1_200 if bazaar.stops else 500


async def received(bazaar):
    """Wait until the vendor has the call and the books have its hold."""
    await wait(lambda: len(bazaar.fake.books.calls) > bazaar.first_call)
    await wait(lambda: bazaar.rows("SELECT 1 FROM hold"))


async def drained(bazaar):
    """Check that the call was paid for as if its client had stayed."""
    await bazaar.billed(
        await bazaar.entry(), end_state="complete", status=499, flags=[GONE], output=6,
        charge=price(30, 6, 20),
    )  # fmt: skip
    await bazaar.tried(("first", "done"))


async def test_left_before_content(bazaar, surface, platform):
    bazaar.at(surface, platform)
    bazaar.script("first", **SIX, delay_ms=pause(bazaar))
    wire = await bazaar.dial()
    await received(bazaar)
    wire.leave()
    if not bazaar.stops:
        await drained(bazaar)
        return
    row = await bazaar.entry()
    assert 5 < row["input"] < 90
    await bazaar.billed(
        row, end_state="client_gone", status=499, flags=[GONE, "estimated"], output=0,
        charge=price(row["input"]),
    )  # fmt: skip
    await bazaar.tried(("first", "aborted"))


async def test_left_in_the_middle(bazaar, surface, platform):
    bazaar.at(surface, platform)
    after = BEFORE_TEXT[bazaar.wire] + 3
    bazaar.script("first", **SIX, pause_after=after, pause_ms=pause(bazaar))
    wire = await bazaar.dial()
    await wire.until(b" am")
    wire.leave()
    if not bazaar.stops:
        await drained(bazaar)
        return
    row = await bazaar.entry()
    assert row["tid"] == wire.tid
    # Three words were streamed, and Anthropic tells the input when it begins.
    known = bazaar.wire == "messages"
    assert (row["input"], row["cache_read"]) == (30, 20) if known else row["input"] > 5
    await bazaar.billed(
        row, end_state="client_gone", status=499, flags=[GONE, "estimated"], output=3,
        charge=price(row["input"], 3, row["cache_read"]),
    )  # fmt: skip
    await bazaar.tried(("first", "aborted"))


async def test_left_a_whole_answer_that_is_drained(bazaar, surface, platform):
    bazaar.at(surface, platform)
    bazaar.script("first", **SIX, delay_ms=700)
    wire = await bazaar.dial(stream=False)
    await received(bazaar)
    wire.leave()
    await drained(bazaar)
