"""Chats with more than text: calls as the request wishes, thoughts, images, refusals."""

import json

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.demo.talking import bare, talk
from tollbridge.demo import fake_chat
from tollbridge.demo.fake_openai import DONE
from tollbridge.demo.fake_script import ScriptedCall, read_ask
from tollbridge.demo.fake_speech import IMAGE_TOKENS


def whole(choices=1, **script):
    found = json.loads(fake_chat.unary(talk(**script), choices))
    if "finish" not in script:
        ChatCompletion.model_validate(found)
    return found


def streamed(*, usage=True, **script):
    events = list(fake_chat.stream(talk(**script), 1, include_usage=usage))
    found = bare(events)
    # The SDK's types know neither streamed custom calls nor other finish reasons than the vendor's.
    if "finish" not in script and not any(call.custom for call in script.get("calls", ())):
        for chunk in found:
            ChatCompletionChunk.model_validate(chunk)
    return events, found


def read(**fields):
    asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return read_ask(json.dumps(asked).encode())


@pytest.mark.parametrize(
    "script",
    [
        {"thought": "One two.", "text": "a b"},
        {"calls": (ScriptedCall("a", {"b": 1}), ScriptedCall("c", "d", custom=True))},
        {"images": 2, "text": "a"},
        {"stop": "refusal"},
        {"finish": "eos", "reasoning": 3},
        {"stop": "filter"},
    ],
)
def test_a_stream_says_what_the_whole_says(script):
    message = whole(**script)["choices"][0]["message"]
    events, found = streamed(**script)
    deltas = [choice["delta"] for chunk in found for choice in chunk["choices"]]

    def said(member):
        return "".join(delta.get(member) or "" for delta in deltas)

    for member in ("content", "refusal", "reasoning_content"):
        assert said(member) == (message.get(member) or "")
    calls = [call for delta in deltas for call in delta.get("tool_calls", [])]
    for at, call in enumerate(message.get("tool_calls") or ()):
        kind = call["type"]
        field = "input" if kind == "custom" else "arguments"
        mine = [one for one in calls if one["index"] == at]
        assert "".join(one[kind][field] for one in mine) == call[kind][field]
        assert [one.get("id") for one in mine] == [call["id"]] + [None] * (len(mine) - 1)
    images = [image for delta in deltas for image in delta.get("images", [])]
    assert images == message.get("images", [])
    assert [delta.get("role") for delta in deltas].count("assistant") == 1
    assert found[-1]["usage"] == whole(**script)["usage"]
    assert (
        found[-2]["choices"][0]["finish_reason"] == whole(**script)["choices"][0]["finish_reason"]
    )
    assert sum(event.tokens for event in events) == found[-1]["usage"]["completion_tokens"]


@pytest.mark.parametrize(
    ("script", "finish"),
    [
        ({"calls": (ScriptedCall(),)}, "tool_calls"),
        ({"stop": "length"}, "length"),
        ({"stop": "filter"}, "content_filter"),
        ({"stop": "refusal"}, "stop"),
        ({"finish": "eos"}, "eos"),
        ({"no_finish": True}, None),
    ],
)
def test_finish_reasons(script, finish):
    found = json.loads(fake_chat.unary(talk(**script), 1))
    assert found["choices"][0]["finish_reason"] == finish


def test_usage_and_marks():
    counts = {"reasoning": 2, "cached_tokens": 5, "cache_write_tokens": 7}
    found = whole(choices=2, text="a", images=1, tier="flex", model="other", **counts)
    assert (found["model"], found["service_tier"], len(found["choices"])) == ("other", "flex", 2)
    told = found["usage"]
    assert told["prompt_tokens_details"]["cached_tokens"] == 5
    assert told["prompt_tokens_details"]["cache_write_tokens"] == 7
    assert told["completion_tokens"] == 3 + IMAGE_TOKENS
    assert told["completion_tokens_details"]["reasoning_tokens"] == 2
    assert told["completion_tokens_details"]["image_tokens"] == IMAGE_TOKENS
    assert "usage" not in whole(usage="none")


def test_ends_and_silences():
    events, found = streamed(thought="Hm.", event_delay_ms=3, silent_after_finish_ms=50)
    assert events[-1].data == DONE
    assert [event.pause_ms for event in events[-2:]] == [53, 3]
    assert all(chunk["usage"] is None for chunk in found[:-1])
    events, found = streamed(usage=False, thought="Hm.", no_done=True)
    assert events[-1].data != DONE and all("usage" not in chunk for chunk in found)
    _, found = streamed(thought="Hm.", finish_without_usage=True)
    assert found[-1]["choices"]
    pinged = list(fake_chat.stream(talk(text="a", pings=2), 1, include_usage=False))
    assert sum(event.data.startswith(b":") for event in pinged) == 4


def test_wishes():
    function = {"type": "function", "function": {"name": "a", "parameters": {"type": "object"}}}
    custom = {"type": "custom", "custom": {"name": "b"}}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    choice = {"type": "function", "function": {"name": "a"}}
    asked = read(
        tools=[function, custom], tool_choice=choice, response_format=form, modalities=["image"]
    )
    wish = fake_chat.wish_of(asked)
    assert [(tool.name, tool.custom) for tool in wish.tools] == [("a", False), ("b", True)]
    assert (wish.forced, wish.schema, wish.asked, wish.image) == (
        "a",
        {"type": "object"},
        "Hi",
        True,
    )
    assert fake_chat.wish_of(read(tools=[function], tool_choice="required")).forced == ""
    assert fake_chat.wish_of(read(tools=[function], tool_choice="none")).asked == ""
    assert fake_chat.wish_of(read(response_format={"type": "json_object"})).schema is True
    parts = [{"type": "text", "text": "a tool"}]
    messages = [{"role": "user", "content": parts}, {"role": "tool", "content": "x"}]
    wish = fake_chat.wish_of(read(messages=messages, n=3, max_tokens=5))
    assert (wish.asked, wish.answered, wish.choices, wish.limit) == ("a tool", True, 3, 5)
