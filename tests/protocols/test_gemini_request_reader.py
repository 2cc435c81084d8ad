"""Gemini requests in the neutral model, in both spellings; malformed ones are named."""

import pytest

from tests.protocols import recordings
from tollbridge.protocols.conversation import (
    Call,
    Carrier,
    Image,
    Reasoning,
    Result,
    Text,
    Turn,
    Vendor,
    Wire,
)
from tollbridge.protocols.gemini import RoleMissing
from tollbridge.protocols.gemini_request_reader import read_request
from tollbridge.protocols.json_peek import FieldError


def read(*contents, **fields):
    return read_request({"contents": list(contents), **fields}, model="m", stream=True)


def user(*parts):
    return {"role": "user", "parts": list(parts)}


def model(*parts):
    return {"role": "model", "parts": list(parts)}


HI = user({"text": "hi"})


def test_the_frame_of_a_request():
    conversation = read(
        HI,
        system_instruction={"parts": [{"text": "be good"}]},
        safetySettings=[{"category": "x"}],
        service_tier="flex",
        model="models/ignored",
        cachedContent=None,
    )
    assert (conversation.wire, conversation.model) == (Wire.GEMINI, "m")
    assert conversation.stream
    assert conversation.wants_usage
    assert conversation.system == [Text(text="be good")]
    assert conversation.turns == [Turn(role="user", parts=[Text(text="hi")])]
    assert conversation.tier == "flex"
    assert conversation.extra == {"safetySettings": [{"category": "x"}]}


def test_a_history_with_a_call_in_snake_case():
    conversation = read(
        HI,
        model(
            {"text": "hm", "thought": True},
            {"function_call": {"name": "f", "args": {"a_b": 1}}, "thought_signature": "c2ln"},
        ),
        user(
            {"function_response": {"name": "f", "response": {"output": "42"}}},
            {"inline_data": {"mime_type": "image/png", "data": "AAAA"}},
        ),
    )
    thought, call = conversation.turns[1].parts
    assert thought == Reasoning(texts=["hm"], summary=True)
    carrier = Carrier(Vendor.GEMINI, "c2ln")
    assert call == Call(id="", name="f", arguments='{"a_b":1}', carrier=carrier)
    result, image = conversation.turns[2].parts
    assert isinstance(result, Result)
    assert (result.name, result.parts, result.failed) == ("f", [Text(text="42")], False)
    assert image == Image(data="AAAA", mime="image/png")


def test_the_chunks_of_a_streamed_answer_are_one_turn():
    conversation = read(HI, model({"text": "a"}), model({"text": "b"}), model({"text": ""}), HI)
    assert [turn.role for turn in conversation.turns] == ["user", "assistant", "user"]
    assert conversation.turns[1].parts == [Text(text="ab")]


def test_a_plain_text_as_system_instruction():
    assert read(HI, systemInstruction="x").system == [Text(text="x")]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({}, "contents"),
        ({"contents": []}, "contents"),
        ({"contents": ["x"]}, "contents[0]"),
        ({"contents": [{"role": "robot"}]}, "contents[0].role"),
        ({"contents": [{"role": ["user"]}]}, "contents[0].role"),
        ({"contents": [{"role": "user", "parts": "x"}]}, "contents[0].parts"),
        ({"contents": [HI], "systemInstruction": 3}, "systemInstruction"),
        (
            {"contents": [HI], "systemInstruction": {"parts": [{"inlineData": {"data": ""}}]}},
            "systemInstruction.parts",
        ),
        ({"contents": [HI], "serviceTier": 1}, "serviceTier"),
    ],
)
def test_malformed_requests_are_named(body, name):
    with pytest.raises(FieldError) as caught:
        read_request(body, model="m", stream=False)
    assert caught.value.name == name


def test_a_missing_role():
    with pytest.raises(RoleMissing, match=r"contents\[1\]"):
        read(HI, {"parts": [{"text": "x"}]})


def test_every_recorded_request_is_read(corpus):
    seen = 0
    for recording in recordings.load(corpus, "gemini"):
        body = recording.request
        if not isinstance(body, dict) or "contents" not in body:
            continue
        seen += 1
        conversation = read_request(body, model="m", stream=False)
        texts = [
            part["text"]
            for content in body["contents"]
            for part in content.get("parts") or []
            if "text" in part and not part.get("thought")
        ]
        read_texts = [
            part.text
            for turn in conversation.turns
            for part in turn.parts
            if isinstance(part, Text)
        ]
        assert "".join(read_texts) == "".join(texts), recording.file
    assert seen > 200
