"""Proof of the way of a call to another protocol and back, and of what the meter gets to know."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.abilities import Addressee, abilities_of
from tollbridge.protocols.answer import Answer, Choice, Finish, Identity
from tollbridge.protocols.conversation import (
    Audio,
    Call,
    Carrier,
    Image,
    Reasoning,
    Refusal,
    Text,
    Vendor,
    Wire,
)
from tollbridge.protocols.facts import ReplyFacts, UpstreamFault
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.losses import Untranslatable
from tollbridge.protocols.translation import Translation, facts_of, read_request
from tollbridge.protocols.usage import Usage

IDENTITY = Identity("t1", 1_700_000_000, "client-name")
PLATFORM = {
    Wire.CHAT: "openai",
    Wire.RESPONSES: "openai",
    Wire.MESSAGES: "anthropic",
    Wire.GEMINI: "gemini",
}
LONG_NAME = "look.up" + "x" * 80
TOOL = {"name": LONG_NAME, "description": "d", "parameters": {"type": "object", "properties": {}}}
CHAT = {
    "model": "m",
    "messages": [{"role": "user", "content": "hello"}],
    "tools": [{"type": "function", "function": TOOL}],
}


def translation(body, wire=Wire.CHAT, target=Wire.MESSAGES, **values):
    conversation = read_request(wire, msgspec.json.encode(body), **values)
    platform = PLATFORM[target]
    to = Addressee("sent", abilities_of(platform, "sent"), 1_000)
    return Translation(conversation, target, to)


@pytest.mark.parametrize("wire", list(Wire))
@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"null", b"[" * 10_000])
def test_what_is_no_json_object_is_a_field_error(wire, body):
    with pytest.raises(FieldError) as error:
        read_request(wire, body)
    assert error.value.name == "body"


def test_gemini_is_told_what_its_path_says():
    body = b'{"contents":[{"role":"user","parts":[{"text":"a"}]}]}'
    made = read_request(Wire.GEMINI, body, model="g", stream=True)
    assert (made.wire, made.model, made.stream) == (Wire.GEMINI, "g", True)
    # Everybody else says it in the body.
    made = read_request(Wire.CHAT, msgspec.json.encode(CHAT), model="other", stream=True)
    assert (made.model, made.stream) == ("m", False)


@pytest.mark.parametrize(
    ("target", "longest"),
    [(Wire.RESPONSES, 64), (Wire.CHAT, 64), (Wire.MESSAGES, 128), (Wire.GEMINI, 128)],
)
def test_tools_are_called_as_the_vendor_allows_and_come_back_under_their_own_name(target, longest):
    anthropic = {
        "model": "m",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "hello"}],
        "tools": [{"name": LONG_NAME, "input_schema": TOOL["parameters"]}],
    }
    body, wire = (CHAT, Wire.CHAT) if target is Wire.MESSAGES else (anthropic, Wire.MESSAGES)
    made = translation(body, wire, target)
    outward = LONG_NAME.replace(".", "_")[:longest]
    assert f'"{outward}"'.encode() in made.body
    assert LONG_NAME.encode() not in made.body
    answers = {
        Wire.RESPONSES: {
            "status": "completed",
            "output": [
                {"type": "function_call", "call_id": "c1", "name": outward, "arguments": "{}"}
            ],
        },
        Wire.CHAT: {
            "choices": [
                {
                    "message": {
                        "tool_calls": [
                            {
                                "id": "c1",
                                "type": "function",
                                "function": {"name": outward, "arguments": "{}"},
                            }
                        ]
                    },
                    "finish_reason": "tool_calls",
                }
            ]
        },
        Wire.MESSAGES: {
            "type": "message",
            "content": [{"type": "tool_use", "id": "c1", "name": outward, "input": {}}],
            "stop_reason": "tool_use",
        },
        Wire.GEMINI: {
            "candidates": [
                {
                    "content": {"parts": [{"functionCall": {"name": outward, "args": {}}}]},
                    "finishReason": "STOP",
                }
            ]
        },
    }
    answer = made.read_answer(msgspec.json.encode(answers[target]))
    call = answer.choices[0].parts[0]
    assert isinstance(call, Call)
    assert call.name == LONG_NAME
    assert answer.choices[0].finish is Finish.CALL
    assert f'"{LONG_NAME}"'.encode() in made.write_answer(answer, IDENTITY)


def test_a_whole_answer_is_written_in_the_clients_protocol_under_the_clients_name():
    made = translation(CHAT)
    answer = made.read_answer(
        b'{"type":"message","model":"up","content":[{"type":"text","text":"hey"}],'
        b'"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":1}}'
    )
    shown = msgspec.json.decode(made.write_answer(answer, IDENTITY))
    assert shown["object"] == "chat.completion"
    assert shown["choices"][0]["message"]["content"] == "hey"
    assert shown["usage"]["total_tokens"] == 4


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"1"])
def test_what_is_no_answer_is_none(body):
    assert translation(CHAT).read_answer(body) is None


@given(st.sampled_from([Wire.MESSAGES, Wire.GEMINI, Wire.RESPONSES]), st.binary(max_size=40))
def test_no_answer_raises(target, body):
    translation({**CHAT, "tools": []}, target=target).read_answer(body)


def test_what_cannot_be_told_is_refused_before_anything_is_sent():
    with pytest.raises(Untranslatable) as error:
        translation({**CHAT, "n": 3})
    assert error.value.name == "n"


def test_what_is_lost_is_counted():
    made = translation({**CHAT, "seed": 4})
    assert made.losses.counts["seed"] == 1
    assert b'"seed"' not in made.body


def test_each_answer_has_a_reader_a_writer_and_names_of_its_own():
    made = translation(CHAT)
    assert made.reader() is not made.reader()
    assert made.writer(IDENTITY) is not made.writer(IDENTITY)
    assert made.calls() is not made.calls()


def test_an_answer_that_is_none_has_no_facts():
    assert facts_of(None) == ReplyFacts()


def answer(*parts, finish=Finish.STOP, **values):
    return Answer(choices=[Choice(parts=list(parts), finish=finish)], **values)


@pytest.mark.parametrize(
    ("part", "empty", "size"),
    [
        (Text(text="hü"), False, 3),
        (Text(text=""), True, 0),
        (Refusal(text="no"), False, 2),
        (Refusal(text=""), True, 0),
        (Reasoning(texts=["a", "bü"]), False, 4),
        (Reasoning(texts=[]), True, 0),
        (Reasoning(texts=[], carrier=Carrier(Vendor.OPENAI, "x")), False, 0),
        (Call(id="1", name="go", arguments='{"a":1}'), False, 9),
        (Call(id="1", name="go", arguments=""), False, 2),
        (Image(data="AAAA", mime="image/png"), False, 0),
        (Audio(data="AAAA", mime="audio/wav", transcript="hey"), False, 3),
    ],
)
def test_what_was_produced_is_counted_as_the_client_sees_it(part, empty, size):
    facts = facts_of(answer(part))
    assert (facts.empty, facts.text_bytes, facts.finished) == (empty, size, True)


def test_the_rest_of_the_facts():
    usage, fault = Usage(input=3), UpstreamFault("t", "", "")
    facts = facts_of(answer(Text(text="a"), model="up", usage=usage, fault=fault))
    assert (facts.model, facts.usage, facts.usage_seen, facts.error) == ("up", usage, True, fault)
    assert facts_of(answer()).empty
    assert facts_of(answer()).model is None


def test_an_answer_has_finished_when_all_its_choices_have():
    ended = Choice(parts=[], finish=Finish.LENGTH)
    assert facts_of(Answer(choices=[ended, ended])).finished
    assert not facts_of(Answer(choices=[ended, Choice(parts=[])])).finished
    assert not facts_of(Answer(choices=[])).finished
