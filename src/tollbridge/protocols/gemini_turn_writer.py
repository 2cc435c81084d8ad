"""Owns the writing of a conversation's turns as Gemini's contents.

What a foreign history has that Gemini must not see, another vendor's carriers and readable thoughts,
is dropped before the history is repaired (protocols.md 5.6, 5.7). Must not know tools or settings.
"""

from typing import Final

import msgspec

from tollbridge.protocols.conversation import (
    Audio,
    Call,
    Carrier,
    Conversation,
    Document,
    Image,
    Json,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Result,
    Text,
    Turn,
    Vendor,
    Video,
    Wire,
)
from tollbridge.protocols.gemini_part_writer import call_part, media_part
from tollbridge.protocols.gemini_signature import NO_SIGNATURE, signature_of
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.tool_history import repaired
from tollbridge.protocols.tool_names import ToolNames

HISTORY: Final = {
    Wire.CHAT: "messages",
    Wire.RESPONSES: "input",
    Wire.MESSAGES: "messages",
    Wire.GEMINI: "contents",
}
"""What each protocol calls its history, for errors that name a field."""

# Fields that a part keeps for its reader's sake, which are not fields of the part itself.
_INNER: Final = frozenset({"functionCall", "functionResponse", "response", "displayName"})
_MEDIA: Final = (Image, Document, Audio, Video)


class TurnWriter:
    """Writes the turns of one request.

    `signed` says that the model wants each step's first call to bear a signature (Gemini 3), so that
    a call of another vendor's model gets the one that stands for none.
    """

    def __init__(
        self, conversation: Conversation, names: ToolNames, losses: Losses, *, signed: bool
    ) -> None:
        self._turns = conversation.turns
        self._same = conversation.wire is Wire.GEMINI
        self._field = HISTORY[conversation.wire]
        self._names = names
        self._losses = losses
        self._signed = signed

    def contents(self) -> list[Json]:
        """Return the contents; Untranslatable names the history for what cannot be said."""
        turns = self._turns
        if not self._same:
            turns = repaired([self._understood(turn) for turn in turns])
        contents: list[Json] = []
        for turn in turns:
            made = self._content(turn)
            if not made["parts"] and not self._same:
                continue
            if contents and contents[-1]["role"] == made["role"] and not self._same:
                contents[-1]["parts"].extend(made["parts"])
            else:
                contents.append(made)
        return contents

    def _understood(self, turn: Turn) -> Turn:
        """Return a turn without what Gemini must not see; a thought's own signature stays."""
        if turn.name:
            self._losses.note("message_name")
        parts: list[Part] = []
        waiting: Carrier | None = None
        for given in turn.parts:
            part = self._own(given)
            if isinstance(part, Reasoning):
                waiting = self._thought(part) or waiting
                continue
            if waiting is not None:
                if isinstance(part, (Text, Call)) and part.carrier is None:
                    part = msgspec.structs.replace(part, carrier=waiting)
                elif not isinstance(part, (Text, Call)):
                    parts.append(Text(text="", carrier=waiting))
                waiting = None
            parts.append(part)
        if waiting is not None:
            parts.append(Text(text="", carrier=waiting))
        return msgspec.structs.replace(turn, parts=parts)

    def _own(self, part: Part) -> Part:
        """Return a part without another vendor's carrier, and note its other losses."""
        if getattr(part, "cache", None) is not None:
            self._losses.note("cache_hint")
        if isinstance(part, Image) and part.detail not in {None, "auto"}:
            self._losses.note("image_detail")
        if isinstance(part, Document) and part.name:
            self._losses.note("document_name")
        carrier = part.carrier if isinstance(part, (Text, Image, Call)) else None
        if carrier is None or carrier.vendor is Vendor.GEMINI:
            return part
        self._losses.note("carrier")
        return msgspec.structs.replace(part, carrier=None)

    def _thought(self, part: Reasoning) -> Carrier | None:
        if part.texts:
            self._losses.note("reasoning_text")
        if part.carrier is not None and part.carrier.vendor is not Vendor.GEMINI:
            self._losses.note("carrier")
            return None
        return part.carrier

    def _content(self, turn: Turn) -> Json:
        if turn.role == "system":
            self._losses.note("system_place")
        made: Json = {
            "role": "model" if turn.role == "assistant" else "user",
            "parts": self._parts(turn),
        }
        return {**turn.extra, **made} if self._same else made

    def _parts(self, turn: Turn) -> list[Json]:
        parts: list[Json] = []
        beside: list[Json] = []
        for part in turn.parts:
            if isinstance(part, Result):
                parts.append(self._result(part, beside))
                continue
            if beside:
                # What the answers show stands right after all of them.
                parts, beside = parts + beside, []
            parts += self._said(part, turn)
        parts += beside
        if self._signed and not self._same:
            first = next((part for part in parts if "functionCall" in part), None)
            if first is not None:
                first.setdefault("thoughtSignature", NO_SIGNATURE)
        return parts

    def _said(self, part: Part, turn: Turn) -> list[Json]:
        if isinstance(part, Text):
            text = f"<system>\n{part.text}\n</system>" if turn.role == "system" else part.text
            return [self._signed_part({"text": text}, part.carrier, part.extra)]
        if isinstance(part, Refusal):
            return [{"text": part.text}]
        if isinstance(part, Reasoning):
            texts = part.texts or [""]
            made: list[Json] = [{"text": text, "thought": True, **part.extra} for text in texts]
            if part.carrier is not None:
                made[-1]["thoughtSignature"] = signature_of(part.carrier, redacted=part.redacted)
            return made
        if isinstance(part, Call):
            return [self._call(part)]
        if isinstance(part, _MEDIA):
            made_media = media_part(part, self._field, anywhere=self._same)
            carrier = part.carrier if isinstance(part, Image) else None
            return [self._signed_part(made_media, carrier, part.extra)]
        if isinstance(part, Opaque) and part.wire is Wire.GEMINI:
            return [part.raw]
        kind = part.kind if isinstance(part, Opaque) else "result"
        reason = f"This model's vendor has no word for a part of the kind {kind}."
        raise Untranslatable(self._field, reason)

    def _signed_part(self, made: Json, carrier: Carrier | None, extra: Json) -> Json:
        if carrier is not None:
            made["thoughtSignature"] = signature_of(carrier)
        if self._same:
            made |= {name: value for name, value in extra.items() if name not in _INNER}
        return made

    def _call(self, part: Call) -> Json:
        name = self._names.outward(part.name, part.namespace)
        free = part.custom or name in self._names.customs
        if free:
            self._names.customs.add(name)
        made = call_part(part, name, free_text=free)
        if self._same:
            made["functionCall"] |= part.extra.get("functionCall", {})
        return self._signed_part(made, None, part.extra)

    def _result(self, part: Result, beside: list[Json]) -> Json:
        """Return a result; what else it shows is in it (Gemini 3) or goes `beside` it."""
        texts = [inner.text for inner in part.parts if isinstance(inner, Text)]
        shown: list[Json] = []
        for inner in part.parts:
            if isinstance(inner, _MEDIA):
                shown.append(media_part(inner, self._field, anywhere=self._same))
            elif not isinstance(inner, Text):
                shown += self._said(inner, Turn(role="user", parts=[]))
        response: Json = {"error" if part.failed else "result": "\n".join(texts)}
        if self._same and "response" in part.extra:
            response = part.extra["response"]
        name = self._names.outward(part.name, part.namespace)
        made: Json = {"name": name, "response": response}
        if part.call_id:
            made["id"] = part.call_id
        if shown and (self._same or self._signed):
            made["parts"] = shown
        else:
            beside += shown
        if self._same:
            made |= part.extra.get("functionResponse", {})
        return self._signed_part({"functionResponse": made}, None, part.extra)
