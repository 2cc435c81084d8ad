"""Owns the writing of events as an Anthropic stream: strictly one open block at a time.

What arrives while a call is still being written waits until that call has ended, for its block
cannot be opened again (protocols.md 7.4). Must not know which protocol the events came in.
"""

from collections import deque
from typing import Final

import msgspec

from tollbridge.protocols.answer import (
    CallArguments,
    CallEnd,
    CallStart,
    Cited,
    Event,
    Finish,
    Finished,
    Identity,
    Made,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    Start,
    TextDelta,
)
from tollbridge.protocols.conversation import (
    Citation,
    Conversation,
    Json,
    Reasoning,
    Text,
)
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.messages_answer_writer import (
    call_id,
    message_id,
    model_of,
    opaque_block,
    signature_of,
    stop_reason,
    thoughts_block,
    whole_usage,
)
from tollbridge.protocols.messages_blocks import REDACTED, citation_fields
from tollbridge.protocols.messages_frames import (
    EMPTY_TEXT,
    block_delta,
    block_start,
    block_stop,
    message_end,
    message_start,
    produced_bytes,
)
from tollbridge.protocols.usage import Usage

_FREE_START: Final = '{"input":"'
_FREE_END: Final = '"}'
_PARAGRAPH: Final = "\n\n"
_THINKING: Final[Json] = {"type": "thinking", "thinking": "", "signature": ""}


class MessagesWriter:
    """Writes one message; of several choices the first."""

    sequence = 0

    def __init__(self, identity: Identity, conversation: Conversation, losses: Losses) -> None:
        del conversation  # The stream echoes nothing of the request.
        self._identity = identity
        self._losses = losses
        self._calls = 0
        # The open call's input is free text, which stands in one field of an object here.
        self._free = False
        self._index = 0
        self._live: int | None = None
        # The kind of the open block, None without one; whether anything was written into it.
        self._open: str | None = None
        self._said = False
        self._started = False
        self._waiting: deque[Event] = deque()
        self.stream_id = ""

    def write(self, event: Event) -> bytes:
        """Return the frames of one event."""
        if getattr(event, "choice", 0):
            self._losses.note("answer_choices")
            return b""
        if self._live is not None and not self._is_of_live(event):
            self._waiting.append(event)
            return b""
        written = self._write(event)
        return written + self._caught_up() if self._waiting and self._live is None else written

    def end(self, finishes: dict[int, Finished], usage: Usage | None, tier: str | None) -> bytes:
        """Return the frames that close the message.

        Without a finish the message ends for length: a cut is no success. The figures of a delta
        have no place for the tier.
        """
        del tier
        parts = [self._begin(None)]
        while self._live is not None or self._waiting:
            # A call that was never ended ends here; what waited for it follows.
            parts += [self._close(), self._caught_up()]
        parts.append(self._close())
        if not self._index:
            parts += [self._opened("text", EMPTY_TEXT), self._close()]
        finished = finishes.get(0) or Finished(Finish.LENGTH)
        reason = stop_reason(finished.finish, called=self._calls > 0)
        sequence = finished.stop_sequence if reason == "stop_sequence" else None
        return b"".join([*parts, message_end(reason, sequence, usage)])

    def produced(self, frames: bytes) -> int:
        """Return the UTF-8 bytes of text, thinking and tool input in whole frames."""
        return produced_bytes(frames)

    # order

    def _is_of_live(self, event: Event) -> bool:
        return isinstance(event, (CallArguments, CallEnd)) and event.key == self._live

    def _caught_up(self) -> bytes:
        """Return the frames of what waited, as far as no other call is in the way."""
        parts: list[bytes] = []
        kept: deque[Event] = deque()
        while self._waiting:
            event = self._waiting.popleft()
            if self._live is not None and not self._is_of_live(event):
                kept.append(event)
                continue
            parts.append(self._write(event))
            if self._live is None:
                kept.extend(self._waiting)
                self._waiting, kept = kept, deque()
        self._waiting = kept
        return b"".join(parts)

    # one event

    def _write(self, event: Event) -> bytes:
        match event:
            case TextDelta() | RefusalDelta():
                fresh = isinstance(event, TextDelta) and event.fresh
                return self._text(event.text, fresh=fresh)
            case ReasoningDelta():
                return self._thought(event)
            case CallArguments():
                return self._arguments(event)
            case ReasoningEnd():
                return self._thought_end(event)
            case CallStart():
                return self._call(event)
            case CallEnd():
                return self._close() if event.key == self._live else b""
            case Cited():
                return self._cited(event.citation)
            case Made():
                return self._made(event)
            case Start():
                return self._begin(event)
        return b""

    def _begin(self, start: Start | None) -> bytes:
        if self._started:
            return b""
        self._started = True
        known = start or Start()
        self.stream_id = message_id(known.id, self._identity)
        model = model_of(known.model, self._identity)
        return message_start(self.stream_id, model, whole_usage(known.usage))

    def _text(self, text: str, *, fresh: bool) -> bytes:
        if not text:
            # Closed at once, so that the next text begins a block of its own.
            return self._close() if fresh and self._open == "text" else b""
        parts = [self._turned("text", EMPTY_TEXT, fresh=fresh and self._said)]
        self._said = True
        return b"".join([*parts, self._delta({"type": "text_delta", "text": text})])

    def _thought(self, event: ReasoningDelta) -> bytes:
        opened = self._turned("thinking", _THINKING, fresh=False)
        text = event.text
        if event.fresh and self._said:
            text = _PARAGRAPH + text
        if not text:
            return opened
        self._said = True
        return opened + self._delta({"type": "thinking_delta", "thinking": text})

    def _thought_end(self, event: ReasoningEnd) -> bytes:
        carrier = event.carrier
        if carrier is not None and (event.redacted or carrier.item_id == REDACTED):
            block = thoughts_block(Reasoning(texts=[], redacted=True, carrier=carrier))
            return self._turned("redacted_thinking", block, fresh=True) + self._close()
        if carrier is None:
            return self._close() if self._open == "thinking" else b""
        opened = self._turned("thinking", _THINKING, fresh=False)
        signature = {"type": "signature_delta", "signature": signature_of(carrier)}
        return opened + self._delta(signature) + self._close()

    def _call(self, event: CallStart) -> bytes:
        # Only thoughts are signed here, those before the call or empty ones.
        signed = b"" if event.carrier is None else self._thought_end(ReasoningEnd(event.carrier))
        block: Json = {
            "type": "tool_use",
            "id": call_id(event.id, self._identity, self._calls),
            "name": event.name,
            "input": {},
        }
        self._calls += 1
        opened = signed + self._turned("tool_use", block, fresh=True)
        self._live = event.key
        self._free = event.custom
        return opened + self._input(_FREE_START) if event.custom else opened

    def _arguments(self, event: CallArguments) -> bytes:
        # A delta to a block that is not open would be one to another block.
        if event.key != self._live or not event.text:
            return b""
        if not self._free:
            return self._input(event.text)
        return self._input(msgspec.json.encode(event.text)[1:-1].decode())

    def _input(self, piece: str) -> bytes:
        return self._delta({"type": "input_json_delta", "partial_json": piece})

    def _cited(self, citation: Citation) -> bytes:
        if self._open != "text":
            self._losses.note("answer_citation")
            return b""
        return self._delta({"type": "citations_delta", "citation": citation_fields(citation)})

    def _made(self, event: Made) -> bytes:
        if isinstance(event.part, Text):
            return self._text(event.part.text, fresh=True)
        block = opaque_block(event.part, self._losses)
        if block is None:
            return b""
        given = block.get("input")
        if not isinstance(given, dict) or not given:
            return self._turned("opaque", block, fresh=True) + self._close()
        opened = self._turned("opaque", {**block, "input": {}}, fresh=True)
        return opened + self._input(msgspec.json.encode(given).decode()) + self._close()

    # blocks

    def _turned(self, kind: str, block: Json, *, fresh: bool) -> bytes:
        """Return the frames after which a block of this kind is open; `fresh`: another one."""
        if self._open == kind and not fresh:
            return b""
        return self._begin(None) + self._close() + self._opened(kind, block)

    def _opened(self, kind: str, block: Json) -> bytes:
        self._open = kind
        self._said = False
        return block_start(self._index, block)

    def _delta(self, delta: Json) -> bytes:
        return block_delta(self._index, delta)

    def _close(self) -> bytes:
        ending = self._input(_FREE_END) if self._free else b""
        self._live, self._free = None, False
        if self._open is None:
            return b""
        self._open = None
        self._index += 1
        return ending + block_stop(self._index - 1)
