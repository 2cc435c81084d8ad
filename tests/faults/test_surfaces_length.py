"""Where the money bounds an answer: streams that run out of it, and limits that are written into calls.

Streams that are sliced end by length, and the vendor's own client takes that for an ending; all other
calls bear an output limit in the field of the protocol that the vendor is asked in.
"""

import json

import anthropic
import openai
import pytest

from tests.faults.bazaar import EVERYWHERE, KEYS, POOR, asked, case
from tests.faults.stage import price, wait

ENVIRON = {"FIRST_BYTE_TIMEOUT_S": "8", "IDLE_TIMEOUT_S": "1.5", "FINISH_SILENCE_S": "0.8"}
pytestmark = pytest.mark.asyncio(loop_scope="session")
QUESTION = [{"role": "user", "content": "hello"}]
# The field of each protocol that bounds the output, by the way to it.
LIMITS = {
    "chat": ("max_tokens",),
    "responses": ("max_output_tokens",),
    "messages": ("max_tokens",),
    "gemini": ("generationConfig", "maxOutputTokens"),
}
# Streams that begin with a slice of their hold bear no limit.
SLICED = {("chat", "openai"), ("messages", "anthropic")}


def written(wire, call):
    """Return the output limit in a body that the vendor received."""
    value = json.loads(call.body)
    if wire == "chat" and "max_completion_tokens" in value:
        return value["max_completion_tokens"]
    for name in LIMITS[wire]:
        value = value[name]
    return value


@EVERYWHERE
async def test_the_written_limit_bounds_what_is_not_sliced(bazaar, surface, platform):
    bazaar.at(surface, platform)
    bazaar.script("first", tokens=6, prompt_tokens=50)
    fields = {"max_tokens": 30_000} if surface == "messages" else {}
    for stream in (True, False):
        with case(stream):
            bazaar.begin()
            path, body = asked(surface, bazaar.model, stream=stream, **fields)
            answer = await bazaar.send(path, body, POOR[platform])
            bazaar.told(answer, stream=stream)
            row = await bazaar.entry(answer.tid)
            assert (row["charge"], row["end_state"]) == (price(50, 6), "complete")
            [call] = list(bazaar.fake.books.calls)[bazaar.first_call :]
            if stream and (surface, platform) in SLICED:
                assert "x-tollbridge-max-output" not in answer.headers
                continue
            limit = int(answer.headers["x-tollbridge-max-output"])
            assert written(bazaar.wire, call) == limit
            # It is what the hold pays for, and no less than the floor.
            assert limit >= 4_096 and price(0, limit) <= row["held"]


async def test_a_limit_of_the_clients_own_that_is_paid_for_stays(bazaar):
    fields = {
        "chat": {"max_completion_tokens": 500},
        "responses": {"max_output_tokens": 500},
        "messages": {"max_tokens": 500},
        "gemini": {"generationConfig": {"maxOutputTokens": 500}},
    }
    for surface, limit in fields.items():
        for platform in POOR:
            with case(surface, platform):
                bazaar.at(surface, platform)
                bazaar.begin()
                bazaar.script("first", tokens=6, prompt_tokens=50)
                path, body = asked(surface, bazaar.model, stream=False, **limit)
                answer = await bazaar.send(path, body, POOR[platform])
                assert answer.status == 200, answer.body
                assert "x-tollbridge-max-output" not in answer.headers
                [call] = list(bazaar.fake.books.calls)[bazaar.first_call :]
                assert written(bazaar.wire, call) == 500
                await bazaar.entry(answer.tid)


def drain(bazaar, pad_bytes=0):
    """Let the vendor give an answer that no poor wallet pays for.

    Padded, it is more than all socket buffers take: the vendor notices that nobody reads on.
    """
    bazaar.script("first", tokens=20_000, events=4_000, prompt_tokens=50, pad_bytes=pad_bytes)


async def limited(bazaar, tid):
    """Check what a stream costs that the money ended; return its row."""
    row = await bazaar.entry(tid)
    assert (row["end_state"], row["loss"]) == ("limited", 0)
    assert set(row["flags"].split(",")) == {"estimated", "balance_short"}
    assert row["charge"] == price(row["input"], row["output"], row["cache_read"]) <= row["held"]
    assert row["output"] > 1_000
    return row


async def test_a_chat_ends_for_length_when_the_money_does(bazaar):
    bazaar.at("chat", "openai")
    drain(bazaar, 4_096)
    url = f"{bazaar.stage.gateway.url}/v1"
    async with openai.AsyncOpenAI(
        api_key=POOR["openai"], base_url=url, max_retries=0, _strict_response_validation=True
    ) as sdk:
        stream = await sdk.chat.completions.create(
            model=bazaar.model, messages=QUESTION, stream=True,
            stream_options={"include_usage": True},
        )  # fmt: skip
        chunks = [chunk async for chunk in stream]
    reasons = [one.finish_reason for chunk in chunks for one in chunk.choices]
    assert reasons[-1] == "length" and set(reasons[:-1]) == {None}
    await wait(bazaar.booked)
    row = await limited(bazaar, bazaar.booked()[0]["tid"])
    text = "".join(one.delta.content or "" for chunk in chunks for one in chunk.choices)
    assert row["output"] == -(-len(text.encode()) // 4)
    usage = chunks[-1].usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (row["input"], row["output"])
    await bazaar.tried(("first", "aborted"))


async def test_a_message_ends_for_length_when_the_money_does(bazaar):
    bazaar.at("messages", "anthropic")
    drain(bazaar, 4_096)
    async with anthropic.AsyncAnthropic(
        api_key=POOR["anthropic"], base_url=bazaar.stage.gateway.url, max_retries=0,
        _strict_response_validation=True,
    ) as sdk, sdk.messages.stream(
        model=bazaar.model, messages=QUESTION, max_tokens=30_000
    ) as stream:  # fmt: skip
        message = await stream.get_final_message()
    assert (message.stop_reason, message.model) == ("max_tokens", bazaar.model)
    await wait(bazaar.booked)
    row = await limited(bazaar, bazaar.booked()[0]["tid"])
    # Anthropic tells the input when the message begins.
    assert row["input"] == message.usage.input_tokens == 50
    [block] = message.content
    assert row["output"] == -(-len(block.text.encode()) // 4) == message.usage.output_tokens
    await bazaar.tried(("first", "aborted"))


async def test_a_rich_wallet_takes_the_same_answers_whole(bazaar):
    for surface, platform in sorted(SLICED):
        with case(surface):
            bazaar.at(surface, platform)
            drain(bazaar)
            fields = {"max_tokens": 30_000} if surface == "messages" else {}
            path, body = asked(surface, bazaar.model, stream=True, **fields)
            answer = await bazaar.send(path, body, KEYS[platform])
            told = bazaar.told(answer)
            assert (told.finish, told.usage) == ("stop", (50, 20_000, 0))
            row = await bazaar.entry(answer.tid)
            await bazaar.billed(row, end_state="complete", charge=price(50, 20_000))
