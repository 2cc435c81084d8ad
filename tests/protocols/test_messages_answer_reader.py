"""The twin of protocols/messages_answer_reader.py."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import messages_oracle as oracle
from tests.protocols.test_messages_event_reader import OBJECT, REASONS
from tests.protocols.test_messages_usage import JSON
from tollbridge.protocols.answer import Finish
from tollbridge.protocols.conversation import Call, Carrier, Opaque, Reasoning, Text, Vendor
from tollbridge.protocols.messages_answer_reader import read_answer
from tollbridge.protocols.messages_usage import usage_fields
from tollbridge.protocols.usage import Usage


def test_a_message():
    answer = read_answer({
        "id": "msg_1",
        "model": "claude",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "text", "text": "a"},
            {"type": "tool_use", "id": "t", "name": "n", "input": {"b": 1}},
        ],
        "stop_reason": "stop_sequence",
        "stop_sequence": "X",
        "stop_details": None,
        "container": {"id": "c"},
        "usage": {"input_tokens": 1, "output_tokens": 2, "service_tier": "priority"},
    })  # fmt: skip
    assert (answer.id, answer.model, answer.tier) == ("msg_1", "claude", "priority")
    assert answer.usage == Usage(input=1, output=2, tier="priority")
    assert answer.extra == {"container": {"id": "c"}}
    (choice,) = answer.choices
    assert (choice.finish, choice.stop_sequence) == (Finish.STOP_SEQUENCE, "X")
    assert choice.parts == [
        Reasoning(texts=["hm"], carrier=Carrier(Vendor.ANTHROPIC, "sig")),
        Text(text="a"),
        Call(id="t", name="n", arguments='{"b":1}'),
    ]


def test_a_malformed_block_is_kept_and_no_block_is_dropped():
    answer = read_answer({"content": [{"type": "text"}, {"text": "x"}, 4]})
    (part,) = answer.choices[0].parts
    assert isinstance(part, Opaque) and part.raw == {"type": "text"}
    assert answer.choices[0].finish is None


def test_an_error():
    fault = read_answer({"type": "error", "error": {"type": "api_error", "message": "m"}}).fault
    assert fault is not None and fault.status == 500


@given(st.dictionaries(
    st.sampled_from(["id", "model", "content", "stop_reason", "stop_sequence", "usage", "error"]),
    JSON | st.lists(OBJECT | JSON, max_size=4),
))  # fmt: skip
def test_nothing_raises(body):
    assert len(read_answer(body).choices) == 1


def test_recorded_answers(corpus):
    seen = 0
    for one in oracle.recorded(corpus, streams=False):
        if "content" not in one.body:
            continue
        answer = read_answer(one.body)
        (choice,) = answer.choices
        said = oracle.said(one.body["content"])
        parts = choice.parts
        assert len(parts) == len(one.body["content"]), one.file
        texts = "".join(part.text for part in parts if isinstance(part, Text))
        calls = [
            (part.id, part.name, json.loads(part.arguments))
            for part in parts
            if isinstance(part, Call)
        ]
        thoughts = [
            ("".join(part.texts), part.carrier.payload if part.carrier else "")
            for part in parts
            if isinstance(part, Reasoning) and not part.redacted
        ]
        assert (texts, calls, thoughts) == (said["text"], said["calls"], said["thinking"])
        if one.body["stop_reason"]:
            assert choice.finish is REASONS[one.body["stop_reason"]], one.file
        assert oracle.figures(usage_fields(answer.usage)) == oracle.figures(one.body["usage"])
        seen += 1
    assert seen > 100
