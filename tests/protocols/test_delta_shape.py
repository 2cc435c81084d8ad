"""A learned shape accepts frames that differ in their text alone."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.delta_shape import learn_shape, produced_bytes


def frame(delta, **fields):
    chunk = {"id": "c", "choices": [{"delta": delta, "finish_reason": None}], **fields}
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


@given(
    st.sampled_from(["content", "reasoning_content"]),
    st.text(),
    st.text(),
    st.none() | st.just("pad"),
)
def test_the_same_frame_with_another_text_fits(name, first, second, padding):
    fields = {} if padding is None else {"obfuscation": padding}
    shape = learn_shape(frame({name: first}, **fields))
    other = frame({name: second}, **({} if padding is None else {"obfuscation": padding * 2}))
    assert other.startswith(shape.prefix)
    end = shape.end_of_text(other)
    assert json.loads(b'"' + other[len(shape.prefix) : end] + b'"') == second
    assert shape.text_bytes(other, end) == len(second.encode())


@given(st.text(), st.sampled_from([{}, {"obfuscation": "abc"}, {"usage": None}]))
def test_the_edges_are_rewritten_and_the_text_is_not(text, fields):
    shape = learn_shape(frame({"content": "a"}, **fields))
    other = frame({"content": text}, **fields)
    end = shape.end_of_text(other)
    assert shape.shown(other, end) == other
    shape.show_as(lambda edge: edge.replace(b"null", b"0").replace(b'"c"', b'"d"'))
    chunk = json.loads(shape.shown(other, end)[6:])
    assert (chunk["id"], chunk["choices"][0]["finish_reason"]) == ("d", 0)
    assert chunk["choices"][0]["delta"]["content"] == text
    assert chunk.get("obfuscation") == fields.get("obfuscation")


@pytest.mark.parametrize(
    "other",
    [
        frame({"content": "x", "finish": 1}),
        frame({"content": "x"}, usage={}),
        frame({"content": "x"}) + frame({"content": "y"}),
        frame({"content": "x"})[:-1],
        frame({"content": "x"})[:-20],
        frame({"content": "x"}).replace(b"null", b'"stop"'),
        frame({"content": 'a"'}).replace(b"null", b'"stop"'),
    ],
)
@pytest.mark.parametrize("fields", [{}, {"obfuscation": "abc"}])
def test_anything_else_does_not_fit(other, fields):
    shape = learn_shape(frame({"content": "a"}, **fields))
    assert other.startswith(shape.prefix)
    assert shape.end_of_text(other) == 0
    assert shape.end_of_text(shape.prefix) == 0


def test_only_one_text_makes_a_shape():
    assert learn_shape(frame({"content": "a", "reasoning": "b"})) is None
    assert learn_shape(frame({"role": "assistant"})) is None


def test_produced_bytes():
    assert (
        produced_bytes(
            frame({"content": "aé\n"}) + frame({"tool_calls": [{"function": {"arguments": '{"'}}]})
        )
        == 6
    )
    assert produced_bytes(frame({"reasoning": "ab", "reasoning_details": [{"text": "ab"}]})) == 2
    assert (
        produced_bytes(frame({"content": [{"type": "thinking", "thinking": [{"text": "abc"}]}]}))
        == 3
    )
    assert produced_bytes(frame({"role": "assistant", "content": None})) == 0
    assert produced_bytes(b'{"content":"\\ud800"}') == 6
