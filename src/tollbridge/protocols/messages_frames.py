"""Owns the bytes of an Anthropic event stream: one frame of each kind, and what was produced in them.

Both what is passed on and what is written by us is counted and ended here in the same way
(protocols.md 7.4). Must not know where events come from.
"""

import re
from typing import Final

import msgspec

from tollbridge.protocols.conversation import Json
from tollbridge.protocols.messages_usage import delta_usage_fields
from tollbridge.protocols.usage import Usage

EMPTY_TEXT: Final[Json] = {"type": "text", "text": ""}

# Text stands in deltas, or already in a block's start. Text of documents and search results stands
# elsewhere in a block and was not produced.
_TEXTS = re.compile(
    rb'"(?:delta|content_block)"\s*:\s*\{\s*(?:"type"\s*:\s*"[a-z_]+"\s*,\s*)?'
    rb'"(?:text|thinking|partial_json)"\s*:\s*"((?:[^"\\]|\\.)*)"'
)
_STRING = msgspec.json.Decoder(str)


def frame(event: Json) -> bytes:
    """Return one event as a frame."""
    name = str(event["type"]).encode()
    return b"event: " + name + b"\ndata: " + msgspec.json.encode(event) + b"\n\n"


def block_start(index: int, block: Json) -> bytes:
    """Return the frame that opens a block."""
    return frame({"type": "content_block_start", "index": index, "content_block": block})


def block_delta(index: int, delta: Json) -> bytes:
    """Return the frame of a delta to an open block."""
    return frame({"type": "content_block_delta", "index": index, "delta": delta})


def block_stop(index: int) -> bytes:
    """Return the frame that closes a block."""
    return frame({"type": "content_block_stop", "index": index})


def message_start(stream_id: str, model: str, usage: Json) -> bytes:
    """Return the frame that opens a message."""
    message: Json = {
        "id": stream_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    return frame({"type": "message_start", "message": message})


def message_end(stop_reason: str, stop_sequence: str | None, usage: Usage | None) -> bytes:
    """Return the two frames that end a message, with what it used in all."""
    delta = {"stop_reason": stop_reason, "stop_sequence": stop_sequence}
    figures = {"output_tokens": 0} if usage is None else delta_usage_fields(usage)
    return frame({"type": "message_delta", "delta": delta, "usage": figures}) + MESSAGE_STOP


def produced_bytes(frames: bytes) -> int:
    """Return the UTF-8 bytes of text, thinking and tool input in whole frames."""
    return sum([_unescaped(text) for text in _TEXTS.findall(frames)])


def _unescaped(text: bytes) -> int:
    if b"\\" not in text:
        return len(text)
    try:
        return len(_STRING.decode(b'"' + text + b'"').encode())
    except (msgspec.DecodeError, UnicodeError):
        return len(text)


MESSAGE_STOP: Final = frame({"type": "message_stop"})
