"""Streams keep the grammar of the Responses API to the letter."""

import json

import pytest

from tests.demo.talking import named as parsed
from tests.demo.talking import talk
from tollbridge.demo import fake_responses, fake_responses_stream
from tollbridge.demo.fake_script import ScriptedCall

ASK = {"model": "m", "input": "Hello"}


def streamed(**script):
    said = talk(**script)
    return list(fake_responses_stream.stream(said, ASK, encrypted=True))


def test_a_plain_answer():
    names = [name for name, _ in parsed(streamed(text="a b"))]
    assert names == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


@pytest.mark.parametrize(
    "script",
    [
        {"thought": "One two.", "text": "a b c"},
        {"calls": (ScriptedCall("a"), ScriptedCall("b", {"c": "d e"}))},
        {"calls": (ScriptedCall("a", "x y", custom=True),), "text": "Well."},
        {"images": 2, "searches": 1, "reasoning": 3, "text": "a"},
        {"stop": "refusal"},
        {"stop": "length", "text": "a"},
        {"empty": True},
        {"tool_calls": 2, "text": '{"a": 1}'},
    ],
)
def test_every_answer(script):
    said = talk(**script)
    events = list(fake_responses_stream.stream(said, ASK, encrypted=True))
    found = parsed(events)
    assert [data["sequence_number"] for _, data in found] == list(range(len(found)))
    assert all(name == data["type"] for name, data in found)
    last = found[-1][1]["response"]
    whole = json.loads(fake_responses.unary(said, ASK, encrypted=True))
    assert last == whole
    done = [data for name, data in found if name == "response.output_item.done"]
    assert [data["item"] for data in done] == whole["output"]
    assert [data["output_index"] for data in done] == list(range(len(done)))
    assert sum(event.tokens for event in events) == said.speech.counts.output
    for index, item in enumerate(whole["output"]):
        deltas = [
            data["delta"]
            for name, data in found
            if name.endswith(".delta") and data["output_index"] == index
        ]
        assert "".join(deltas) in json.dumps(item).replace('\\"', '"')


def test_only_the_added_items_are_blank():
    found = parsed(streamed(calls=(ScriptedCall("a", {"b": 1}),), thought="Hm."))
    added = [data["item"] for name, data in found if name == "response.output_item.added"]
    assert (added[0]["summary"], added[-1]["arguments"]) == ([], "")
    assert added[-1]["status"] == "in_progress"


def test_broken_and_padded():
    assert parsed(streamed(no_finish=True))[-1][0] == "response.output_item.done"
    last = parsed(streamed(finish_without_usage=True))[-1][1]
    assert last["response"]["usage"] is None
    padded = [data for name, data in parsed(streamed(pad_bytes=9)) if name.endswith(".delta")]
    assert {data["obfuscation"] for data in padded} == {"x" * 9}
    pinged = streamed(text="a b", pings=2)
    assert sum(event.data.startswith(b":") for event in pinged) == 4
    silent = streamed(event_delay_ms=3, silent_after_finish_ms=50)
    assert [event.pause_ms for event in silent] == [0, *[3] * (len(silent) - 2), 53]
