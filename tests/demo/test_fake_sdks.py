"""The official SDKs talk to the pretend vendor as to the real ones: whole, streamed, strict."""

import time

import pytest

from tests.services.sdk_calls import CALLS
from tests.services.sdk_received import Fee
from tollbridge.demo.fake_samples import PNG_BASE64
from tollbridge.demo.fake_script import words_of
from tollbridge.demo.fake_speech import IMAGE_TOKENS, THOUGHT

MODELS = {
    "chat": "gpt-test",
    "responses": "gpt-test",
    "messages": "claude-test",
    "gemini": "gemini-3-test",
}
FINISH = {
    "chat": ("stop", "tool_calls"),
    "responses": ("completed", "completed"),
    "messages": ("end_turn", "tool_use"),
    "gemini": ("STOP", "STOP"),
}
SURFACES = sorted(CALLS)

pytestmark = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def until_done(call):
    """Wait for the vendor, which notes the end of a call after it has written it."""
    while call.state == "running":
        time.sleep(0.001)
    assert call.state == "done"


def ask(vendor, surface, what, *, stream):
    model = MODELS[surface]
    found = CALLS[surface][what](vendor.url, "secret", model, stream=stream)
    last = vendor.books.calls[-1]
    assert (found.model, last.ask.model, bool(last.ask.stream)) == (model, model, stream)
    until_done(last)
    assert (found.tokens_out, found.tokens_in > 0) == (last.tokens_out, True)
    return found


@pytest.mark.parametrize("surface", SURFACES)
def test_text(vendor, surface, stream):
    found = ask(vendor, surface, "text", stream=stream)
    assert MODELS[surface] in found.text
    assert found.finish == FINISH[surface][0]
    assert found.tokens_out == len(words_of(found.text))
    assert not stream or found.pieces >= found.tokens_out


@pytest.mark.parametrize("surface", SURFACES)
def test_tools(vendor, surface, stream):
    found = ask(vendor, surface, "tools", stream=stream)
    assert (found.calls, found.text) == ([("toll", {"city": "toll"})], "")
    assert found.finish == FINISH[surface][1]
    both = ask(vendor, surface, "both_tools", stream=stream)
    assert both.calls == [("toll", {"city": "toll"}), ("hours", {"city": "toll"})]


@pytest.mark.parametrize("surface", SURFACES)
def test_results_of_tools_are_answered(vendor, surface, stream):
    found = ask(vendor, surface, "tool_result", stream=stream)
    assert (found.calls, found.finish) == ([], FINISH[surface][0])
    assert MODELS[surface] in found.text


@pytest.mark.parametrize("surface", SURFACES)
def test_a_schema_is_kept(vendor, surface, stream):
    found = ask(vendor, surface, "parsed", stream=stream)
    assert found.parsed == Fee(city="toll", cents=1)


@pytest.mark.parametrize("surface", SURFACES)
def test_images_are_taken(vendor, surface, stream):
    assert ask(vendor, surface, "sees", stream=stream).text
    assert PNG_BASE64.encode()[:40] in vendor.books.calls[-1].body


@pytest.mark.parametrize("surface", SURFACES)
def test_thinking(vendor, surface, stream):
    found = ask(vendor, surface, "thinks", stream=stream)
    thought = "" if surface == "chat" else THOUGHT
    assert found.thoughts == thought
    assert found.tokens_out == len(words_of(found.text)) + len(words_of(thought))


@pytest.mark.parametrize("surface", ["gemini", "responses"])
def test_images_are_made(vendor, surface, stream):
    found = CALLS[surface]["draws"](vendor.url, "secret", MODELS[surface], stream=stream)
    assert found.images == [PNG_BASE64]
    image = IMAGE_TOKENS if surface == "gemini" else 0
    assert found.tokens_out == len(words_of(found.text)) + image
