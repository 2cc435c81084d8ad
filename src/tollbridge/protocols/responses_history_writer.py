"""Owns the writing of a foreign conversation as the input of the Responses protocol.

(protocols.md 5.3, 5.4, 5.6, 5.7.) Items have no ids, because nothing is stored. Must not know
tools' definitions or sampling.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Final, Literal

import msgspec
from msgspec import structs

from tollbridge.protocols.abilities import Addressee
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
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.responses_media import content_of
from tollbridge.protocols.tool_history import repaired
from tollbridge.protocols.tool_names import ToolNames

CALL_ID_MAX: Final = 64
FIELDS: Final[Mapping[Wire, str]] = MappingProxyType(
    {
        Wire.CHAT: "messages",
        Wire.MESSAGES: "messages",
        Wire.GEMINI: "contents",
        Wire.RESPONSES: "input",
    }
)
"""What a client's protocol calls its turns."""

_INLINE: Final = ("text/", "application/json", "application/xml")


class HistoryWriter:
    """Writes the turns of one conversation; `replays` says afterwards whether carriers went along."""

    def __init__(
        self, conversation: Conversation, to: Addressee, names: ToolNames, losses: Losses
    ) -> None:
        self._conversation = conversation
        self._to = to
        self._names = names
        self._losses = losses
        self._field = FIELDS[conversation.wire]
        self._instructor = "system" if to.compatible else "developer"
        self._customs: set[str] = set()
        self.replays = False

    def items(self) -> list[Json]:
        """Return the input; Untranslatable for what the model would have to see and cannot."""
        items: list[Json] = []
        for turn in repaired(self._conversation.turns):
            if turn.name:
                self._losses.note("message_name")
            if turn.role == "assistant":
                items += self._assistant(turn)
            elif turn.role == "system":
                items += self._message(self._instructor, turn.parts)
            else:
                items += self._user(turn)
        return items

    def _assistant(self, turn: Turn) -> list[Json]:
        items: list[Json] = []
        run: list[Part] = []
        for part in turn.parts:
            carrier = part.carrier if isinstance(part, (Text, Call, Image)) else None
            reasoning = self._reasoning([], carrier) if carrier else []
            if isinstance(part, (Text, Refusal)) and not reasoning:
                run.append(part)
                continue
            items += self._message("assistant", run)
            run = []
            items += reasoning
            if isinstance(part, (Text, Refusal)):
                run.append(part)
            elif isinstance(part, Call):
                items.append(self._call(part))
            elif isinstance(part, Reasoning):
                items += self._thoughts(part)
            else:
                # An answer of the model's can hold no media here, so the user shows it to the model.
                items += self._message("user", [part])
        return [*items, *self._message("assistant", run)]

    def _user(self, turn: Turn) -> list[Json]:
        items: list[Json] = []
        run: list[Part] = []
        for part in turn.parts:
            if not isinstance(part, Result):
                run.append(part)
                continue
            items += self._message("user", run)
            run = []
            items.append(self._result(part))
        return [*items, *self._message("user", run)]

    def _message(self, role: str, parts: list[Part]) -> list[Json]:
        if not parts:
            return []
        shown = [self._shown(part) for part in parts]
        first = shown[0]
        if len(shown) == 1 and isinstance(first, Text) and role != "assistant":
            return [{"role": role, "content": first.text}]
        content = content_of(shown, assistant=role == "assistant")
        kind = {"type": "message"} if role == "assistant" else {}
        return [{**kind, "role": role, "content": content}]

    # ------------------------------------------------------------ parts

    def _shown(self, part: Part) -> Part:
        """Return a part as this protocol can say it; Untranslatable."""
        if isinstance(part, Text):
            return self._text(part)
        if isinstance(part, Image):
            return self._image(part)
        if isinstance(part, Document):
            return self._document(part)
        if isinstance(part, Refusal):
            return part
        if isinstance(part, (Audio, Video)):
            kind = "sound" if isinstance(part, Audio) else "video"
            raise Untranslatable(self._field, f"This model's vendor takes no {kind}.")
        kind = part.kind if isinstance(part, Opaque) else "part"
        raise Untranslatable(self._field, f"This model's vendor has nothing like {kind!r}.")

    def _text(self, part: Text) -> Text:
        self._hint(part.cache)
        return Text(text=part.text, citations=part.citations)

    def _image(self, part: Image) -> Image:
        self._hint(part.cache)
        self._no_file(part.file_id)
        # The protocol insists on a level of detail.
        detail = part.detail or "auto"
        return structs.replace(part, cache=None, carrier=None, extra={}, detail=detail)

    def _document(self, part: Document) -> Part:
        self._hint(part.cache)
        self._no_file(part.file_id)
        if part.extra:
            self._losses.note("document_name")
        text = part.text or _text_in(part)
        if text:
            # Older models take no other files than PDF, and a text is the same for all of them.
            return Text(text=f"{part.name}:\n{text}" if part.name else text)
        name = part.name or ("document.pdf" if part.data else "")
        return structs.replace(part, cache=None, extra={}, name=name if part.data else "")

    def _hint(self, cache: Json | None) -> None:
        if cache:
            self._losses.note("cache_hint")

    def _no_file(self, file_id: str) -> None:
        if file_id:
            raise Untranslatable(
                self._field, "A file that is stored at one vendor is not at another."
            )

    # ------------------------------------------------------------ calls and thoughts

    def _call(self, call: Call) -> Json:
        self._hint(call.cache)
        call_id, name = _call_id(call.id), self._names.outward(call.name, call.namespace)
        head = {"call_id": call_id, "name": name}
        if not call.custom:
            return {"type": "function_call", **head, "arguments": call.arguments or "{}"}
        if name in self._names.customs or self._to.compatible:
            wrapped = msgspec.json.encode({"input": call.arguments}).decode()
            return {"type": "function_call", **head, "arguments": wrapped}
        self._customs.add(call_id)
        return {"type": "custom_tool_call", **head, "input": call.arguments}

    def _result(self, result: Result) -> Json:
        self._hint(result.cache)
        call_id = _call_id(result.call_id)
        kind: Literal["custom_tool_call_output", "function_call_output"] = (
            "custom_tool_call_output" if call_id in self._customs else "function_call_output"
        )
        parts = [self._shown(part) for part in result.parts]
        if result.failed:
            self._losses.note("result_failed")
            parts = _marked(parts)
        if all(isinstance(part, Text) for part in parts):
            joined = "\n".join(part.text for part in parts if isinstance(part, Text))
            return {"type": kind, "call_id": call_id, "output": joined}
        return {"type": kind, "call_id": call_id, "output": content_of(parts, assistant=False)}

    def _thoughts(self, part: Reasoning) -> list[Json]:
        if part.carrier is None:
            if any(part.texts):
                self._losses.note("reasoning_text")
            return []
        return self._reasoning(part.texts, part.carrier)

    def _reasoning(self, texts: list[str], carrier: Carrier) -> list[Json]:
        """Return the item that a carrier of this vendor's came in; the others mean nothing here."""
        if carrier.vendor is not Vendor.OPENAI:
            self._losses.note("carrier")
            return []
        self.replays = True
        summary = [{"type": "summary_text", "text": text} for text in texts if text]
        return [{"type": "reasoning", "summary": summary, "encrypted_content": carrier.payload}]


def _call_id(call_id: str) -> str:
    """Return an id that is not too long; the same one for the call and its result."""
    if len(call_id) <= CALL_ID_MAX:
        return call_id
    return "call_" + sha256(call_id.encode()).hexdigest()[:32]


def _text_in(document: Document) -> str:
    """Return the text of a document whose bytes are text, else nothing."""
    if not document.data or not document.mime.startswith(_INLINE):
        return ""
    try:
        return b64decode(document.data, validate=True).decode()
    except (Base64Error, UnicodeDecodeError, ValueError):
        return ""


def _marked(parts: list[Part]) -> list[Part]:
    """Return a failed result's parts; that it failed is said in its text (protocols.md 9)."""
    first = parts[0] if parts else None
    if isinstance(first, Text):
        return [Text(text=f"Error: {first.text}"), *parts[1:]]
    return [Text(text="Error:"), *parts]
