"""Owns bodies of the transcription and translation endpoints: a sound in, its text out.

Answers may be JSON, plain text or subtitles. Must not know accounts or prices.
"""

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from tollbridge.protocols.facts import ReplyFacts, decoded, fault_from, text_or_none
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.media_request import model_of
from tollbridge.protocols.media_usage import (
    Counted,
    seconds_of,
    text_tokens,
    transcription_usage,
)
from tollbridge.protocols.multipart import Form
from tollbridge.protocols.sound_length import SoundLength, sound_length
from tollbridge.protocols.usage import Usage

TOKENS_PER_SECOND: Final = 10
"""Tokens of a second of sound that is listened to."""

_JSON_FORMATS: Final = frozenset({"json", "verbose_json", "diarized_json"})


class TranscriptionAsk(msgspec.Struct, frozen=True, gc=False):
    """What the gate needs to know of a transcription or translation request."""

    model: str
    file_bytes: int
    length: SoundLength
    prompt_bytes: int
    response_format: str
    stream: bool


def read_ask(form: Form) -> TranscriptionAsk:
    """Read a request; raises FieldError for a missing or wrongly typed field."""
    model = model_of(form)
    files = form.files("file")
    if len(files) != 1 or not files[0].size:
        raise FieldError("file", "one sound file")
    return TranscriptionAsk(
        model=model,
        file_bytes=files[0].size,
        length=sound_length(form.view(files[0])),
        prompt_bytes=len((form.text("prompt") or "").encode()),
        response_format=form.text("response_format") or "json",
        stream=form.boolean("stream") or False,
    )


def counted(ask: TranscriptionAsk) -> Counted:
    """Return what a call may use at most of the things that are sold each."""
    return Counted(seconds=ask.length.most)


def read_reply(body: bytes, content_type: bytes, ask: TranscriptionAsk) -> ReplyFacts:
    """Read a whole answer. Never raises; usage is None where the answer tells nothing of it.

    A sound without a word in it has an empty text and is no empty answer.
    """
    is_json = content_type.lower().startswith(b"application/json")
    reply = decoded(body) if is_json or ask.response_format in _JSON_FORMATS else None
    if reply is None:
        # Plain text or subtitles, whatever was asked for.
        return ReplyFacts(finished=not is_json, empty=is_json, text_bytes=len(body))
    text = reply.get("text")
    written = isinstance(text, str)
    return ReplyFacts(
        model=text_or_none(reply.get("model")),
        usage=heard_usage(reply) if written else None,
        usage_seen=isinstance(reply.get("usage"), dict),
        finished=written,
        empty=not written,
        text_bytes=len(text.encode(errors="replace")) if isinstance(text, str) else 0,
        error=fault_from(reply.get("error")),
    )


def heard_usage(reply: dict[str, Any]) -> Usage | None:
    """Return the tokens and seconds that an answer or a last event tells; None when it tells neither.

    What is billed as seconds goes before the sound's own duration.
    """
    fields = reply.get("usage")
    tokens = transcription_usage(fields)
    said = fields if isinstance(fields, dict) else {}
    seconds = (
        seconds_of(said.get("seconds"))
        or seconds_of(said.get("prompt_audio_seconds"))
        or seconds_of(reply.get("duration"))
    )
    if seconds is None:
        return tokens
    return replace(tokens or Usage(), second=seconds)


def estimate(ask: TranscriptionAsk, text_bytes: int = 0) -> Usage:
    """Return what a call probably used of which the upstream said nothing."""
    seconds = ask.length.likely
    return Usage(
        input=text_tokens(ask.prompt_bytes),
        audio_input=seconds * TOKENS_PER_SECOND,
        output=text_tokens(text_bytes),
        second=seconds,
    )
