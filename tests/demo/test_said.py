"""Answers of each protocol are read, and those that are broken are no answers."""

import json
from collections.abc import Callable

import pytest

from tollbridge.demo import said
from tollbridge.demo.said import Said, Unreadable


def _stream(*events: object, end: str = "\n\n") -> bytes:
    return "".join(f"data: {json.dumps(event)}{end}" for event in events).encode()


_CHAT = _stream({"choices": [{"delta": {"content": "hi"}}]}, {"choices": []})
_TEXT = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "hi"}}
_CALL = {"type": "content_block_delta", "delta": {"type": "input_json_delta"}}
_DELTA = {"type": "response.output_text.delta", "delta": "hi"}
_CHUNK = {"candidates": [{"content": {"parts": [{"text": "hi"}]}}]}
_LAST = {"candidates": [{"content": {}, "finishReason": "STOP"}]}


@pytest.mark.parametrize(
    ("read", "body", "events"),
    [
        (said.chat_stream, _CHAT + b"data: [DONE]\n\n", 3),
        (said.message_stream, _stream(_TEXT, _CALL, {"type": "message_stop"}), 3),
        (said.response_stream, _stream(_DELTA, {"type": "response.completed"}), 2),
        (said.gemini_stream, _stream(_CHUNK, _LAST, end="\r\n\r\n"), 2),
    ],
)
def test_streams_are_read_to_their_end(
    read: Callable[[bytes], Said], body: bytes, events: int
) -> None:
    assert read(body) == Said("hi", events)
    cut = body[: body.rindex(b"data: ")]
    for broken in (cut, b"", b": nothing\n\n"):
        with pytest.raises(Unreadable, match="no end"):
            read(broken)


@pytest.mark.parametrize(
    ("read", "body"),
    [
        (said.chat, {"choices": [{"message": {"content": "hi"}}]}),
        (said.completion, {"choices": [{"text": "hi"}]}),
        (said.response, {"output": [{"type": "reasoning"}, {"content": [{"text": "hi"}]}]}),
        (said.message, {"content": [{"type": "thinking"}, {"type": "text", "text": "hi"}]}),
        (said.gemini, _CHUNK),
    ],
)
def test_whole_answers_are_read(read: Callable[[bytes], Said], body: object) -> None:
    assert read(json.dumps(body).encode()) == Said("hi")
    for broken in (b"{}", b"[]", b"<html>"):
        with pytest.raises(Unreadable):
            read(broken)


def test_what_cannot_be_shown_is_described() -> None:
    assert said.vector(_json({"data": [{"embedding": [0.5, 1, -1, 2]}]})) == Said(
        "4 numbers: 0.5000, 1.0000, -1.0000, ..."
    )
    assert said.image(_json({"data": [{"b64_json": "aGVsbG8h"}]})) == Said("an image, 6 bytes")
    assert said.sound(b"abc") == Said("a sound, 3 bytes")
    with pytest.raises(Unreadable):
        said.sound(b"")


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
