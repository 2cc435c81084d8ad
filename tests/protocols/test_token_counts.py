"""Proof of the wire shapes of counts: what is asked, what of it goes on, what comes back."""

import msgspec
import pytest
from anthropic.types import message_count_tokens_params
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import input_token_count_params

from tollbridge.protocols import token_counts
from tollbridge.protocols.conversation import Wire
from tollbridge.protocols.facts import UpstreamFault
from tollbridge.protocols.json_peek import FieldError, peek
from tollbridge.protocols.token_counts import CountAsk

SAID = [{"role": "user", "content": "hello"}]
CONTENTS = [{"role": "user", "parts": [{"text": "hello"}]}]
BODIES = {
    Wire.RESPONSES: {"model": "m", "input": "hello"},
    Wire.MESSAGES: {"model": "m", "messages": SAID},
    Wire.GEMINI: {"contents": CONTENTS},
}


def top_of(body):
    return peek(msgspec.json.encode(body))


@pytest.mark.parametrize("wire", BODIES)
def test_an_ask_is_a_name_and_never_a_stream(wire):
    ask = token_counts.read_ask(wire, top_of({**BODIES[wire], "stream": True}), "m")
    assert ask == CountAsk("m")
    assert not ask.stream


def test_what_a_count_goes_on_from_is_read():
    body = {**BODIES[Wire.RESPONSES], "previous_response_id": "resp_1"}
    assert token_counts.read_ask(Wire.RESPONSES, top_of(body), "").previous_response_id == "resp_1"


@pytest.mark.parametrize("inner", ["generateContentRequest", "generate_content_request"])
def test_geminis_whole_request_is_read_in_both_spellings(inner):
    body = {inner: {"contents": CONTENTS}}
    assert token_counts.read_ask(Wire.GEMINI, top_of(body), "g") == CountAsk("g")


@pytest.mark.parametrize(
    ("wire", "body", "field"),
    [
        (Wire.RESPONSES, {"input": "a"}, "model"),
        (Wire.RESPONSES, {"model": 7}, "model"),
        (Wire.MESSAGES, {"messages": SAID}, "model"),
        (Wire.MESSAGES, {"model": "m"}, "messages"),
        (Wire.GEMINI, {}, "contents"),
        (Wire.GEMINI, {"contents": {}}, "contents"),
        (Wire.GEMINI, {"generateContentRequest": []}, "generateContentRequest"),
        (Wire.GEMINI, {"generateContentRequest": {}}, "contents"),
    ],
)
def test_what_cannot_be_read_is_named(wire, body, field):
    with pytest.raises(FieldError) as error:
        token_counts.read_ask(wire, top_of(body), "g")
    assert error.value.name == field


def test_where_each_protocol_counts():
    assert token_counts.path_of(Wire.RESPONSES, "m") == b"/v1/responses/input_tokens"
    assert token_counts.path_of(Wire.MESSAGES, "m") == b"/v1/messages/count_tokens"
    assert token_counts.path_of(Wire.GEMINI, "g") == b"/v1beta/models/g:countTokens"
    assert token_counts.path_of(Wire.GEMINI, "g", "v1") == b"/v1/models/g:countTokens"


@pytest.mark.parametrize(
    ("wire", "body", "sent"),
    [
        (Wire.RESPONSES, {"model": "m", "a": 1}, {"model": "up", "a": 1}),
        (Wire.MESSAGES, {"a": 1, "model": "m"}, {"a": 1, "model": "up"}),
        (Wire.GEMINI, {"contents": CONTENTS}, {"contents": CONTENTS}),
        (
            Wire.GEMINI,
            {"generateContentRequest": {"model": "models/m", "contents": CONTENTS}},
            {"generateContentRequest": {"model": "models/up", "contents": CONTENTS}},
        ),
        (
            Wire.GEMINI,
            {"generateContentRequest": {"contents": CONTENTS}},
            {"generateContentRequest": {"contents": CONTENTS}},
        ),
    ],
)
def test_another_model_is_named_where_one_is(wire, body, sent):
    assert msgspec.json.decode(token_counts.renamed(wire, top_of(body), "up")) == sent


def test_what_only_concerns_the_answer_is_left_out():
    config = {"stopSequences": ["x"], "temperature": 2, "candidateCount": 3, "maxOutputTokens": 9}
    body = {"generateContentRequest": {"contents": CONTENTS, "generationConfig": config}}
    asked = token_counts.conversation_of(Wire.GEMINI, top_of(body), "m", 500)
    assert (asked.stop, asked.temperature, asked.copies, asked.model) == ([], None, 1, "m")
    body = {**BODIES[Wire.MESSAGES], "system": "s"}
    asked = token_counts.conversation_of(Wire.MESSAGES, top_of(body), "m", 500)
    assert [text.text for text in asked.system] == ["s"]


def test_no_endpoint_gets_what_it_does_not_know():
    known = {
        Wire.RESPONSES: input_token_count_params.InputTokenCountParams,
        Wire.MESSAGES: message_count_tokens_params.MessageCountTokensParams,
    }
    names = (
        *("model", "input", "messages", "max_tokens", "max_output_tokens", "stream", "store"),
        *("system", "tools", "thinking", "reasoning", "metadata", "include", "service_tier"),
        *("temperature", "instructions", "tool_choice", "text"),
    )
    everything = dict.fromkeys(names, 1)
    for wire, params in known.items():
        body = token_counts.reduced(wire, msgspec.json.encode(everything), "m")
        sent = msgspec.json.decode(body).keys()
        assert sent <= params.__annotations__.keys()
        assert {"model", "tools", "tool_choice"} <= sent
    whole = msgspec.json.encode({"contents": CONTENTS, "tools": []})
    assert msgspec.json.decode(token_counts.reduced(Wire.GEMINI, whole, "g")) == {
        "generateContentRequest": {"model": "models/g", "contents": CONTENTS, "tools": []}
    }


@given(st.integers(0, 2**53), st.sampled_from(list(BODIES)))
def test_a_count_is_read_as_it_was_written(tokens, wire):
    assert token_counts.read_count(wire, token_counts.write_count(wire, tokens)) == tokens


@given(st.binary(max_size=30), st.sampled_from(list(BODIES)))
def test_no_answer_makes_the_reader_fail(junk, wire):
    token_counts.facts_of(token_counts.read_count(wire, junk))


@pytest.mark.parametrize(
    ("wire", "body", "count"),
    [
        (Wire.RESPONSES, b"{}", None),
        (Wire.MESSAGES, b'{"input_tokens":-1}', None),
        (Wire.MESSAGES, b'{"input_tokens":true}', None),
        (Wire.MESSAGES, b'{"input_tokens":"7"}', None),
        (Wire.GEMINI, b"{}", 0),
        (Wire.GEMINI, b"[]", None),
    ],
)
def test_what_is_no_count_is_none(wire, body, count):
    assert token_counts.read_count(wire, body) == count
    assert token_counts.facts_of(count).finished == (count is not None)


def test_an_error_within_an_answer_is_seen():
    found = token_counts.read_count(Wire.MESSAGES, b'{"error":{"type":"t","message":"m"}}')
    assert isinstance(found, UpstreamFault)
    assert token_counts.facts_of(found).error == found
