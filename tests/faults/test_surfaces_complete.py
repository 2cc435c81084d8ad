"""The end table on every surface and every platform: answers that are complete, told to the last count."""

import pytest

from tests.faults.bazaar import PLATFORMS, SURFACES
from tests.faults.stage import price

ENVIRON = {"FIRST_BYTE_TIMEOUT_S": "0.7", "IDLE_TIMEOUT_S": "1.5", "FINISH_SILENCE_S": "0.6"}
pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.parametrize("platform", PLATFORMS),
    pytest.mark.parametrize("surface", SURFACES),
]
SIX = {"tokens": 6, "prompt_tokens": 50, "cached_tokens": 20}


def estimate(told):
    """Return the output tokens that a text is estimated at: four bytes are one."""
    return -(-len(told.text.encode()) // 4)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "unary"])
async def test_complete_with_usage_is_exact(bazaar, surface, platform, stream):
    bazaar.at(surface, platform)
    bazaar.script("first", **SIX)
    answer = await bazaar.call(stream=stream)
    told = bazaar.told(answer, stream=stream)
    assert told.text.startswith("Hello! I am ") and len(told.text.split()) == 6
    assert (told.finish, told.usage, told.model) == ("stop", (50, 6, 20), bazaar.model)
    await bazaar.billed(
        end_state="complete", input=30, cache_read=20, output=6, charge=price(30, 6, 20)
    )
    await bazaar.tried(("first", "done"))


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "unary"])
async def test_complete_without_usage_is_estimated(bazaar, surface, platform, stream):
    bazaar.at(surface, platform)
    bazaar.script("first", **SIX, usage="none")
    told = bazaar.told(await bazaar.call(stream=stream), stream=stream)
    assert told.finish == "stop"
    [row] = await bazaar.settled()
    if bazaar.wire == "messages" and stream:
        # Anthropic tells the input as soon as a stream begins.
        assert (row["input"], row["cache_read"]) == (30, 20)
    else:
        assert 5 < row["input"] < 90 and not row["cache_read"]
    await bazaar.billed(
        end_state="complete", flags=["estimated"], output=estimate(told),
        charge=price(row["input"], estimate(told), row["cache_read"]),
    )  # fmt: skip


async def test_silence_after_the_finish_is_a_proper_end(bazaar, surface, platform):
    bazaar.at(surface, platform)
    if bazaar.wire in {"responses", "gemini"}:
        pytest.skip("the finish is the last event")
    # Anthropic tells the usage with the finish; of chat it is what does not come any more.
    silence = {"no_done": True} if bazaar.wire == "messages" else {"silent_after_finish_ms": 60_000}
    bazaar.script("first", **SIX, **silence)
    told = bazaar.told(await bazaar.call())
    assert told.finish == "stop"
    [row] = await bazaar.settled()
    flags = ["estimated"] if bazaar.wire == "chat" else []
    output = estimate(told) if flags else 6
    await bazaar.billed(
        end_state="complete", flags=flags, output=output,
        charge=price(row["input"], output, row["cache_read"]),
    )  # fmt: skip


async def test_an_end_for_length_is_complete(bazaar, surface, platform):
    bazaar.at(surface, platform)
    bazaar.script("first", **SIX, stop="length")
    told = bazaar.told(await bazaar.call())
    assert (told.finish, told.usage) == ("length", (50, 6, 20))
    await bazaar.billed(end_state="complete", output=6, charge=price(30, 6, 20))
