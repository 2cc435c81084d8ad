"""Owns writing a whole answer as a chat completion (protocols.md 6).

Beside the protocol's own fields it uses those that its clients know from other gateways:
`reasoning_content`, `reasoning_details`, `images` and `extra_content`. Must not know streams.
"""

from collections.abc import Mapping
from types import MappingProxyType

from tollbridge.protocols.answer import Answer, Choice, Finish, Identity
from tollbridge.protocols.chat_media import image_address
from tollbridge.protocols.chat_normal import chat_id
from tollbridge.protocols.chat_reasoning import PARAGRAPHS, details_of, google_content
from tollbridge.protocols.chat_tools import is_legacy
from tollbridge.protocols.chat_usage import usage_fields
from tollbridge.protocols.conversation import (
    Audio,
    Call,
    Citation,
    Conversation,
    Image,
    Json,
    Reasoning,
    Refusal,
    Result,
    Text,
    Vendor,
)
from tollbridge.protocols.losses import Losses

SOUND_KEPT_S = 3600
"""Seconds for which the protocol says that a spoken answer can be referred to."""

_FINISHES: Mapping[Finish, str] = MappingProxyType(
    {
        Finish.STOP: "stop",
        Finish.STOP_SEQUENCE: "stop",
        Finish.CALL: "tool_calls",
        Finish.LENGTH: "length",
        Finish.CONTEXT: "length",
        Finish.POLICY: "content_filter",
        Finish.PAUSED: "stop",
        Finish.FAULT: "stop",
    }
)
_NATURAL = frozenset({"stop", "tool_calls"})
_TIERS: Mapping[str, str] = MappingProxyType(
    {
        "auto": "auto",
        "default": "default",
        "fast": "fast",
        "flex": "flex",
        "priority": "priority",
        "scale": "scale",
        "standard": "default",
    }
)


def write_answer(
    answer: Answer, identity: Identity, conversation: Conversation, losses: Losses
) -> Json:
    """Return the chat completion that says this answer."""
    legacy = is_legacy(conversation)
    body: Json = {
        "id": answer_id(answer.id, identity),
        "object": "chat.completion",
        "created": identity.created_s,
        "model": model_of(answer.model, identity),
        "choices": [_choice(one, identity, losses, legacy=legacy) for one in answer.choices],
    }
    if answer.usage is not None:
        body["usage"] = usage_fields(answer.usage)
    tier = tier_of(answer.tier)
    if tier is not None:
        body["service_tier"] = tier
    if conversation.logprobs is not None:
        losses.note("answer_logprobs")
    return body


def answer_id(given: str, identity: Identity) -> str:
    """Return the id of an answer: the upstream's, where it is one of this protocol."""
    return given if given.startswith("chatcmpl-") else chat_id(identity)


def model_of(given: str, identity: Identity) -> str:
    """Return the model's name as the client is to see it."""
    return identity.model if identity.renamed else given or identity.model


def tier_of(given: str | None) -> str | None:
    """Return the tier in this protocol's words, None where it has none for it."""
    return None if given is None else _TIERS.get(given.lower())


def finish_reason_of(finish: Finish | None, *, calls: int, legacy: bool) -> str:
    """Return the finish reason; where calls were made, a natural end is one for calls (6.2)."""
    reason = _FINISHES.get(finish, "stop") if finish is not None else "stop"
    if reason in _NATURAL:
        reason = "tool_calls" if calls else "stop"
    return "function_call" if reason == "tool_calls" and legacy else reason


def citation_fields(citation: Citation, base: int, length: int) -> Json:
    """Return an annotation; `base` is where the citation's text begins, `length` where all text ends."""
    start = length if citation.start is None else base + citation.start
    end = start if citation.end is None else max(start, base + citation.end)
    return {
        "type": "url_citation",
        "url_citation": {
            "start_index": start,
            "end_index": end,
            "title": citation.title,
            "url": citation.url,
        },
    }


def image_entry(image: Image, at: int) -> Json:
    """Return an entry of `images`."""
    return {"type": "image_url", "index": at, "image_url": {"url": image_address(image)}}


def audio_fields(audio: Audio, identity: Identity) -> Json:
    """Return the `audio` of a message."""
    return {
        "id": f"audio_{identity.id}",
        "data": audio.data,
        "transcript": audio.transcript,
        "expires_at": identity.created_s + SOUND_KEPT_S,
    }


class _Message:
    """Puts the parts of one choice into a message."""

    def __init__(self, identity: Identity, losses: Losses, *, legacy: bool) -> None:
        self._identity = identity
        self._losses = losses
        self._legacy = legacy
        self._texts: list[str] = []
        self._length = 0
        self._refusals: list[str] = []
        self._thoughts: list[str] = []
        self._fields: Json = {}
        self.calls = 0

    def add(self, part: object) -> None:
        if isinstance(part, Text):
            self._text(part)
        elif isinstance(part, Call):
            self._call(part)
        elif isinstance(part, Reasoning):
            self._thoughts.extend(text for text in part.texts if text)
            details = self._fields.get("reasoning_details", [])
            more = details_of(part, len(details))
            if more:
                self._fields["reasoning_details"] = details + more
        elif isinstance(part, Refusal):
            self._refusals.append(part.text)
        elif isinstance(part, Image) and (part.data or part.url):
            self._image(part)
        elif isinstance(part, Audio) and "audio" not in self._fields:
            self._fields["audio"] = audio_fields(part, self._identity)
        else:
            self._losses.note("answer_server_tool" if isinstance(part, Result) else "answer_opaque")

    def whole(self) -> Json:
        said = bool(self._texts) or not (self._fields or self._refusals or self.calls)
        message: Json = {
            "role": "assistant",
            "content": "".join(self._texts) if said else None,
            "refusal": "".join(self._refusals) or None,
        }
        if self._thoughts:
            message["reasoning_content"] = PARAGRAPHS.join(self._thoughts)
        return {**message, **self._fields}

    def _text(self, part: Text) -> None:
        base, self._length = self._length, self._length + len(part.text)
        if part.text:
            self._texts.append(part.text)
        for citation in part.citations:
            if citation.quote:
                self._losses.note("answer_citation")
            entry = citation_fields(citation, base, self._length)
            self._fields.setdefault("annotations", []).append(entry)
        carrier = part.carrier
        if carrier is not None and carrier.vendor is Vendor.GEMINI:
            self._fields["extra_content"] = google_content(carrier)
        elif carrier is not None:
            self._losses.note("answer_carrier")

    def _image(self, part: Image) -> None:
        images = self._fields.setdefault("images", [])
        images.append(image_entry(part, len(images)))
        if part.carrier is not None:
            self._losses.note("answer_carrier")

    def _call(self, part: Call) -> None:
        self.calls += 1
        function = {"name": part.name, "arguments": part.arguments or "{}"}
        if self._legacy and self.calls == 1:
            self._fields["function_call"] = function
            return
        entry: Json = {"id": part.id or f"call_{self._identity.id}_{self.calls - 1}"}
        if part.custom:
            entry |= {"type": "custom", "custom": {"name": part.name, "input": part.arguments}}
        else:
            entry |= {"type": "function", "function": function}
        if part.carrier is not None and part.carrier.vendor is Vendor.GEMINI:
            entry["extra_content"] = google_content(part.carrier)
        elif part.carrier is not None:
            self._losses.note("answer_carrier")
        self._fields.setdefault("tool_calls", []).append(entry)


def _choice(choice: Choice, identity: Identity, losses: Losses, *, legacy: bool) -> Json:
    message = _Message(identity, losses, legacy=legacy)
    for part in choice.parts:
        message.add(part)
    if choice.finish is Finish.STOP_SEQUENCE:
        losses.note("answer_stop_sequence")
    reason = finish_reason_of(choice.finish, calls=message.calls, legacy=legacy)
    return {
        "index": choice.index,
        "message": message.whole(),
        "logprobs": None,
        "finish_reason": reason,
    }
