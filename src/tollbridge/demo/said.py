"""Owns what an answer says, in each protocol that the demonstration speaks, as text for a person.

Pure: bytes in, values out. It must not know of HTTP, prices or models.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

_DATA = re.compile(rb"^data: ?(.*?)\r?$", re.MULTILINE)
_DONE = b"[DONE]"
_NUMBERS_SHOWN = 3


class Unreadable(ValueError):
    """An answer that is not what its protocol promises; the text says what is wrong."""


class Said(NamedTuple):
    """What was said, and the number of events that it came in: 1 for a whole answer."""

    text: str
    events: int = 1


def chat(body: bytes) -> Said:
    """Read a chat completion."""
    return Said(str(_path(_object(body), "choices", 0, "message", "content")))


def chat_stream(body: bytes) -> Said:
    """Read its stream, which ends with a mark."""
    events = _events(body)
    if events[-1] != _DONE:
        raise Unreadable("the stream has no end")
    choices = [choice for event in events[:-1] for choice in _object(event).get("choices", ())]
    return Said("".join(choice["delta"].get("content") or "" for choice in choices), len(events))


def completion(body: bytes) -> Said:
    """Read a legacy completion."""
    return Said(str(_path(_object(body), "choices", 0, "text")))


def response(body: bytes) -> Said:
    """Read an answer of the Responses API."""
    items = _path(_object(body), "output")
    parts = [part for item in items for part in item.get("content") or ()]
    return Said("".join(part.get("text", "") for part in parts))


def response_stream(body: bytes) -> Said:
    """Read its stream."""
    return _typed(body, "response.output_text.delta", "response.completed", _delta)


def message(body: bytes) -> Said:
    """Read a message of Anthropic's."""
    return Said("".join(block.get("text", "") for block in _path(_object(body), "content")))


def message_stream(body: bytes) -> Said:
    """Read its stream."""
    return _typed(body, "content_block_delta", "message_stop", _text_delta)


def gemini(body: bytes) -> Said:
    """Read an answer of Gemini's."""
    return Said(_parts(_object(body)))


def gemini_stream(body: bytes) -> Said:
    """Read its stream, which is over when a candidate has a finish reason."""
    chunks = [_object(event) for event in _events(body)]
    if not _path(chunks[-1], "candidates", 0).get("finishReason"):
        raise Unreadable("the stream has no end")
    return Said("".join(map(_parts, chunks)), len(chunks))


def vector(body: bytes) -> Said:
    """Read an embedding."""
    found = _path(_object(body), "data", 0, "embedding")
    first = ", ".join(f"{number:.4f}" for number in found[:_NUMBERS_SHOWN])
    return Said(f"{len(found)} numbers: {first}, ...")


def image(body: bytes) -> Said:
    """Read an image that came as base64."""
    found = str(_path(_object(body), "data", 0, "b64_json"))
    return Said(f"an image, {len(found) * 3 // 4} bytes")


def sound(body: bytes) -> Said:
    """Read a sound, which is all of the body."""
    if not body:
        raise Unreadable("there is no sound")
    return Said(f"a sound, {len(body)} bytes")


def _typed(body: bytes, kind: str, end: str, text_of: Callable[[Any], str]) -> Said:
    """Read a stream whose events say their type."""
    events = [_object(event) for event in _events(body)]
    if events[-1].get("type") != end:
        raise Unreadable("the stream has no end")
    texts = (text_of(event.get("delta")) for event in events if event.get("type") == kind)
    return Said("".join(texts), len(events))


def _delta(delta: Any) -> str:
    return str(delta)


def _text_delta(delta: Any) -> str:
    return str(delta.get("text", ""))


def _parts(chunk: dict[str, Any]) -> str:
    parts = _path(chunk, "candidates", 0, "content").get("parts", ())
    return "".join(part.get("text", "") for part in parts)


def _events(body: bytes) -> list[bytes]:
    events = list(_data_of(body))
    if not events:
        raise Unreadable("the stream has no end")
    return events


def _data_of(body: bytes) -> Iterator[bytes]:
    return (found[1] for found in _DATA.finditer(body))


def _object(data: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise Unreadable(f"the answer cannot be read: {error}") from None


def _path(value: Any, *steps: str | int) -> Any:
    """Return what stands at the end of a path."""
    try:
        for step in steps:
            value = value[step]
    except (LookupError, TypeError):
        raise Unreadable(f"the answer has no {steps[-1]}") from None
    return value
