"""The pretend answers look like OpenAI's: one object, or events that end with the end mark."""

import json
from typing import Any

import pytest

from tollbridge.demo import fake_openai
from tollbridge.demo.fake_openai import DONE, Event, Shape
from tollbridge.demo.fake_script import Ask, Script, answer


def shape(script: Script, *, chat: bool = True, usage: bool = True, n: int = 1) -> Shape:
    said = answer(Ask(model="gpt-x", n=n), script)
    return Shape(chat, "gpt-x", 7, 1_700_000_000, usage, script, said)


def chunks(events: list[Event]) -> list[dict[str, Any]]:
    data = [event.data for event in events if event.data != DONE]
    assert all(line.startswith(b"data: ") and line.endswith(b"\n\n") for line in data)
    return [json.loads(line[6:]) for line in data]


def contents(found: list[dict[str, Any]], index: int = 0) -> str:
    choices = [choice for chunk in found for choice in chunk["choices"]]
    return "".join(one["delta"].get("content") or "" for one in choices if one["index"] == index)


def test_stream_has_role_content_finish_usage_done() -> None:
    events = list(fake_openai.stream(shape(Script(text="a b c"))))
    found = chunks(events)
    assert events[-1].data == DONE
    assert found[0]["choices"][0]["delta"]["role"] == "assistant"
    assert contents(found) == "a b c"
    assert [chunk["choices"][0]["finish_reason"] for chunk in found[:-1]] == [None] * 4 + ["stop"]
    assert found[-1]["choices"] == []
    assert found[-1]["usage"]["completion_tokens"] == 3
    assert all(chunk["usage"] is None for chunk in found[:-1])
    assert sum(event.tokens for event in events) == 3


def test_usage_event_only_when_asked_for() -> None:
    found = chunks(list(fake_openai.stream(shape(Script(), usage=False))))
    assert all("usage" not in chunk and chunk["choices"] for chunk in found)


def test_choices_are_all_streamed() -> None:
    events = list(fake_openai.stream(shape(Script(text="a b", reasoning=2), n=3)))
    found = chunks(events)
    assert [contents(found, index) for index in range(3)] == ["a b"] * 3
    assert sum(event.tokens for event in events) == found[-1]["usage"]["completion_tokens"] == 12
    assert found[-1]["usage"]["completion_tokens_details"]["reasoning_tokens"] == 6


def test_unary_says_the_same_as_the_stream() -> None:
    scripted = shape(Script(text="a b c", cached_tokens=1, prompt_tokens=9), n=2)
    whole = json.loads(fake_openai.unary(scripted))
    streamed = chunks(list(fake_openai.stream(scripted)))
    assert [choice["message"]["content"] for choice in whole["choices"]] == ["a b c"] * 2
    assert whole["object"] == "chat.completion"
    assert streamed[-1]["usage"] == whole["usage"]
    assert whole["usage"]["prompt_tokens_details"]["cached_tokens"] == 1
    assert whole["usage"]["total_tokens"] == 9 + 6


def test_legacy_completions() -> None:
    scripted = shape(Script(text="a b"), chat=False)
    whole = json.loads(fake_openai.unary(scripted))
    found = chunks(list(fake_openai.stream(scripted)))
    assert (whole["object"], whole["choices"][0]["text"]) == ("text_completion", "a b")
    assert "".join(one["text"] for chunk in found for one in chunk["choices"]) == "a b"
    assert found[-2]["choices"][0]["finish_reason"] == "stop"


def test_tool_calls() -> None:
    scripted = shape(Script(tool_calls=1, text="x y"))
    message = json.loads(fake_openai.unary(scripted))["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"][0]["function"]["arguments"] == "x y"
    deltas = [c["choices"][0]["delta"] for c in chunks(list(fake_openai.stream(scripted)))[:-1]]
    calls = [call for delta in deltas for call in delta.get("tool_calls", [])]
    assert "".join(call["function"]["arguments"] for call in calls) == "x y"
    assert calls[0]["id"]


def test_role_in_every_delta() -> None:
    found = chunks(list(fake_openai.stream(shape(Script(role_in_every_delta=True)))))
    assert all(one["delta"]["role"] == "assistant" for c in found for one in c["choices"])


def test_usage_modes() -> None:
    def usage(mode: Any) -> Any:
        return json.loads(fake_openai.unary(shape(Script(usage=mode)))).get("usage", "absent")

    assert usage("none") == "absent"
    assert usage("null") is None
    assert usage("zero")["total_tokens"] == 0
    assert usage("nonsense")["prompt_tokens"] < 0
    assert set(usage("no_details")) == {"prompt_tokens", "completion_tokens", "total_tokens"}


@pytest.mark.parametrize(
    ("script", "finish", "usage", "done"),
    [
        (Script(no_done=True), True, True, False),
        (Script(no_finish=True), False, True, True),
        (Script(usage="none"), True, False, True),
        (Script(finish_without_usage=True), True, False, False),
    ],
)
def test_broken_endings(script: Script, finish: bool, usage: bool, done: bool) -> None:
    events = list(fake_openai.stream(shape(script)))
    found = chunks(events)
    reasons = [one["finish_reason"] for chunk in found for one in chunk["choices"]]
    assert any(reasons) == finish
    assert any(chunk["choices"] == [] for chunk in found) == usage
    assert (events[-1].data == DONE) == done


def test_silences() -> None:
    events = list(fake_openai.stream(shape(Script(event_delay_ms=3, silent_after_finish_ms=50))))
    assert [event.pause_ms for event in events] == [0, *[3] * (len(events) - 3), 53, 3]


def test_writes_to_a_cache_are_inside_the_prompt() -> None:
    script = Script(
        prompt_tokens=10, cached_tokens=4, cache_write_tokens=5, cache_write_1h_tokens=9
    )
    told = json.loads(fake_openai.unary(shape(script)))["usage"]["prompt_tokens_details"]
    assert (told["cached_tokens"], told["cache_write_tokens"]) == (4, 6)


def test_padding_and_errors() -> None:
    plain = len(fake_openai.unary(shape(Script())))
    assert len(fake_openai.unary(shape(Script(pad_bytes=500)))) >= plain + 500
    error = json.loads(fake_openai.error_body(429, "slow down"))["error"]
    assert (error["type"], error["message"]) == ("rate_limit_exceeded", "slow down")
    assert b'"error"' in fake_openai.stream_error().data
