"""Whole Gemini answers as the neutral model knows them, and as Google's own SDK does."""

import json

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.protocols import recordings
from tollbridge.protocols.answer import Finish
from tollbridge.protocols.conversation import (
    Audio,
    Call,
    Carrier,
    Citation,
    Image,
    Opaque,
    Reasoning,
    Text,
    Vendor,
)
from tollbridge.protocols.gemini_answer_reader import read_answer

CALL = {"functionCall": {"name": "f", "args": {"b": 1, "a": [1.5]}}}


def answer_of(*parts, finish="STOP", **fields):
    candidate = {"content": {"parts": list(parts)}, "finishReason": finish}
    return read_answer({"candidates": [candidate], "responseId": "r", **fields})


def parts_of(*parts):
    return answer_of(*parts).choices[0].parts


def test_each_kind_of_part():
    signature = Carrier(Vendor.GEMINI, "c2ln")
    found = parts_of(
        {"text": "one ", "thought": True},
        {"text": "two", "thought": True},
        {"text": "said", "thoughtSignature": "c2ln"},
        CALL | {"thoughtSignature": "c2ln"},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"inline_data": {"mime_type": "audio/L16;rate=24000", "data": "BBBB"}},
        {"executableCode": {"code": "1", "language": "PYTHON"}},
    )
    assert found[0] == Reasoning(texts=["one two"], summary=True)
    assert found[1] == Text(text="said", carrier=signature)
    assert (found[2].name, found[2].arguments) == ("f", '{"b":1,"a":[1.5]}')
    assert found[2].carrier == signature
    assert found[3] == Image(data="AAAA", mime="image/png")
    assert found[4] == Audio(data="BBBB", mime="audio/L16;rate=24000")
    assert isinstance(found[5], Opaque)
    assert found[5].kind == "executableCode"


def test_calls_without_ids_get_the_same_ones_every_time_and_no_two_alike():
    ids = [part.id for part in parts_of(CALL, CALL, {"functionCall": {"id": "own", "name": "g"}})]
    assert ids[2] == "own"
    assert len(set(ids)) == 3
    assert ids == [
        part.id for part in parts_of(CALL, CALL, {"functionCall": {"id": "own", "name": "g"}})
    ]


@pytest.mark.parametrize(
    ("reason", "parts", "finish"),
    [
        ("STOP", [], Finish.STOP),
        ("STOP", [CALL], Finish.CALL),
        ("MAX_TOKENS", [CALL], Finish.LENGTH),
        ("PROHIBITED_CONTENT", [], Finish.POLICY),
        ("MALFORMED_FUNCTION_CALL", [], Finish.FAULT),
        ("SOMETHING_NEW", [], Finish.STOP),
        (1, [], Finish.STOP),
        (None, [], None),
        ("FINISH_REASON_UNSPECIFIED", [], None),
    ],
)
def test_finish(reason, parts, finish):
    assert answer_of(*parts, finish=reason).choices[0].finish == finish


def test_a_refused_prompt():
    answer = read_answer({"promptFeedback": {"blockReason": "SAFETY"}})
    assert answer.choices[0].finish is Finish.POLICY
    assert answer.choices[0].parts == []


def test_citations_are_placed_in_characters_of_their_text():
    candidate = {
        "content": {"parts": [{"text": "t", "thought": True}, {"text": "né dit"}, {"text": "oui"}]},
        "groundingMetadata": {
            "groundingChunks": [{"web": {"uri": "u", "title": "T"}}, {"web": {"uri": "v"}}],
            "groundingSupports": [
                {
                    "segment": {"partIndex": 1, "startIndex": 1, "endIndex": 3},
                    "groundingChunkIndices": [0, 7],
                }
            ],
        },
    }
    texts = read_answer({"candidates": [candidate]}).choices[0].parts[1:]
    assert texts[0].citations == [Citation(url="u", title="T", start=1, end=2)]
    assert texts[1].citations == [Citation(url="v")]


def test_usage_tier_and_fault():
    answer = read_answer(
        {
            "usageMetadata": {"promptTokenCount": 2, "serviceTier": "flex"},
            "error": {"code": 500, "status": "INTERNAL"},
        }
    )
    assert (answer.usage.input, answer.tier, answer.fault.type) == (2, "flex", "INTERNAL")


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "candidates",
                    "content",
                    "parts",
                    "text",
                    "thought",
                    "functionCall",
                    "name",
                    "args",
                    "index",
                    "finishReason",
                    "inlineData",
                    "data",
                    "mimeType",
                    "groundingMetadata",
                    "groundingSupports",
                    "segment",
                    "endIndex",
                    "groundingChunks",
                    "groundingChunkIndices",
                    "web",
                    "uri",
                    "promptFeedback",
                    "error",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["candidates", "error", "promptFeedback"]), ANY))
def test_no_answer_raises(body):
    read_answer(body)


def sdk(body):
    """Return the answer as Google's SDK reads it, without what its own models do not know."""
    body = json.loads(json.dumps(body))
    if isinstance(body.get("usageMetadata"), dict):
        for name in ("serviceTier", "pydantic_ai_gateway"):
            body["usageMetadata"].pop(name, None)
    try:
        return types.GenerateContentResponse.model_validate(body)
    except (ValidationError, AttributeError, UserWarning):
        return None


def test_every_recorded_answer_says_what_googles_sdk_says(corpus):
    seen = 0
    for recording in recordings.load(corpus, "gemini"):
        body = recording.body
        if not isinstance(body, dict) or not body.get("candidates"):
            continue
        expected = sdk(body)
        if expected is None:
            continue
        seen += 1
        answer = read_answer(body)
        assert len(answer.choices) == len(expected.candidates)
        for choice, candidate in zip(answer.choices, expected.candidates, strict=True):
            given_parts = (candidate.content and candidate.content.parts) or []
            spoken = [part for part in given_parts if part.text is not None]
            assert _texts(choice.parts, Text) == "".join(
                part.text for part in spoken if not part.thought
            )
            assert _texts(choice.parts, Reasoning) == "".join(
                part.text for part in spoken if part.thought
            )
            calls = [part for part in choice.parts if isinstance(part, Call)]
            wanted = [part.function_call for part in given_parts if part.function_call]
            assert [(one.name, json.loads(one.arguments)) for one in calls] == [
                (one.name, one.args or {}) for one in wanted
            ], recording.file
            signed = [part.thought_signature for part in given_parts if part.thought_signature]
            assert len(signed) == str(choice.parts).count("Carrier(") + sum(
                "thoughtSignature" in part.raw for part in choice.parts if isinstance(part, Opaque)
            )
            assert (choice.finish is None) == (candidate.finish_reason is None)
    assert seen > 120


def _texts(parts, kind):
    if kind is Text:
        return "".join(part.text for part in parts if isinstance(part, Text))
    return "".join(text for part in parts if isinstance(part, Reasoning) for text in part.texts)
