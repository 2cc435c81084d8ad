"""Owns writing turns as chat messages: one assistant message for all parallel calls, then the tools'.

Content goes out as strictly as the protocol has it: results are text, and media of results follow in a
user message after all of them (protocols.md 5.4, 5.6). What the client itself wrote in this
protocol is given back as it was. Must not know the rest of a request.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from tollbridge.protocols.abilities import Addressee
from tollbridge.protocols.chat_fields import rest_of
from tollbridge.protocols.chat_media import data_url, file_of, image_address, sound_format
from tollbridge.protocols.chat_reasoning import PARAGRAPHS, REASONING_FIELDS, google_content
from tollbridge.protocols.conversation import (
    Audio,
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
from tollbridge.protocols.tool_history import repaired
from tollbridge.protocols.tool_names import ToolNames

MESSAGES_FIELD: Mapping[Wire, str] = MappingProxyType(
    {
        Wire.CHAT: "messages",
        Wire.RESPONSES: "input",
        Wire.MESSAGES: "messages",
        Wire.GEMINI: "contents",
    }
)
"""Where the conversation stands in a client's own request."""

_INSTRUCTION = "[Instruction of the system] "
_FAILED = "Error: "
_MEDIA_OF = "Attached to the result of the tool call {}:"
_DETAILS = frozenset({"auto", "low", "high"})
_FORMATS = frozenset({"wav", "mp3"})
# Vendors whose models want their own reasoning back with the calls that came of it.
_REPLAYS = ("deepseek", "glm", "kimi", "mimo", "minimax", "moonshot", "qwen")


class MessageWriter:
    """Writes the messages of one conversation for one addressee.

    `customs` are the client's tools that take free text at the upstream too.
    """

    def __init__(
        self,
        conversation: Conversation,
        to: Addressee,
        names: ToolNames,
        losses: Losses,
        customs: frozenset[str],
    ) -> None:
        self._conversation = conversation
        self._own = conversation.wire is Wire.CHAT
        self._to = to
        self._names = names
        self._losses = losses
        self._customs = customs
        self._field = MESSAGES_FIELD[conversation.wire]
        model = to.model.lower()
        self._replays = to.compatible and any(name in model for name in _REPLAYS)

    def messages(self) -> list[Json]:
        """Return all messages; Untranslatable for what the protocol cannot say."""
        turns = self._conversation.turns
        if not self._own:
            turns = repaired([self._without_reasoning(turn) for turn in turns])
        written = self._system()
        for turn in turns:
            written.extend(self._turn(turn))
        return written

    def _without_reasoning(self, turn: Turn) -> Turn:
        """Return the turn without what the vendor must not see: others' carriers, old thoughts."""
        kept: list[Part] = []
        for part in turn.parts:
            if not isinstance(part, Reasoning):
                kept.append(part)
                continue
            if part.carrier is not None:
                self._losses.note("carrier")
            if part.texts and not self._replays:
                self._losses.note("reasoning_text")
            elif part.texts:
                kept.append(msgspec.structs.replace(part, carrier=None))
        return msgspec.structs.replace(turn, parts=kept)

    # ------------------------------------------------------------ instructions

    def _system(self) -> list[Json]:
        if self._own:
            return [self._leading(group) for group in _groups(self._conversation.system)]
        texts = [
            text
            for text in self._conversation.system
            if text.text.strip() and not text.extra.get("billing_header")
        ]
        if not texts:
            return []
        return [{"role": "system", "content": self._spoken_content(texts)}]

    def _leading(self, group: list[Text]) -> Json:
        texts = [
            msgspec.structs.replace(text, extra=rest_of(text.extra, "message", "continues"))
            for text in group
        ]
        message = {"role": "system", **group[0].extra.get("message", {})}
        return {**message, "content": self._spoken_content(texts)}

    def _instruction(self, turn: Turn) -> list[Json]:
        if not self._own and not self._to.abilities.system_anywhere:
            self._losses.note("system_place")
            text = PARAGRAPHS.join(part.text for part in turn.parts if isinstance(part, Text))
            return [{"role": "user", "content": _INSTRUCTION + text}]
        message: Json = {"role": "system", **self._beside(turn)}
        message["content"] = self._spoken_content(turn.parts)
        return [message]

    # ------------------------------------------------------------ turns

    def _turn(self, turn: Turn) -> list[Json]:
        if turn.role == "system":
            return self._instruction(turn)
        if turn.role == "assistant":
            return self._assistant(turn)
        results = [part for part in turn.parts if isinstance(part, Result)]
        rest: list[Part] = [part for part in turn.parts if not isinstance(part, Result)]
        written: list[Json] = []
        media: list[Part] = []
        for result in results:
            message, moved = self._result(result)
            written.append(message)
            media.extend(moved)
        if media or rest or not results:
            message = {"role": "user", **self._beside(turn)}
            message["content"] = self._spoken_content([*media, *rest])
            written.append(message)
        return written

    def _beside(self, turn: Turn) -> Json:
        fields = dict(turn.extra) if self._own else {}
        if turn.name:
            fields["name"] = turn.name
        return fields

    def _assistant(self, turn: Turn) -> list[Json]:
        texts = [part for part in turn.parts if isinstance(part, Text)]
        self._note_hints(turn.parts)
        refusals = [part.text for part in turn.parts if isinstance(part, Refusal)]
        calls = [part for part in turn.parts if isinstance(part, Call)]
        if refusals and not self._own and self._to.compatible:
            # A field that compatible vendors may not know.
            texts, refusals = [*texts, *(Text(text=one) for one in refusals)], []
        others = self._model_made(turn)
        if not self._own and not (texts or refusals or calls or others):
            return []
        message: Json = {"role": "assistant", **self._beside(turn), **others}
        message["content"] = self._said(texts, bare=not (refusals or calls or others))
        if refusals:
            message["refusal"] = "".join(refusals)
        if not any(name in message for name in REASONING_FIELDS):
            thoughts = [
                text for part in turn.parts if isinstance(part, Reasoning) for text in part.texts
            ]
            if thoughts:
                message["reasoning_content"] = PARAGRAPHS.join(thoughts)
        for call in calls:
            if self._own and call.extra.get("function_call"):
                message["function_call"] = {"name": call.name, "arguments": call.arguments}
            else:
                message.setdefault("tool_calls", []).append(self._call(call))
        return [message]

    def _model_made(self, turn: Turn) -> Json:
        """Return the fields of what is no text in an assistant's turn; only this protocol's client has such."""
        fields: Json = {}
        for part in turn.parts:
            if isinstance(part, (Text, Refusal, Call, Reasoning)):
                continue
            if self._own and isinstance(part, Image):
                fields.setdefault("images", []).append(self._part(part))
            elif self._own and isinstance(part, Opaque) and part.kind == "audio":
                fields["audio"] = part.raw
            else:
                raise Untranslatable(self._field, f"A model's turn cannot hold {_kind(part)} here.")
        return fields

    def _said(self, texts: list[Text], *, bare: bool) -> str | list[Json] | None:
        """Return the content of an assistant's message: null where it says something else instead."""
        if not texts:
            return "" if bare else None
        if self._own and not self._foldable(texts):
            return [self._part(text) for text in texts]
        return "".join(text.text for text in texts)

    def _call(self, call: Call) -> Json:
        name = self._names.outward(call.name, call.namespace)
        extra = dict(call.extra) if self._own else {}
        carrier = call.carrier
        if carrier is not None and "extra_content" not in extra:
            if self._own and carrier.vendor is Vendor.GEMINI:
                extra["extra_content"] = google_content(carrier)
            else:
                self._losses.note("carrier")
        if call.custom and (self._own or call.name in self._customs):
            custom = {"name": name, "input": call.arguments}
            return {"id": call.id, "type": "custom", "custom": custom, **extra}
        arguments = call.arguments
        if call.custom:
            self._names.customs.add(name)
            arguments = msgspec.json.encode({"input": arguments}).decode()
        function = {"name": name, "arguments": arguments or ("" if self._own else "{}")}
        return {"id": call.id, "type": "function", "function": function, **extra}

    def _result(self, result: Result) -> tuple[Json, list[Part]]:
        """Return the tool message, and the media that have to follow in a user message."""
        if self._own:
            message: Json = {"role": "tool", **result.extra}
            if result.call_id:
                message["tool_call_id"] = result.call_id
            if result.name:
                message["name"] = result.name
            message["content"] = self._spoken_content(result.parts)
            return message, []
        said = [part for part in result.parts if isinstance(part, Text)]
        self._note_hints([result, *said])
        texts = [part.text for part in said]
        moved: list[Part] = [part for part in result.parts if not isinstance(part, Text)]
        text = PARAGRAPHS.join(text for text in texts if text)
        if result.failed:
            self._losses.note("result_failed")
            text = _FAILED + text
        if moved:
            text = text or "(attached in the user's next message)"
            moved.insert(0, Text(text=_MEDIA_OF.format(result.call_id)))
        return {"role": "tool", "tool_call_id": result.call_id, "content": text}, moved

    # ------------------------------------------------------------ content

    def _spoken_content(self, parts: Sequence[Part]) -> str | list[Json]:
        """Return a string for a single text, or where the target wants one, else an array of parts."""
        self._note_hints(parts)
        texts = [part for part in parts if isinstance(part, Text)]
        if len(texts) == len(parts) and self._foldable(texts):
            return PARAGRAPHS.join(text.text for text in texts)
        return [self._part(part) for part in parts if not _is_empty(part)] if parts else ""

    def _foldable(self, texts: list[Text]) -> bool:
        """Say whether texts can be one string; what stands on them counts for our own clients only."""
        plain = not self._own or all(text.cache is None and not text.extra for text in texts)
        return plain and (self._to.compatible or len(texts) <= 1)

    def _note_hints(self, parts: Sequence[Part]) -> None:
        if not self._own:
            for part in parts:
                if getattr(part, "cache", None) is not None:
                    self._losses.note("cache_hint")

    def _part(self, part: Part) -> Json:
        written = self._written(part)
        cache = getattr(part, "cache", None)
        if self._own:
            written.update(getattr(part, "extra", {}))
            if cache is not None:
                written["cache_control"] = cache
        return written

    def _written(self, part: Part) -> Json:
        if isinstance(part, (Text, Refusal)):
            return {"type": "text", "text": part.text}
        if isinstance(part, Image):
            return self._image(part)
        if isinstance(part, Document):
            return self._document(part)
        if isinstance(part, Audio):
            return self._audio(part)
        if isinstance(part, Video) and self._own:
            url = data_url(part.mime, part.data) if part.data else part.url
            return {"type": "video_url", "video_url": {"url": url}}
        if isinstance(part, Opaque) and self._own:
            return dict(part.raw)
        raise Untranslatable(self._field, f"This model cannot be told {_kind(part)}.")

    def _image(self, part: Image) -> Json:
        if part.file_id:
            raise Untranslatable(self._field, "A file kept at another vendor cannot be read here.")
        image: Json = {"url": image_address(part)}
        if part.detail is not None and (self._own or part.detail in _DETAILS):
            image["detail"] = part.detail
        elif part.detail is not None:
            self._losses.note("image_detail")
        return {"type": "image_url", "image_url": image}

    def _document(self, part: Document) -> Json:
        if self._own:
            return {"type": "file", "file": file_of(part)}
        if part.url or part.file_id:
            raise Untranslatable(
                self._field,
                "A document has to be sent with its bytes; addresses and file ids cannot be read.",
            )
        if part.extra:
            self._losses.note("document_name")
        text = part.text or _plain(part)
        if text:
            head = f"{part.name}:{PARAGRAPHS}" if part.name else ""
            return {"type": "text", "text": head + text}
        return {"type": "file", "file": file_of(part)}

    def _audio(self, part: Audio) -> Json:
        form = sound_format(part.mime)
        if form not in _FORMATS and not self._own and not self._to.compatible:
            raise Untranslatable(self._field, "Only wav and mp3 sounds can be told to this model.")
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": form}}


def _groups(texts: list[Text]) -> list[list[Text]]:
    """Return the texts of the leading instructions, message by message."""
    groups: list[list[Text]] = []
    for text in texts:
        if text.extra.get("continues") and groups:
            groups[-1].append(text)
        else:
            groups.append([text])
    return groups


def _kind(part: Part) -> str:
    kind = part.kind if isinstance(part, Opaque) else type(part).__name__.lower()
    return f"a part of the kind {kind}"


def _is_empty(part: Part) -> bool:
    """Say whether an image has neither data nor an address: no vendor takes it."""
    return isinstance(part, Image) and not (part.data or part.url or part.file_id)


def _plain(part: Document) -> str:
    """Return the text of a text document that came as base64; empty for any other document."""
    if not part.mime.startswith("text/") or not part.data:
        return ""
    try:
        return b64decode(part.data, validate=True).decode()
    except (Base64Error, ValueError):
        return ""
