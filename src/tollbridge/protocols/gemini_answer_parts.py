"""Owns the writing of an answer's parts in Gemini's words, for whole answers and streams alike.

Nothing is refused here: the answer is made and paid for; what has no place is noted as a loss. Must
not know candidates or frames.
"""

from tollbridge.protocols.conversation import (
    Audio,
    Call,
    Carrier,
    Document,
    Image,
    Json,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    Video,
    Wire,
)
from tollbridge.protocols.gemini_part_writer import call_part, media_part, parsed_object
from tollbridge.protocols.gemini_signature import signature_of
from tollbridge.protocols.losses import Losses, Untranslatable

_PARAGRAPHS = "\n\n"


def answer_parts(part: Part, losses: Losses) -> list[Json]:
    """Return the parts that say one part of an answer."""
    if isinstance(part, Text):
        return _text(part.text, part.carrier, part.extra)
    if isinstance(part, Refusal):
        return _text(part.text, None, {})
    if isinstance(part, Reasoning):
        return _thoughts(part)
    if isinstance(part, Call):
        return [call_part(part, part.name, free_text=part.custom) | _own(part.extra)]
    if isinstance(part, (Image, Document, Audio, Video)):
        return _media(part, losses)
    if isinstance(part, Opaque) and part.wire is Wire.GEMINI:
        return [part.raw]
    losses.note("answer_opaque")
    return []


def complete(call: Call) -> bool:
    """Say whether a call's arguments are all there: a cut one must not look like a whole one."""
    return call.custom or not call.arguments.strip() or parsed_object(call.arguments) is not None


def thought_part(text: str, carrier: Carrier | None = None, *, redacted: bool = False) -> Json:
    """Return a thought; its carrier stands on it, so that the two come back together."""
    part: Json = {"text": text, "thought": True}
    if carrier is not None:
        part["thoughtSignature"] = signature_of(carrier, redacted=redacted)
    return part


def _text(text: str, carrier: Carrier | None, extra: Json) -> list[Json]:
    part: Json = {"text": text, **_own(extra)}
    if carrier is not None:
        part["thoughtSignature"] = signature_of(carrier)
    return [part] if text or carrier is not None else []


def _thoughts(part: Reasoning) -> list[Json]:
    """Return a thought as one part: its text is all that a signature may be of."""
    text = _PARAGRAPHS.join(part.texts)
    if not text and part.carrier is None:
        return []
    return [thought_part(text, part.carrier, redacted=part.redacted) | _own(part.extra)]


def _media(part: Image | Document | Audio | Video, losses: Losses) -> list[Json]:
    try:
        made = media_part(part, "", anywhere=True)
    except Untranslatable:
        losses.note("answer_opaque")
        return []
    if isinstance(part, Image) and part.carrier is not None:
        made["thoughtSignature"] = signature_of(part.carrier)
    spoken = _text(part.transcript, None, {}) if isinstance(part, Audio) else []
    return [*spoken, made | _own(part.extra)]


_OWN = frozenset(
    {"thoughtSignature", "thought", "mediaResolution", "videoMetadata", "partMetadata"}
)


def _own(extra: Json) -> Json:
    """Return what a part's reader kept of Gemini's own fields; other protocols' have no place here."""
    return {name: value for name, value in extra.items() if name in _OWN}
