"""What the pretend model says: the script decides, then the request's own wishes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.demo.fake_script import Script, ScriptedCall
from tollbridge.demo.fake_speech import IMAGE_TOKENS, REFUSAL, THOUGHT, Tool, Wish, speak

CITY = Tool("city", {"type": "object", "properties": {"name": {"type": "string"}}})
CLOCK = Tool("clock", {"type": "object", "properties": {}})


def wish(**fields):
    return Wish("m", 100, **fields)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"asked": "Use the tool."}, ["city"]),
        ({"asked": "Use your Tools."}, ["city", "clock"]),
        ({"asked": "Use your tools.", "parallel": False}, ["city"]),
        ({"asked": "Hello", "forced": ""}, ["city"]),
        ({"asked": "Hello", "forced": "clock"}, ["clock"]),
        ({"asked": "Hello"}, []),
        ({"asked": "A toolbox."}, []),
        ({"asked": "The tool said this.", "answered": True}, []),
    ],
)
def test_tools_are_called_when_asked_for(fields, names):
    said = speak(wish(tools=(CITY, CLOCK), **fields), Script(), 3)
    assert [call.name for call in said.calls] == names
    assert said.ending == ("calls" if names else "end")
    assert bool(said.said) is not bool(names)
    assert len({call.id for call in said.calls}) == len(names)


def test_arguments_fit_the_tool():
    said = speak(wish(tools=(CITY,), forced=""), Script(), 3)
    assert said.calls[0].arguments == {"name": "toll"}
    custom = speak(wish(tools=(Tool("free", custom=True),), forced=""), Script(), 3)
    assert (custom.calls[0].text, custom.calls[0].arguments) == (
        "look here",
        {"input": "look here"},
    )


def test_the_habit_of_look_up():
    said = speak(wish(), Script(tool_calls=2, text="x y"), 3)
    assert [(call.name, call.text) for call in said.calls] == [("look_up", "x y"), ("look_up", "")]
    assert (said.text, said.counts.output, said.ending) == ((), 2, "calls")


def test_scripted_calls_come_after_the_text():
    calls = (ScriptedCall("a", {"b": 1}, "id1"), ScriptedCall("c", "not json"))
    said = speak(wish(tools=(CITY,), forced=""), Script(text="Well.", calls=calls), 3)
    assert said.said == "Well."
    assert [(c.id, c.name, c.arguments) for c in said.calls] == [
        ("id1", "a", {"b": 1}),
        ("call_fake3_1", "c", {"input": "not json"}),
    ]


def test_a_format_is_kept():
    said = speak(wish(schema=CITY.schema), Script(), 3)
    assert json.loads(said.said) == {"name": "toll"}
    assert json.loads(speak(wish(schema=True), Script(), 3).said)
    assert speak(wish(schema=CITY.schema), Script(text="no"), 3).said == "no"


@pytest.mark.parametrize(
    ("fields", "script", "thoughts", "reasoning"),
    [
        ({}, Script(), "", 0),
        ({"thinks": True}, Script(), "", 5),
        ({"thinks": True, "shows": True}, Script(), THOUGHT, 5),
        ({"thinks": True, "shows": True}, Script(reasoning=2), "Let me", 2),
        ({"thinks": True, "shows": True}, Script(thought=""), "", 0),
        ({}, Script(thought="a b c"), "a b c", 3),
        ({}, Script(reasoning=7), "", 7),
        ({"thinks": True, "shows": True}, Script(empty=True), "", 0),
    ],
)
def test_thoughts(fields, script, thoughts, reasoning):
    said = speak(wish(**fields), script, 3)
    assert (said.thoughts, said.reasoning) == (thoughts, reasoning)
    assert said.counts.reasoning == reasoning
    assert said.counts.output == reasoning + len(said.text)


def test_images_and_refusals():
    assert speak(wish(image=True), Script(), 3).images == 1
    assert speak(wish(image_tool=True, asked="Draw a bridge"), Script(), 3).images == 1
    assert speak(wish(image_tool=True, asked="Hello"), Script(), 3).images == 0
    said = speak(wish(), Script(images=2, text="a"), 3)
    assert (said.images, said.counts.image) == (2, 2 * IMAGE_TOKENS)
    assert said.counts.output == 1 + 2 * IMAGE_TOKENS
    refused = speak(wish(), Script(stop="refusal"), 3)
    assert (refused.said, refused.ending) == (REFUSAL, "refusal")


@given(
    limit=st.none() | st.integers(0, 30),
    thought=st.none() | st.just("one two three"),
    calls=st.integers(0, 3),
    n=st.integers(1, 3),
)
def test_nothing_is_said_beyond_the_limit(limit, thought, calls, n):
    made = tuple(ScriptedCall("t", '{"a": 1, "b": 2}') for _ in range(calls))
    script = Script(thought=thought, text="four five six", calls=made)
    said = speak(wish(limit=limit, choices=n), script, 3)
    spoken = said.reasoning + len(said.text) + sum(len(call.tokens) for call in said.calls)
    wanted = (3 if thought else 0) + 3 + 4 * calls
    assert spoken == (wanted if limit is None else min(limit, wanted))
    assert (said.ending == "length") == (spoken < wanted)
    assert said.counts.output == spoken * n
    assert all(call.whole for call in said.calls[:-1])


@given(
    prompt=st.integers(0, 50), read=st.integers(0, 60), a=st.integers(0, 60), b=st.integers(0, 60)
)
def test_cached_and_written_tokens_are_inside_the_prompt(prompt, read, a, b):
    script = Script(
        prompt_tokens=prompt, cached_tokens=read, cache_write_tokens=a, cache_write_1h_tokens=b
    )
    counts = speak(wish(), script, 3).counts
    assert counts.fresh >= 0
    assert counts.fresh + counts.cached + counts.written == prompt
    assert counts.cached == min(read, prompt)
