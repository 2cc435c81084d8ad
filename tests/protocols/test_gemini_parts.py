"""Sizes and payloads of parts: the quick count of bytes is the exact one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.gemini_parts import (
    blocked,
    finish_of,
    gemini_fault,
    has_payload,
    index_of,
    parts_of,
    produced_bytes,
    searches_in,
    text_size,
)

TEXT = st.text(max_size=12)
PART = (
    st.fixed_dictionaries({"text": TEXT})
    | st.fixed_dictionaries({"text": TEXT, "thought": st.just(True)})
    | st.fixed_dictionaries(
        {
            "functionCall": st.fixed_dictionaries(
                {"name": TEXT, "args": st.dictionaries(st.sampled_from(["text", "a"]), TEXT)}
            )
        }
    )
    | st.fixed_dictionaries({"executableCode": st.fixed_dictionaries({"code": TEXT})})
    | st.fixed_dictionaries({"inlineData": st.just({"data": "AAAA", "mimeType": "image/png"})})
)


def frame(parts, **fields):
    chunk = {"candidates": [{"content": {"parts": parts}}], **fields}
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\r\n\r\n"


@given(st.lists(st.lists(PART, max_size=3), max_size=3))
def test_frames_count_what_their_parts_count(chunks):
    frames = b"".join(frame(parts) for parts in chunks)
    assert produced_bytes(frames) == sum(text_size(part) for parts in chunks for part in parts)


def test_what_a_search_found_is_not_the_models_text():
    grounding = {"groundingSupports": [{"segment": {"text": "abc"}}]}
    data = {"content": {"parts": [{"text": "abc"}]}, "groundingMetadata": grounding}
    assert produced_bytes(b"data: " + json.dumps({"candidates": [data]}).encode() + b"\n\n") == 3


@pytest.mark.parametrize(
    ("part", "payload"),
    [
        ({"text": "a"}, True),
        ({"text": "a", "thought": True}, True),
        ({"text": "", "thoughtSignature": "AA=="}, False),
        ({"functionCall": {"name": "f"}}, True),
        ({"toolCall": {}}, True),
        ({}, False),
    ],
)
def test_payload(part, payload):
    assert has_payload(part) is payload


def test_candidates_are_read_whatever_they_look_like():
    assert parts_of({"content": {"parts": [{"inline_data": 1}, 3]}}) == [{"inlineData": 1}]
    assert parts_of({"content": []}) == []
    assert index_of({"index": 2}) == 2
    assert index_of({"index": "2"}) == index_of({}) == 0
    assert finish_of({"finish_reason": 1}) == 1
    assert finish_of({"finishReason": ["STOP"]}) is None


def test_blocked_needs_a_reason_and_no_candidate():
    feedback = {"blockReason": "OTHER"}
    assert blocked({"promptFeedback": feedback})
    assert not blocked({"promptFeedback": {"safetyRatings": []}})
    assert not blocked({"promptFeedback": feedback, "candidates": [{}]})


def test_searches():
    grounded = {"groundingMetadata": {"webSearchQueries": ["a", "b"]}}
    assert searches_in({"candidates": [grounded]}) == 2
    assert searches_in({"candidates": [grounded], "modelVersion": "models/gemini-2.0-pro"}) == 1
    assert searches_in({"candidates": [{"groundingMetadata": {}}]}) == 0


def test_faults():
    assert gemini_fault(None) is None
    assert gemini_fault("text").message == "text"
    assert gemini_fault({"type": "own", "status": "INTERNAL"}).type == "own"
