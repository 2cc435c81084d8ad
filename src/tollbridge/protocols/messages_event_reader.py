"""Owns the reading of an Anthropic event stream into events of the neutral model.

Blocks are told apart by their index, for broken proxies mix them up; figures are cumulative and
replace what was seen (protocols.md 7.4). Never raises, whatever an upstream writes. Must not know
framing or other protocols.
"""

from typing import Any, Final

import msgspec

from tollbridge.protocols.answer import (
    CallArguments,
    CallEnd,
    CallStart,
    Cited,
    Done,
    Event,
    Failed,
    Finished,
    Made,
    ReasoningDelta,
    ReasoningEnd,
    Start,
    TextDelta,
    UsageSeen,
)
from tollbridge.protocols.carriers import native
from tollbridge.protocols.conversation import Json, Opaque, Vendor, Wire
from tollbridge.protocols.facts import UpstreamFault, text_or_none
from tollbridge.protocols.messages import fault_of
from tollbridge.protocols.messages_answer_reader import finish_of, tier_of
from tollbridge.protocols.messages_blocks import citation_of, redacted_carrier
from tollbridge.protocols.messages_usage import begun_usage, merged_usage, usage_from

_UNNAMED: Final = UpstreamFault(type="api_error", code="", message="")


class _Block:
    """A block that is open: its kind, its call's key, and what of it is said only at its end."""

    __slots__ = ("fresh", "key", "kind", "pieces", "raw", "signature")

    def __init__(self, kind: str, raw: Json) -> None:
        self.kind = kind
        self.raw = raw
        self.key = -1
        self.fresh = False
        self.signature = ""
        self.pieces: list[str] = []


class MessagesReader:
    """Reads one stream of one message."""

    def __init__(self) -> None:
        self._blocks: dict[int, _Block] = {}
        self._calls = 0
        self._figures: Json | None = None
        self._started = False
        self._kinds: set[str] = set()

    def read(self, name: bytes | None, data: Json) -> list[Event]:
        """Return what one frame says."""
        kind = data.get("type")
        if kind == "error" or name == b"error":
            return [Failed(fault_of(data) or _UNNAMED)]
        match kind:
            case "content_block_delta":
                return self._delta(_index(data), _object(data, "delta"))
            case "content_block_start":
                return self._block_start(_index(data), _object(data, "content_block"))
            case "content_block_stop":
                return self._close(_index(data))
            case "message_start":
                return self._message_start(_object(data, "message"))
            case "message_delta":
                return self._message_delta(data)
            case "message_stop":
                return [*self.end(), Done()]
        return []

    def end(self) -> list[Event]:
        """Close what is open, in the order in which it was opened."""
        return [event for index in list(self._blocks) for event in self._close(index)]

    def _message_start(self, message: Json) -> list[Event]:
        if self._started:
            return []
        self._started = True
        self._figures = merged_usage(None, message.get("usage"))
        usage = begun_usage(self._figures)
        id_, model = text_or_none(message.get("id")), text_or_none(message.get("model"))
        return [Start(id_ or "", model or "", usage)]

    def _message_delta(self, data: Json) -> list[Event]:
        events: list[Event] = []
        given = data.get("usage")
        if isinstance(given, dict):
            self._figures = merged_usage(self._figures, given)
            usage = usage_from(self._figures)
            if usage is not None:
                events.append(UsageSeen(usage, tier_of(self._figures)))
        delta = _object(data, "delta")
        finish = finish_of(delta.get("stop_reason"))
        if finish is not None:
            events.append(Finished(finish, text_or_none(delta.get("stop_sequence"))))
        return events

    def _block_start(self, index: int, raw: Json) -> list[Event]:
        events = self._close(index)
        kind = text_or_none(raw.get("type"))
        if kind is None:
            return events
        block = self._opened(index, kind, raw)
        match kind:
            case "text":
                events += self._text(block, raw.get("text"))
                for citation in _list(raw.get("citations")):
                    events += _cited(citation)
            case "thinking":
                events.append(ReasoningDelta(_text(raw, "thinking"), fresh=block.fresh))
                block.signature = _text(raw, "signature")
            case "tool_use":
                events += self._call(block, raw)
        return events

    def _opened(self, index: int, kind: str, raw: Json) -> _Block:
        block = _Block(kind, raw)
        block.fresh = kind in self._kinds
        self._kinds.add(kind)
        self._blocks[index] = block
        return block

    def _call(self, block: _Block, raw: Json) -> list[Event]:
        block.key = self._calls
        self._calls += 1
        start = CallStart(block.key, _text(raw, "id"), _text(raw, "name"))
        given = raw.get("input")
        if isinstance(given, dict) and given:
            return [start, CallArguments(block.key, msgspec.json.encode(given).decode())]
        return [start]

    def _delta(self, index: int, delta: Json) -> list[Event]:
        kind = text_or_none(delta.get("type")) or ""
        block = self._blocks.get(index)
        if block is None:
            implied = _IMPLIED.get(kind)
            if implied is None:
                return []
            block = self._opened(index, implied, {})
        match kind:
            case "text_delta":
                return self._text(block, delta.get("text"))
            case "thinking_delta":
                return _thought(block, _text(delta, "thinking"))
            case "signature_delta":
                block.signature = _text(delta, "signature") or block.signature
            case "input_json_delta":
                return _arguments(block, _text(delta, "partial_json"))
            case "citations_delta":
                return _cited(delta.get("citation"))
            case "compaction_delta":
                block.raw = {**block.raw, "content": delta.get("content")}
        return []

    def _text(self, block: _Block, text: Any) -> list[Event]:
        if not isinstance(text, str) or not text:
            return []
        fresh, block.fresh = block.fresh, False
        return [TextDelta(text, fresh=fresh)]

    def _close(self, index: int) -> list[Event]:
        block = self._blocks.pop(index, None)
        if block is None:
            return []
        match block.kind:
            case "text":
                return []
            case "thinking":
                signature = block.signature
                return [ReasoningEnd(native(signature, Vendor.ANTHROPIC) if signature else None)]
            case "redacted_thinking":
                data = _text(block.raw, "data")
                return [ReasoningEnd(redacted_carrier(data), redacted=True)] if data else []
            case "tool_use":
                return [CallEnd(block.key)]
        return [Made(Opaque(wire=Wire.MESSAGES, kind=block.kind, raw=_whole(block)))]


def _thought(block: _Block, text: str) -> list[Event]:
    fresh, block.fresh = block.fresh and not block.raw, False
    return [ReasoningDelta(text, fresh=fresh)] if text else []


def _arguments(block: _Block, text: str) -> list[Event]:
    if block.key < 0:
        block.pieces.append(text)
        return []
    return [CallArguments(block.key, text)] if text else []


def _cited(raw: Any) -> list[Event]:
    citation = citation_of(raw)
    return [] if citation is None else [Cited(citation)]


def _whole(block: _Block) -> Json:
    """Return a vendor's own block with the input that came in pieces."""
    written = "".join(block.pieces)
    if not written:
        return block.raw
    try:
        return {**block.raw, "input": msgspec.json.decode(written)}
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return block.raw


def _index(data: Json) -> int:
    index = data.get("index")
    return index if isinstance(index, int) else 0


def _object(data: Json, name: str) -> Json:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(data: Json, name: str) -> str:
    return text_or_none(data.get(name)) or ""


_IMPLIED: Final = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
}
