"""Which events of a realtime session matter for the bill, and what we say in one ourselves."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.realtime import Answered, Begun, Used, cancel, error_event, read_event
from tollbridge.protocols.usage import Usage

USAGE = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}


def event(kind, **fields):
    return json.dumps({"type": kind, "event_id": "e", **fields}).encode()


def test_a_response_begins_and_ends():
    assert read_event(event("response.created", response={"id": "r"})) == Begun("r")
    done = event("response.done", response={"id": "r", "usage": USAGE})
    assert read_event(done) == Used("r", True, Usage(input=5, output=2))


def test_a_transcription_is_told_apart_by_its_item():
    kind = "conversation.item.input_audio_transcription.completed"
    told = read_event(event(kind, item_id="i", content_index=1, usage=USAGE))
    assert told == Used("i/1", False, Usage(input=5, output=2))


def test_a_completed_response_without_usage_tells_its_text():
    output = [
        {"type": "message", "content": [{"text": "ab"}, {"transcript": "cdé"}, 7]},
        {"type": "function_call", "arguments": "{}"},
        None,
    ]
    response = {"id": "r", "status": "completed", "output": output}
    assert read_event(event("response.done", response=response)) == Used("r", True, None, 8)
    failed = {**response, "status": "failed"}
    assert read_event(event("response.done", response=failed)) == Used("r", True, None, 0)


@pytest.mark.parametrize(
    "data",
    [
        event("response.output_audio.delta", delta="A" * 100),
        event("session.created", session={"instructions": "response.done"}),
        event("response.output_text.delta", delta='say "response.done"'),
        event("response.output_item.added", item={"name": "response.done"}),
        b'["response.done"]',
        b'{"type": "response.done"',
        b'"response.done"\xff',
        b"",
    ],
)
def test_everything_else_says_nothing(data):
    assert read_event(data) is None


def test_strange_shapes_do_no_harm():
    assert read_event(event("response.done")) == Used("", True, None)
    assert read_event(event("response.done", response=[1])) == Used("", True, None)
    assert read_event(event("response.created", response={"id": 7})) == Begun("")


@given(st.binary(max_size=60))
def test_reading_never_raises(data):
    read_event(data + b'"response.done"' + data)


def test_an_answer_to_our_own_event_is_known_by_its_id():
    refusal = event("error", error={"event_id": "end_t", "code": "response_cancel_not_active"})
    assert read_event(refusal, b"end_t") == Answered()
    assert read_event(refusal) is None
    assert read_event(event("error", error={"event_id": "x", "message": "end_t"}), b"end_t") is None


def test_what_we_say_is_of_the_protocol():
    assert json.loads(cancel("e")) == {"type": "response.cancel", "event_id": "e"}
    assert json.loads(cancel("e", "r"))["response_id"] == "r"
    error = {"type": "t", "code": "c", "message": "m", "param": None, "status": 402, "tid": "x"}
    assert json.loads(error_event("tid", error)) == {
        "type": "error",
        "event_id": "event_tid",
        "error": {"type": "t", "code": "c", "message": "m", "param": None, "event_id": None},
    }
