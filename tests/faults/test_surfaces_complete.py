"""The end table on every surface and every platform: answers that are complete, told to the last count."""

import pytest

from tests.faults.bazaar import EVERYWHERE, PLATFORMS, SURFACES, case, spoken
from tests.faults.stage import price

ENVIRON = {"FIRST_BYTE_TIMEOUT_S": "8", "IDLE_TIMEOUT_S": "1.5", "FINISH_SILENCE_S": "0.8"}
pytestmark = pytest.mark.asyncio(loop_scope="session")
SIX = {"tokens": 6, "prompt_tokens": 50, "cached_tokens": 20}


def estimate(told):
    """Return the output tokens that a text is estimated at: four bytes are one."""
    return -(-len(told.text.encode()) // 4)


@EVERYWHERE
async def test_complete_with_usage_is_exact(bazaar, surface, platform):
    bazaar.at(surface, platform)
    for ending, finish in ((None, "stop"), ("length", "length")):
        for stream in (True, False):
            with case(ending, stream):
                bazaar.begin()
                bazaar.script("first", **SIX, stop=ending)
                told = bazaar.told(await bazaar.call(stream=stream), stream=stream)
                assert told.text.startswith("Hello! I am ") and len(told.text.split()) == 6
                assert (told.finish, told.usage) == (finish, (50, 6, 20))
                assert told.model == bazaar.model
                await bazaar.billed(
                    await bazaar.entry(told.tid), end_state="complete", input=30, cache_read=20,
                    output=6, charge=price(30, 6, 20),
                )  # fmt: skip
                await bazaar.tried(("first", "done"))


@EVERYWHERE
async def test_complete_without_usage_is_estimated(bazaar, surface, platform):
    bazaar.at(surface, platform)
    for stream in (True, False):
        with case(stream):
            bazaar.script("first", **SIX, usage="none")
            told = bazaar.told(await bazaar.call(stream=stream), stream=stream)
            assert told.finish == "stop"
            row = await bazaar.entry(told.tid)
            if bazaar.wire == "messages" and stream:
                # Anthropic tells the input as soon as a stream begins.
                assert (row["input"], row["cache_read"]) == (30, 20)
            else:
                assert 5 < row["input"] < 90 and not row["cache_read"]
            await bazaar.billed(
                row, end_state="complete", flags=["estimated"], output=estimate(told),
                charge=price(row["input"], estimate(told), row["cache_read"]),
            )  # fmt: skip


@pytest.mark.parametrize(
    ("surface", "platform"),
    [
        (surface, platform)
        for surface in SURFACES
        for platform in PLATFORMS
        # Of the others, the finish is the last event.
        if spoken(surface, platform) in {"chat", "messages"}
    ],
)
async def test_an_end_without_its_last_event_is_made_a_proper_one(bazaar, surface, platform):
    bazaar.at(surface, platform)
    # Anthropic tells the usage with the finish; of chat it is what does not come any more.
    silence = {"no_done": True} if bazaar.wire == "messages" else {"silent_after_finish_ms": 60_000}
    bazaar.script("first", **SIX, **silence)
    told = bazaar.told(await bazaar.call())
    assert told.finish == "stop"
    row = await bazaar.entry(told.tid)
    flags = ["estimated"] if bazaar.wire == "chat" else []
    output = estimate(told) if flags else 6
    await bazaar.billed(
        row, end_state="complete", flags=flags, output=output,
        charge=price(row["input"], output, row["cache_read"]),
    )  # fmt: skip
