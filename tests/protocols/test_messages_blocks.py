"""The twin of protocols/messages_blocks.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.carriers import sealed
from tollbridge.protocols.conversation import (
    Call,
    Carrier,
    Citation,
    Document,
    Image,
    Opaque,
    Reasoning,
    Result,
    Text,
    Vendor,
)
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.messages_blocks import (
    allowed_id,
    citation_fields,
    citation_of,
    input_of,
    read_block,
    read_content,
)

CACHE = {"type": "ephemeral"}


def source(**fields):
    return {"type": "document", "source": fields}


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "text", "text": "a", "cache_control": CACHE, "new": 1},
            Text(text="a", cache=CACHE, extra={"new": 1}),
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "u"}},
            Image(url="u"),
        ),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "d"}},
            Image(data="d", mime="image/png"),
        ),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, Image(file_id="f")),
        (
            {**source(type="base64", media_type="application/pdf", data="d"), "title": "t"},
            Document(data="d", mime="application/pdf", name="t"),
        ),
        (source(type="text", data="d"), Document(text="d", mime="text/plain")),
        (source(type="url", url="u"), Document(url="u")),
        (source(type="file", file_id="f"), Document(file_id="f")),
        (
            {"type": "thinking", "thinking": "a", "signature": "s"},
            Reasoning(texts=["a"], carrier=Carrier(Vendor.ANTHROPIC, "s")),
        ),
        ({"type": "thinking", "thinking": "a", "signature": ""}, Reasoning(texts=["a"])),
        (
            {"type": "redacted_thinking", "data": "d"},
            Reasoning(
                texts=[],
                redacted=True,
                carrier=Carrier(Vendor.ANTHROPIC, "d", "redacted_thinking"),
            ),
        ),
        (
            {"type": "tool_use", "id": "t", "name": "n", "input": {"b": 1, "a": 2.5}},
            Call(id="t", name="n", arguments='{"b":1,"a":2.5}'),
        ),
        (
            {"type": "tool_result", "tool_use_id": "t", "content": "x", "is_error": True},
            Result(call_id="t", parts=[Text(text="x")], failed=True),
        ),
        ({"type": "tool_result", "tool_use_id": "t"}, Result(call_id="t", parts=[])),
    ],
)
def test_blocks(block, part):
    assert read_block(block, "") == part


@pytest.mark.parametrize(
    "block", [{"type": "search_result"}, source(type="content", content=[]), {"type": "new"}]
)
def test_what_the_model_has_no_name_for_is_kept(block):
    part = read_block(block, "")
    assert isinstance(part, Opaque) and part.raw is block and part.kind == block["type"]


def test_thoughts_of_another_vendor_are_known_again():
    carrier = Carrier(Vendor.OPENAI, "enc", "rs")
    block = {"type": "thinking", "thinking": "a", "signature": sealed(carrier)}
    assert read_block(block, "") == Reasoning(texts=["a"], summary=True, carrier=carrier)
    redacted = Carrier(Vendor.ANTHROPIC, "d", "redacted_thinking")
    block = {"type": "thinking", "thinking": "", "signature": sealed(redacted)}
    assert read_block(block, "").redacted


@pytest.mark.parametrize(
    ("block", "name"),
    [
        (5, "m.0"),
        ({}, "m.0.type"),
        ({"type": "text"}, "m.0.text"),
        ({"type": "text", "text": "a", "citations": "x"}, "m.0.citations"),
        ({"type": "image"}, "m.0.source"),
        ({"type": "image", "source": {"type": "url"}}, "m.0.source.url"),
        (source(type="base64", data="d"), "m.0.source.media_type"),
        ({"type": "tool_use", "id": "t"}, "m.0.name"),
        ({"type": "tool_use", "id": "t", "name": "n", "input": "x"}, "m.0.input"),
        ({"type": "tool_result", "tool_use_id": "t", "content": [{}]}, "m.0.content.0.type"),
        ({"type": "tool_result", "tool_use_id": "t", "content": 5}, "m.0.content"),
    ],
)
def test_the_field_to_blame_is_named(block, name):
    with pytest.raises(FieldError) as raised:
        read_content([block], "m.")
    assert raised.value.name == name


def test_citations_with_and_without_an_address():
    raw = {"type": "web_search_result_location", "url": "u", "title": "t", "cited_text": "q"}
    assert citation_of(raw) == Citation(url="u", title="t", quote="q")
    assert citation_of({"type": "page_location", "cited_text": "q"}) is None
    assert citation_of("x") is None
    text = {"type": "text", "text": "a", "citations": [raw, {"type": "page_location"}]}
    part = read_block(text, "")
    assert len(part.citations) == 1 and part.extra["citations"] == text["citations"]
    assert citation_of(citation_fields(Citation(url="u", quote="q"))) == Citation(
        url="u", quote="q"
    )


@pytest.mark.parametrize(
    ("arguments", "custom", "given_"),
    [
        ('{"a":1}', False, {"a": 1}),
        ("", False, {}),
        (" ", False, {}),
        ("[1]", False, {"_raw": "[1]"}),
        ('{"a":', False, {"_raw": '{"a":'}),
        ("free text", True, {"input": "free text"}),
    ],
)
def test_arguments_become_an_object(arguments, custom, given_):
    assert input_of(arguments, custom=custom) == given_


@given(st.text())
def test_ids_are_allowed_and_always_the_same(call_id):
    made = allowed_id(call_id)
    assert made == allowed_id(call_id)
    assert made and all(char.isascii() and (char.isalnum() or char in "_-") for char in made)
    assert allowed_id(made) == made
