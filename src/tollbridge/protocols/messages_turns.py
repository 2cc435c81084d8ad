"""Owns the turns of an Anthropic request: which are sent, and each part as a content block.

What this vendor must not see (another's thoughts, empty texts) goes before the history is put in
order, for the order depends on what is left (protocols.md 5.3, 5.4, 5.6, 5.7). Must not know tools'
declarations or scalars.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Final

from msgspec import structs

from tollbridge.protocols.conversation import (
    Call,
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
from tollbridge.protocols.messages_blocks import REDACTED, allowed_id, input_of
from tollbridge.protocols.messages_request_reader import BILLING
from tollbridge.protocols.messages_thinking import is_signed
from tollbridge.protocols.tool_history import repaired
from tollbridge.protocols.tool_names import ToolNames

FIELDS: Final = {
    Wire.CHAT: "messages",
    Wire.RESPONSES: "input",
    Wire.MESSAGES: "messages",
    Wire.GEMINI: "contents",
}
"""Where the client's turns stand, by its protocol."""

_BEGIN: Final = "(The conversation begins.)"
_MARK: Final = "[System instruction]\n"
_CACHES_MAX: Final = 4
# How the bytes of each kind of file begin, in base64: they know better than a client's label.
_BEGINNINGS: Final = {
    "iVBORw0KGgo": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
}
_IMAGES: Final = frozenset(_BEGINNINGS.values())
_PDF: Final = "application/pdf"
_TEXTS: Final = ("text/", "application/json", "application/xml", "application/yaml")


def sendable(conversation: Conversation, losses: Losses, *, system_anywhere: bool) -> list[Turn]:
    """Return the turns that can be sent, in the order that the vendor demands."""
    own = conversation.wire is Wire.MESSAGES
    turns = [_allowed(turn, losses) for turn in conversation.turns]
    if own:
        return [
            turn for turn, was in zip(turns, conversation.turns, strict=True)
            if turn.parts or not was.parts
        ]  # fmt: skip
    if not system_anywhere:
        turns = [_marked(turn, losses) for turn in turns]
    turns = repaired(turns)
    if not any(turn.role != "system" for turn in turns):
        turns.append(Turn(role="user", parts=[Text(text=_BEGIN)]))
    return turns


def _allowed(turn: Turn, losses: Losses) -> Turn:
    """Return a turn without thoughts that the vendor would refuse: unsigned or another vendor's."""
    if turn.name:
        losses.note("message_name")
    kept: list[Part] = []
    for part in turn.parts:
        if isinstance(part, Reasoning) and not is_signed(part):
            if part.carrier is not None:
                losses.note("carrier")
            elif any(part.texts):
                losses.note("reasoning_text")
            continue
        if isinstance(part, (Text, Image, Call)) and part.carrier is not None:
            losses.note("carrier")
        kept.append(part)
    return structs.replace(turn, parts=kept)


def _marked(turn: Turn, losses: Losses) -> Turn:
    """Return an instruction as a text of the user's, in its place: hoisting it would change it."""
    if turn.role != "system":
        return turn
    losses.note("system_place")
    parts: list[Part] = [
        structs.replace(part, text=_MARK + part.text) if isinstance(part, Text) else part
        for part in turn.parts
    ]
    return Turn(role="user", parts=parts)


class BlockWriter:
    """Writes parts as blocks; afterwards `cached` are the blocks with a mark for the cache, in order."""

    def __init__(self, conversation: Conversation, names: ToolNames, losses: Losses) -> None:
        self._own = conversation.wire is Wire.MESSAGES
        self._field = FIELDS[conversation.wire]
        self._names = names
        self._losses = losses
        self.cached: list[Json] = []

    def messages(self, turns: list[Turn]) -> list[Json]:
        """Return the messages; raises Untranslatable for a part that cannot be said."""
        written = [
            {"role": turn.role, "content": self.blocks(turn.parts), **self._extra(turn.extra)}
            for turn in turns
        ]
        if not self._own and written and written[-1]["role"] == "assistant":
            # The vendor refuses white space at the end of a text that is to be continued.
            last = written[-1]["content"][-1]
            if last["type"] == "text":
                last["text"] = last["text"].rstrip()
        return written

    def system(self, texts: list[Text]) -> list[Json]:
        """Return the system's blocks."""
        return self.blocks(list[Part](texts))

    def blocks(self, parts: list[Part]) -> list[Json]:
        """Return the blocks of these parts; what says nothing is left out."""
        return [block for part in parts if (block := self._block(part)) is not None]

    def spare(self) -> None:
        """Take the earliest marks for the cache away where there are more than the vendor allows."""
        for block in self.cached[:-_CACHES_MAX]:
            block.pop("cache_control", None)

    def mark(self, block: Json, cache: Json | None) -> Json:
        """Return a block with its mark for the cache, if it has one."""
        if cache is not None and (self._own or cache.get("type") == "ephemeral"):
            block["cache_control"] = cache
            self.cached.append(block)
        return block

    def _extra(self, extra: Json) -> Json:
        return extra if self._own else {}

    def _block(self, part: Part) -> Json | None:
        match part:
            case Text():
                return self._text(part)
            case Reasoning():
                return self._thoughts(part)
            case Call():
                return self._call(part)
            case Result():
                return self._result(part)
            case Image():
                return self._image(part)
            case Document():
                return self._document(part)
            case Refusal():
                return {"type": "text", "text": part.text} if part.text.strip() else None
            case Opaque(wire=Wire.MESSAGES):
                return part.raw
        raise self._untold(part)

    def _text(self, part: Text) -> Json | None:
        if not self._own and not part.text.strip():
            return None
        block: Json = {"type": "text", "text": part.text}
        if self._own:
            block.update({name: value for name, value in part.extra.items() if name != BILLING})
        return self.mark(block, part.cache)

    def _thoughts(self, part: Reasoning) -> Json | None:
        carrier = part.carrier
        if carrier is None or carrier.vendor is not Vendor.ANTHROPIC:
            return None
        if part.redacted or carrier.item_id == REDACTED:
            return {"type": "redacted_thinking", "data": carrier.payload}
        block = {"type": "thinking", "thinking": "".join(part.texts), "signature": carrier.payload}
        return {**block, **self._extra(part.extra)}

    def _call(self, part: Call) -> Json:
        block = {
            "type": "tool_use",
            "id": allowed_id(part.id),
            "name": self._names.outward(part.name, part.namespace),
            "input": input_of(part.arguments, custom=part.custom),
        }
        return self.mark({**block, **self._extra(part.extra)}, part.cache)

    def _result(self, part: Result) -> Json:
        block: Json = {"type": "tool_result", "tool_use_id": allowed_id(part.call_id)}
        content = self.blocks(part.parts)
        if content:
            block["content"] = content
        if part.failed:
            block["is_error"] = True
        return self.mark({**block, **self._extra(part.extra)}, part.cache)

    def _image(self, part: Image) -> Json | None:
        if part.detail not in {None, "auto"}:
            self._losses.note("image_detail")
        source: Json
        if part.file_id:
            source = self._file(part.file_id, "An image")
        elif part.url:
            source = {"type": "url", "url": part.url}
        elif part.data:
            source = {"type": "base64", "media_type": self._image_mime(part), "data": part.data}
        else:
            return None
        return self.mark({"type": "image", "source": source, **self._extra(part.extra)}, part.cache)

    def _image_mime(self, part: Image) -> str:
        known = next((kind for at, kind in _BEGINNINGS.items() if part.data.startswith(at)), None)
        mime = part.mime if self._own else known or part.mime.lower()
        if not self._own and mime not in _IMAGES:
            raise Untranslatable(
                self._field, "Images for this model must be JPEG, PNG, GIF or WebP."
            )
        return mime

    def _document(self, part: Document) -> Json | None:
        source: Json
        if part.file_id:
            source = self._file(part.file_id, "A document")
        elif part.url:
            source = {"type": "url", "url": part.url}
        elif part.data:
            source = self._document_data(part)
        elif part.text.strip() or self._own:
            source = {"type": "text", "media_type": "text/plain", "data": part.text}
        else:
            return None
        block: Json = {"type": "document", "source": source, **self._extra(part.extra)}
        if part.name:
            block["title"] = part.name
        return self.mark(block, part.cache)

    def _document_data(self, part: Document) -> Json:
        mime = _PDF if part.data.startswith("JVBERi") else part.mime.lower()
        if self._own or mime == _PDF:
            mime = part.mime if self._own else mime
            return {"type": "base64", "media_type": mime, "data": part.data}
        if mime.startswith(_TEXTS):
            try:
                text = b64decode(part.data).decode()
            except (Base64Error, ValueError):
                raise Untranslatable(self._field, "A document is not readable text.") from None
            return {"type": "text", "media_type": "text/plain", "data": text}
        raise Untranslatable(self._field, "Documents for this model must be PDF or plain text.")

    def _file(self, file_id: str, what: str) -> Json:
        if not self._own:
            raise Untranslatable(
                self._field, f"{what} is kept by another vendor; send its content."
            )
        return {"type": "file", "file_id": file_id}

    def _untold(self, part: Part) -> Untranslatable:
        what = "Video" if isinstance(part, Video) else "Audio"
        if isinstance(part, Opaque):
            what = f"A part of the type {part.kind}"
        return Untranslatable(self._field, f"{what} cannot be sent to this model.")
