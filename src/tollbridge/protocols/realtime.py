"""Owns what is read of a realtime session and what we say in it ourselves.

Events pass untouched. Of the server's only those are parsed that can bear usage or tell which
responses run: they are found by their bytes, as nearly all of the others are audio. Pure.
"""

from typing import Any, Final, NamedTuple

import msgspec

from tollbridge.protocols.realtime_usage import usage_from
from tollbridge.protocols.usage import Usage

KEY_SUBPROTOCOL: Final = "openai-insecure-api-key."
"""What browsers put before their key in Sec-WebSocket-Protocol: they can set no header."""

SUBPROTOCOL: Final = "realtime"
BETA_SUBPROTOCOL: Final = "openai-beta.realtime-v1"

_TRANSCRIBED: Final = "conversation.item.input_audio_transcription.completed"
_MARKS: Final = (
    b'"response.done"',
    b'"response.created"',
    b'"conversation.item.input_audio_transcription.completed"',
)
_ID_MAX: Final = 200


class Begun(NamedTuple):
    """A response runs from now on."""

    id: str


class Used(NamedTuple):
    """Something that is billed is done: a response (`response` True) or a transcription.

    `id` tells repeated events apart, "" where the event names none. `usage` is None when the
    upstream did not say; `text_bytes` is what a completed response shows as text.
    """

    id: str
    response: bool
    usage: Usage | None
    text_bytes: int = 0


class Answered(NamedTuple):
    """The upstream refused an event of ours: everything that was sent before it has begun."""


Told = Begun | Used | Answered | None


def read_event(data: bytes, fence: bytes = b"") -> Told:
    """Return what an event of the server says that matters for the bill; None for nearly all.

    `fence` is the id of an event of ours whose refusal is awaited, empty for none. Never raises.
    """
    if not any(mark in data for mark in _MARKS) and not (fence and fence in data):
        return None
    try:
        event = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    if not isinstance(event, dict):
        return None
    kind = event.get("type")
    if kind == "response.created":
        return Begun(_id(_object(event, "response").get("id")))
    if kind == "response.done":
        response = _object(event, "response")
        usage = usage_from(response.get("usage"))
        shown = _text_bytes(response) if usage is None else 0
        return Used(_id(response.get("id")), True, usage, shown)
    if kind == _TRANSCRIBED:
        item = f"{_id(event.get('item_id'))}/{event.get('content_index')}"[:_ID_MAX]
        return Used(item, False, usage_from(event.get("usage")))
    if kind == "error" and fence:
        refused = _object(event, "error").get("event_id")
        return Answered() if refused == fence.decode() else None
    return None


def cancel(event_id: str, response_id: str = "") -> bytes:
    """Return the client's event that stops a response, the running one when none is named.

    Where nothing runs the server refuses it and names `event_id`.
    """
    event = {"type": "response.cancel", "event_id": event_id}
    if response_id:
        event["response_id"] = response_id
    return msgspec.json.encode(event)


def error_event(tid: str, error: dict[str, Any]) -> bytes:
    """Return the server's event that tells of an error: message, type, code and param of `error`."""
    told = {name: error.get(name) for name in ("type", "code", "message", "param")}
    return msgspec.json.encode(
        {"type": "error", "event_id": f"event_{tid}", "error": {**told, "event_id": None}}
    )


def _text_bytes(response: dict[str, Any]) -> int:
    """Return how many bytes of text a completed response shows: words, transcripts, arguments."""
    if response.get("status") != "completed":
        return 0
    output = response.get("output")
    size = 0
    for item in output if isinstance(output, list) else ():
        if not isinstance(item, dict):
            continue
        size += _size(item.get("arguments"))
        content = item.get("content")
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict):
                size += _size(part.get("text")) + _size(part.get("transcript"))
    return size


def _size(value: object) -> int:
    return len(value.encode(errors="replace")) if isinstance(value, str) else 0


def _id(value: object) -> str:
    return value[:_ID_MAX] if isinstance(value, str) else ""


def _object(event: dict[str, Any], name: str) -> dict[str, Any]:
    value = event.get(name)
    return value if isinstance(value, dict) else {}
