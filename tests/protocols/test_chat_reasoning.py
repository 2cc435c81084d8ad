"""Reasoning in chat messages: texts under all their names, carriers byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.carriers import sealed
from tollbridge.protocols.chat_reasoning import (
    detail_carrier,
    details_of,
    google_carrier,
    google_content,
    reasoning_parts,
)
from tollbridge.protocols.conversation import Carrier, Reasoning, Vendor

SIGNED = Carrier(Vendor.ANTHROPIC, "sig")
TEXTS = st.text(min_size=1)
BLOCKS = st.one_of(
    st.builds(
        Reasoning,
        texts=st.lists(TEXTS, max_size=1),
        carrier=st.builds(Carrier, st.just(Vendor.ANTHROPIC), TEXTS),
    ),
    st.builds(
        Reasoning,
        texts=st.just([]),
        redacted=st.just(True),
        carrier=st.builds(Carrier, st.just(Vendor.ANTHROPIC), TEXTS),
    ),
    st.builds(
        Reasoning,
        texts=st.lists(TEXTS, min_size=1, max_size=3),
        summary=st.just(True),
        carrier=st.builds(Carrier, st.just(Vendor.OPENAI), TEXTS, TEXTS),
    ),
)


@given(st.lists(BLOCKS, max_size=4))
def test_blocks_come_back_byte_for_byte(blocks):
    details = []
    for block in blocks:
        details += details_of(block, len(details))
    assert [one["index"] for one in details] == list(range(len(details)))
    text = "\n\n".join(text for block in blocks for text in block.texts)
    assert reasoning_parts({"reasoning_content": text, "reasoning_details": details}) == blocks


def test_text_without_details():
    for name in ("reasoning_content", "reasoning"):
        assert reasoning_parts({name: "a"}) == [Reasoning(texts=["a"])]
    assert reasoning_parts({"reasoning_content": "", "reasoning_details": "x"}) == []
    assert details_of(Reasoning(texts=["a"]), 0) == []


def test_a_lone_signature_is_that_of_the_text():
    signature = {"type": "reasoning.text", "signature": sealed(SIGNED)}
    message = {"reasoning": "a", "reasoning_details": [signature]}
    assert reasoning_parts(message) == [Reasoning(texts=["a"], carrier=SIGNED)]


@pytest.mark.parametrize(
    ("form", "vendor"),
    [
        ("anthropic-claude-v1", Vendor.ANTHROPIC),
        ("openai-responses-v1", Vendor.OPENAI),
        ("azure-openai-responses-v1", Vendor.OPENAI),
        ("google-gemini-v1", Vendor.GEMINI),
    ],
)
def test_vendors_own_values_are_known_by_their_format(form, vendor):
    detail = {"data": "x", "format": form, "id": "rs_1"}
    assert detail_carrier(detail) == Carrier(vendor, "x", "rs_1")


def test_what_nobody_knows_is_dropped():
    assert detail_carrier({"data": "x"}) is None
    assert detail_carrier({"data": "x", "format": "xai-responses-v1"}) is None
    assert detail_carrier({"data": sealed(SIGNED), "format": "google-gemini-v1"}) == SIGNED
    assert detail_carrier({"text": "x"}) is None


def test_gemini_signatures():
    carrier = Carrier(Vendor.GEMINI, "sig")
    assert google_carrier({"extra_content": google_content(carrier)}) == carrier
    for nothing in ({}, {"extra_content": 1}, {"extra_content": {"google": 1}}):
        assert google_carrier(nothing) is None
