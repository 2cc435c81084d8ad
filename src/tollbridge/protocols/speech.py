"""Owns bodies of the speech endpoint: text in, sound out.

An answer says nothing of what it used unless it streams events, so the characters are counted here,
exactly, and tokens are estimated. Must not know accounts or prices.
"""

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from tollbridge.protocols.facts import ReplyFacts, decoded, fault_from, text_or_none
from tollbridge.protocols.json_peek import FieldError, TopLevel
from tollbridge.protocols.media_request import Refused, model_of
from tollbridge.protocols.media_usage import Counted, speech_usage, text_tokens
from tollbridge.protocols.usage import Usage

TOKENS_PER_SECOND: Final = 20
"""Tokens of a second of spoken output."""

_TEXT_BYTES_PER_SECOND: Final = 15
# 24,000 frames of 16 bits: the protocol's uncompressed formats.
_RAW_BYTES_PER_SECOND: Final = 48_000
_RAW_FORMATS: Final = frozenset({"pcm", "wav"})
_SOUNDS: Final = ("audio_data", "audio", "data")


class SpeechAsk(msgspec.Struct, frozen=True, gc=False):
    """What the gate needs to know of a speech request."""

    model: str
    characters: int
    """Unicode characters of the input."""
    input_bytes: int
    """UTF-8 bytes of the input and the instructions."""
    response_format: str
    stream: bool
    """The answer is to be an event stream; else it is the sound's own bytes."""


def read_ask(top: TopLevel) -> SpeechAsk:
    """Read a request; raises FieldError for a missing or wrongly typed field."""
    model = model_of(top)
    text = top.text("input")
    if not text:
        raise FieldError("input", "the text to speak")
    instructions = top.text("instructions") or ""
    return SpeechAsk(
        model=model,
        characters=len(text),
        input_bytes=len(text.encode()) + len(instructions.encode()),
        response_format=top.text("response_format") or "mp3",
        stream=top.text("stream_format") == "sse" or bool(top.boolean("stream")),
    )


def check_text(ask: SpeechAsk, text_max: int) -> None:
    """Raise Refused `text_too_long` for more characters than the model takes; 0 is no limit."""
    if text_max and ask.characters > text_max:
        raise Refused("text_too_long", "input", f"input is longer than {text_max} characters")


def counted(ask: SpeechAsk) -> Counted:
    """Return what a call may use of the things that are sold each: exactly its characters."""
    return Counted(characters=ask.characters)


def read_reply(body: bytes, content_type: bytes, ask: SpeechAsk) -> ReplyFacts:
    """Read a whole answer. Never raises; usage is None for an answer without a sound."""
    if not content_type.lower().startswith(b"application/json"):
        spoken = bool(body)
        return ReplyFacts(
            usage=spoken_usage(ask, None) if spoken else None, finished=spoken, empty=not spoken
        )
    reply = decoded(body) or {}
    spoken = any(text_or_none(reply.get(name)) for name in _SOUNDS)
    return ReplyFacts(
        model=text_or_none(reply.get("model")),
        usage=spoken_usage(ask, reply.get("usage")) if spoken else None,
        usage_seen=speech_usage(reply.get("usage")) is not None,
        finished=spoken,
        empty=not spoken,
        error=fault_from(reply.get("error")),
    )


def spoken_usage(ask: SpeechAsk, fields: Any) -> Usage:
    """Return the usage of a text that was spoken: its characters, and the tokens if they are told."""
    return replace(speech_usage(fields) or Usage(), character=ask.characters)


def estimate(ask: SpeechAsk, sound_bytes: int | None = None) -> Usage:
    """Return what a call probably used; the sound's size tells more when it is not compressed."""
    if sound_bytes is not None and ask.response_format in _RAW_FORMATS:
        tokens = -(-sound_bytes * TOKENS_PER_SECOND // _RAW_BYTES_PER_SECOND)
    else:
        tokens = -(-ask.input_bytes * TOKENS_PER_SECOND // _TEXT_BYTES_PER_SECOND)
    return Usage(input=text_tokens(ask.input_bytes), audio_output=tokens, character=ask.characters)
