"""What a client of the Responses protocol asks for, and which field of it is malformed."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import responses_samples
from tollbridge.protocols.conversation import (
    Call,
    Carrier,
    Format,
    Opaque,
    Reasoning,
    Result,
    Text,
    Thinking,
    Vendor,
    Wire,
)
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.responses_request_reader import read_request


def read(*items, **fields):
    return read_request({"model": "m", "input": list(items), **fields})


USER = {"role": "user", "content": "hi"}
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OTHER = {**CALL, "call_id": "c2"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "42"}


def test_instructions_come_before_leading_messages():
    found = read(
        {"role": "developer", "content": "b"},
        {"role": "system", "content": [{"type": "input_text", "text": "c"}]},
        USER,
        {"role": "developer", "content": "later"},
        instructions="a",
    )
    assert [text.text for text in found.system] == ["a", "b", "c"]
    assert [turn.role for turn in found.turns] == ["user", "system"]


def test_calls_in_a_row_are_one_turn_with_what_was_said():
    said = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "x"}],
    }
    found = read(USER, {"type": "reasoning", "summary": []}, said, CALL, OTHER, OUTPUT, USER)
    kinds = [[type(part) for part in turn.parts] for turn in found.turns]
    assert kinds == [[Text], [Reasoning, Text, Call, Call], [Result, Text]]
    assert found.turns[2].parts[0] == Result(call_id="c1", parts=[Text(text="42")])


def test_reasoning_keeps_its_carrier():
    item = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
        "encrypted_content": "gAAA",
    }
    part = read(USER, item).turns[1].parts[0]
    carrier = Carrier(Vendor.OPENAI, "gAAA", "rs_1")
    assert part == Reasoning(texts=["a", "b"], summary=True, carrier=carrier, extra={"id": "rs_1"})


def test_what_only_this_protocol_has_stays_in_extra():
    state = {
        "previous_response_id": "resp_1",
        "conversation": "conv_1",
        "prompt": {"id": "p"},
        "background": True,
        "store": True,
        "include": ["reasoning.encrypted_content"],
        "truncation": "auto",
        "metadata": {"a": "b"},
    }
    assert read(USER, **state).extra == state


def test_settings():
    found = read(
        USER,
        max_output_tokens=9,
        reasoning={"effort": "low", "summary": "auto", "context": "all_turns"},
        text={"format": {"type": "json_schema", "name": "n", "schema": {}}, "verbosity": "low"},
        include=["message.output_text.logprobs"],
        top_logprobs=3,
        user="u",
        stream=True,
        service_tier="flex",
    )
    assert (found.wire, found.max_output, found.logprobs, found.end_user) == (
        Wire.RESPONSES,
        9,
        3,
        "u",
    )
    assert found.thinking == Thinking(
        effort="low", summary="auto", shown=True, extra={"context": "all_turns"}
    )
    assert found.format == Format(kind="schema", name="n", schema={})
    assert (found.stream, found.tier, found.extra["verbosity"]) == (True, "flex", "low")


def test_tools_of_the_input_can_be_called():
    added = {
        "type": "additional_tools",
        "role": "developer",
        "tools": [{"type": "custom", "name": "x"}],
    }
    assert read(added, USER).names() == ["x"]
    hosted = {**added, "tools": [{"type": "computer"}]}
    found = read(USER, hosted)
    assert found.tools == []
    assert isinstance(found.turns[1].parts[0], Opaque)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"input": 3}, "input"),
        ({"input": ["a"]}, "input[0]"),
        ({"input": [{"role": "robot", "content": "a"}]}, "input[0].role"),
        ({"input": [USER, {"role": "user"}]}, "input[1].content"),
        ({"input": [{"role": "user", "content": ["a"]}]}, "input[0].content"),
        ({"input": [{"type": 3}]}, "input[0].type"),
        ({"input": [{**CALL, "name": None}]}, "input[0].name"),
        ({"input": [{**CALL, "arguments": {}}]}, "input[0].arguments"),
        ({"input": [{**OUTPUT, "output": None}]}, "input[0].output"),
        ({"input": [{**OUTPUT, "call_id": 3}]}, "input[0].call_id"),
        ({"instructions": ["a"]}, "instructions"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [3]}, "tools[0]"),
        ({"tool_choice": 3}, "tool_choice"),
        ({"text": {"format": {"type": "poem"}}}, "text.format.type"),
        ({"reasoning": {"effort": 3}}, "reasoning.effort"),
        ({"temperature": "warm"}, "temperature"),
        ({"max_output_tokens": "9"}, "max_output_tokens"),
    ],
)
def test_malformed_fields_are_named(fields, name):
    with pytest.raises(FieldError) as caught:
        read_request({"model": "m", "input": "a", **fields})
    assert caught.value.name == name


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["type", "role", "content", "text", "name", "tools"]), inner
        ),
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["input", "tools", "text", "reasoning", "tool_choice"]), JSON)
)
def test_nonsense_is_a_field_error_or_a_request(body):
    with contextlib.suppress(FieldError):
        assert read_request({"model": "m", **body}).wire is Wire.RESPONSES


@given(responses_samples.requests)
def test_turns_alternate_between_messages_and_hold_every_item(body):
    found = read_request(body)
    assert all(turn.parts for turn in found.turns)
