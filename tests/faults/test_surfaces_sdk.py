"""How each vendor's own client hears of a stream that broke: an error of its own, never a success."""

import asyncio

import anthropic
import openai
import pytest
from google.genai import errors

from tests.faults.bazaar import BEFORE_TEXT, PLATFORMS, spoken
from tests.services.sdk_received import anthropic_client, gemini_client, openai_client

ENVIRON = {"HEARTBEAT_S": "0.2"}
pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.parametrize("platform", PLATFORMS),
]
QUESTION = [{"role": "user", "content": "hello"}]
MODES = {"after content": {}, "after beats": {"delay_ms": 900, "status": 500}}
modes = pytest.mark.parametrize("mode", MODES)


def break_off(bazaar, surface, platform, mode):
    """Let the stream break after three words, or before the first one, when beats were sent."""
    bazaar.at(surface, platform)
    after = BEFORE_TEXT[spoken(surface, platform)] + 3
    bazaar.script(**(MODES[mode] or {"tokens": 9, "cut_after": after}))
    return bazaar.stage.gateway.url, bazaar.key


@modes
async def test_chat(bazaar, platform, mode):
    where = break_off(bazaar, "chat", platform, mode)

    def read():
        with openai_client(*where) as sdk:
            stream = sdk.chat.completions.create(model=bazaar.model, messages=QUESTION, stream=True)
            return [chunk.choices[0].delta.content for chunk in stream]

    with pytest.raises(openai.APIError) as raised:
        await asyncio.to_thread(read)
    assert raised.value.body["tid"]


@modes
async def test_responses(bazaar, platform, mode):
    where = break_off(bazaar, "responses", platform, mode)

    def read():
        with openai_client(*where) as sdk:
            stream = sdk.responses.create(model=bazaar.model, input="hello", stream=True)
            return list(stream)

    events = await asyncio.to_thread(read)
    assert [event.type for event in events].count("response.failed") == 1
    last = events[-1]
    assert (last.type, last.sequence_number) == ("response.failed", len(events) - 1)
    assert (last.response.status, last.response.error.code) == ("failed", "server_error")
    assert last.response.id and last.response.id == getattr(events[0], "response", last).id


@modes
async def test_messages(bazaar, platform, mode):
    where = break_off(bazaar, "messages", platform, mode)

    def read():
        with (
            anthropic_client(*where) as sdk,
            sdk.messages.stream(model=bazaar.model, messages=QUESTION, max_tokens=500) as stream,
        ):
            return stream.get_final_message()

    with pytest.raises(anthropic.APIStatusError) as raised:
        await asyncio.to_thread(read)
    assert raised.value.body["error"]["type"] == "api_error"


@modes
async def test_gemini(bazaar, platform, mode):
    where = break_off(bazaar, "gemini", platform, mode)

    def read():
        with gemini_client(*where) as sdk:
            stream = sdk.models.generate_content_stream(model=bazaar.model, contents="hello")
            return [chunk.text for chunk in stream]

    with pytest.raises(errors.APIError) as raised:
        await asyncio.to_thread(read)
    assert (raised.value.code, raised.value.status) == (502, "UNAVAILABLE")
