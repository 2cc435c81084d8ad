"""Messages look like Anthropic's: blocks, stop reasons, usage that leaves the cache out."""

import json

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from tests.demo.talking import limited, named, talk
from tollbridge.demo import fake_messages
from tollbridge.demo.fake_script import ScriptedCall

EVENT = TypeAdapter(RawMessageStreamEvent)


def whole(**script):
    found = json.loads(fake_messages.unary(talk(**script), None))
    if script.get("usage", "given") == "given":
        Message.model_validate(found)
    return found


def accumulated(events):
    """Return the message that the SDK makes of a stream."""
    message, buffers = None, {}
    for name, data in named(events):
        if name != "ping":
            event = EVENT.validate_python(data)
            message = accumulate_event(event=event, current_snapshot=message, json_bufs=buffers)
    return json.loads(message.to_json())


def read(**fields):
    asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    return fake_messages.decoder.decode(json.dumps({**asked, **fields}).encode())


@pytest.mark.parametrize(
    "script",
    [
        {"text": "a b c"},
        {"thought": "One two.", "text": "a"},
        {"thought": "One.", "calls": (ScriptedCall("a", {"b": "c d"}), ScriptedCall("e"))},
        {"calls": (ScriptedCall("a", "no object"),), "text": "Well."},
        {"searches": 1, "text": "a"},
        {"redacted": True, "reasoning": 4, "text": "a"},
        {"stop": "refusal"},
        {"tool_calls": 2, "text": '{"a": 1}'},
        {"cached_tokens": 30, "cache_write_tokens": 20, "cache_write_1h_tokens": 10, "text": "a"},
    ],
)
def test_a_stream_says_what_the_whole_says(script):
    said = talk(**script)
    events = list(fake_messages.stream(said, None))
    found, expected = accumulated(events), whole(**script)
    for name in ("id", "model", "content", "stop_reason", "stop_sequence"):
        if name == "content":
            found[name] = [_bare(block) for block in found[name]]
            expected[name] = [_bare(block) for block in expected[name]]
        assert found.get(name) == expected[name]
    for name, value in expected["usage"].items():
        assert found["usage"][name] == value
    assert sum(event.tokens for event in events) == said.speech.counts.output


def _bare(block):
    return {name: value for name, value in block.items() if value is not None}


def test_the_grammar():
    found = named(fake_messages.stream(talk(thought="Hm.", text="a", tool_calls=0), None))
    assert [name.removeprefix("content_block_") for name, _ in found] == [
        "message_start",
        "start",
        "ping",
        "delta",
        "delta",
        "stop",
        "start",
        "delta",
        "stop",
        "message_delta",
        "message_stop",
    ]
    kinds = [data["delta"]["type"] for name, data in found if name == "content_block_delta"]
    assert kinds == ["thinking_delta", "signature_delta", "text_delta"]
    start = found[0][1]["message"]
    assert (start["content"], start["stop_reason"], start["usage"]["output_tokens"]) == (
        [],
        None,
        1,
    )


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ({}, "end_turn"),
        ({"tool_calls": 1}, "tool_use"),
        ({"stop": "length"}, "max_tokens"),
        ({"stop": "context"}, "model_context_window_exceeded"),
        ({"stop": "filter"}, "refusal"),
        ({"stop": "pause"}, "pause_turn"),
        ({"finish": "new_reason"}, "new_reason"),
    ],
)
def test_stop_reasons(script, reason):
    assert json.loads(fake_messages.unary(talk(**script), None))["stop_reason"] == reason


def test_a_stop_sequence_is_named():
    found = json.loads(fake_messages.unary(talk(stop="sequence"), ["END"]))
    assert (found["stop_reason"], found["stop_sequence"]) == ("stop_sequence", "END")


def test_usage_leaves_the_cache_out():
    counts = {"cached_tokens": 30, "cache_write_tokens": 20, "cache_write_1h_tokens": 10}
    found = whole(text="a", reasoning=2, **counts)
    assert found["usage"] == {
        "input_tokens": 40,
        "cache_read_input_tokens": 30,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
        "output_tokens": 3,
        "output_tokens_details": {"thinking_tokens": 2},
    }
    assert "usage" not in whole(usage="none")
    assert whole(usage="null")["usage"] is None
    assert whole(usage="nonsense")["usage"]["input_tokens"] < 0
    assert whole(usage="zero")["usage"]["output_tokens"] == 0
    assert whole(searches=2)["usage"]["server_tool_use"]["web_search_requests"] == 2


def test_the_first_events_usage_may_differ():
    found = named(fake_messages.stream(talk(start_tokens=3), None))
    assert found[0][1]["message"]["usage"]["input_tokens"] == 3
    assert found[-2][1]["usage"]["input_tokens"] == 100


def test_broken_ends_and_silences():
    assert named(fake_messages.stream(talk(no_done=True), None))[-1][0] == "message_delta"
    assert named(fake_messages.stream(talk(no_finish=True), None))[-1][0] == "content_block_stop"
    events = list(fake_messages.stream(talk(event_delay_ms=3, silent_after_finish_ms=50), None))
    assert [event.pause_ms for event in events[-2:]] == [53, 3]
    pings = [e for e in fake_messages.stream(talk(text="a b", pings=2), None) if b"ping" in e.data]
    assert len(pings) == 1 + 4


def test_a_cut_call_has_no_input_but_half_its_text():
    said = limited(2, calls=(ScriptedCall("a", {"b": 1, "c": 2}),))
    found = json.loads(fake_messages.unary(said, None))
    assert (found["stop_reason"], found["content"][0]["input"]) == ("max_tokens", {})
    deltas = [
        data["delta"]
        for _, data in named(fake_messages.stream(said, None))
        if "index" in data and "delta" in data
    ]
    assert "".join(delta["partial_json"] for delta in deltas) == '{"b": 1,'


def test_wishes():
    tools = [{"name": "a", "input_schema": {"type": "object"}}, {"type": "web_search_20250305"}]
    form = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    thinking = {"type": "enabled", "budget_tokens": 1024}
    choice = {"type": "tool", "name": "a", "disable_parallel_tool_use": True}
    asked = read(tools=tools, tool_choice=choice, output_config=form, thinking=thinking)
    wish = fake_messages.wish_of(asked)
    assert [tool.name for tool in wish.tools] == ["a"]
    assert (wish.forced, wish.parallel, wish.schema) == ("a", False, {"type": "object"})
    assert wish.thinks and wish.shows and wish.search_tool
    assert wish.limit == 9
    quiet = fake_messages.wish_of(read(thinking={"type": "adaptive", "display": "omitted"}))
    assert (quiet.thinks, quiet.shows) == (True, False)
    result = {"type": "tool_result", "tool_use_id": "t", "content": "x"}
    assert fake_messages.wish_of(read(messages=[{"role": "user", "content": [result]}])).answered
    assert fake_messages.wish_of(read(tools=tools, tool_choice={"type": "any"})).forced == ""


def test_what_is_missing():
    assert fake_messages.missing(read(), counting=False) == ""
    assert fake_messages.missing(read(max_tokens=None), counting=False).startswith("max_tokens")
    assert fake_messages.missing(read(max_tokens=None), counting=True) == ""
    assert json.loads(fake_messages.count(read(system="x" * 10)))["input_tokens"] > 10


def test_the_tier_is_told_with_the_usage():
    assert whole(tier="priority")["usage"]["service_tier"] == "priority"
    assert "service_tier" not in whole()["usage"]
    assert "usage" not in whole(tier="priority", usage="none")
