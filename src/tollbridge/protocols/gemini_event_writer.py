"""Owns the writing of events as a Gemini stream.

Every chunk is a whole answer of its own; a call is said only when its arguments are all there; the
last chunk has the finish reasons and the figures (protocols.md 7.5). It writes no field that
Google's own SDK does not know. Must not know how bytes travel.
"""

import msgspec

from tollbridge.protocols.answer import (
    CallArguments,
    CallEnd,
    CallStart,
    Cited,
    Event,
    Finished,
    Identity,
    Made,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    Start,
    TextDelta,
)
from tollbridge.protocols.conversation import Call, Carrier, Citation, Conversation, Json, Text
from tollbridge.protocols.gemini_answer_parts import answer_parts, complete, thought_part
from tollbridge.protocols.gemini_answer_writer import CUT
from tollbridge.protocols.gemini_finish import reason_of
from tollbridge.protocols.gemini_grounding import grounding_fields
from tollbridge.protocols.gemini_parts import produced_bytes
from tollbridge.protocols.gemini_usage import usage_fields
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.usage import Usage

_PARAGRAPH = "\n\n"


class _Pending:
    """A call that is not said yet: its pieces, and whether they are all there."""

    __slots__ = ("carrier", "choice", "custom", "ended", "id", "name", "pieces")

    def __init__(self, start: CallStart) -> None:
        self.carrier: Carrier | None = start.carrier
        self.choice = start.choice
        self.custom = start.custom
        self.ended = False
        self.id = start.id
        self.name = start.name
        self.pieces: list[str] = []

    def call(self) -> Call:
        return Call(
            id=self.id,
            name=self.name,
            arguments="".join(self.pieces),
            custom=self.custom,
            carrier=self.carrier,
        )


class GeminiWriter:
    """Writes one stream; `sequence` is always 0, for Gemini's chunks have no numbers."""

    def __init__(
        self,
        identity: Identity,
        conversation: Conversation,  # noqa: ARG002 (all writers are made alike)
        losses: Losses,
    ) -> None:
        self._identity = identity
        self._losses = losses
        self._model = identity.model
        self._pending: dict[int, _Pending] = {}
        self._texts: dict[int, list[str]] = {}
        self._cited: dict[int, list[Citation]] = {}
        self._thought: set[int] = set()
        self.sequence = 0
        self.stream_id = ""

    def write(self, event: Event) -> bytes:
        """Return the chunks of one event, which may be none."""
        if isinstance(event, TextDelta | RefusalDelta):
            return self._text(event.text, event.choice)
        if isinstance(event, ReasoningDelta):
            return self._thinking(event)
        if isinstance(event, ReasoningEnd):
            self._thought.discard(event.choice)
            if event.carrier is None:
                return b""
            part = thought_part("", event.carrier, redacted=event.redacted)
            return self._chunk(event.choice, [part])
        if isinstance(event, CallStart | CallArguments | CallEnd):
            return self._call(event)
        if isinstance(event, Made):
            return self._made(event)
        if isinstance(event, Cited):
            self._cite(event)
        elif isinstance(event, Start):
            self._start(event)
        return b""

    def end(self, finishes: dict[int, Finished], usage: Usage | None, tier: str | None) -> bytes:  # noqa: ARG002 (Google's SDK knows no tier in answers)
        """Return the last chunk, after the calls that were never ended; a cut one is left out."""
        cut = {index for index, finished in finishes.items() if finished.finish in CUT}
        said = self._calls(cut, final=True)
        chunk = self._head()
        chunk["candidates"] = [
            self._finish(index, finished) for index, finished in sorted(finishes.items())
        ]
        if usage is not None:
            chunk["usageMetadata"] = usage_fields(usage)
        return said + _frame(chunk)

    def produced(self, frames: bytes) -> int:
        """Return the UTF-8 bytes of text, thoughts and calls in whole chunks."""
        return produced_bytes(frames)

    def _start(self, event: Start) -> None:
        if not self.stream_id:
            self.stream_id = event.id
        if event.model and not self._identity.renamed:
            self._model = event.model

    def _text(self, text: str, choice: int) -> bytes:
        if not text:
            return b""
        self._texts.setdefault(choice, []).append(text)
        return self._chunk(choice, [{"text": text}])

    def _thinking(self, event: ReasoningDelta) -> bytes:
        text = event.text
        if not text:
            return b""
        if event.fresh and event.choice in self._thought:
            text = _PARAGRAPH + text
        self._thought.add(event.choice)
        return self._chunk(event.choice, [thought_part(text)])

    def _cite(self, event: Cited) -> None:
        if event.citation.quote:
            self._losses.note("answer_citation")
        self._cited.setdefault(event.choice, []).append(event.citation)

    def _made(self, event: Made) -> bytes:
        if isinstance(event.part, Text):
            self._texts.setdefault(event.choice, []).append(event.part.text)
        parts = answer_parts(event.part, self._losses)
        return self._chunk(event.choice, parts) if parts else b""

    def _call(self, event: CallStart | CallArguments | CallEnd) -> bytes:
        if isinstance(event, CallStart):
            self._pending[event.key] = _Pending(event)
            return b""
        pending = self._pending.get(event.key)
        if pending is None:
            return b""
        if isinstance(event, CallArguments):
            pending.pieces.append(event.text)
            return b""
        pending.ended = True
        return self._calls()

    def _calls(self, cut: set[int] | None = None, *, final: bool = False) -> bytes:
        """Return the calls that are complete, in the order in which they began."""
        said: list[bytes] = []
        for key, pending in list(self._pending.items()):
            if not (pending.ended or final):
                break
            call = pending.call()
            # A call that may have been cut off waits for the end, which tells.
            if not final and not complete(call):
                break
            del self._pending[key]
            if complete(call) or pending.choice not in (cut or ()):
                said.append(self._chunk(pending.choice, answer_parts(call, self._losses)))
        return b"".join(said)

    def _finish(self, index: int, finished: Finished) -> Json:
        made: Json = {
            "content": {"parts": [{"text": ""}], "role": "model"},
            "finishReason": reason_of(finished.finish),
            "index": index,
        }
        if finished.stop_sequence is not None:
            self._losses.note("answer_stop_sequence")
        text = "".join(self._texts.get(index, []))
        cited = [(0, text, citation) for citation in self._cited.get(index, [])]
        grounding = grounding_fields(cited)
        if grounding:
            made["groundingMetadata"] = grounding
        return made

    def _chunk(self, choice: int, parts: list[Json]) -> bytes:
        content = {"parts": parts, "role": "model"}
        return _frame({"candidates": [{"content": content, "index": choice}], **self._head()})

    def _head(self) -> Json:
        if not self.stream_id:
            self.stream_id = self._identity.id
        return {"modelVersion": self._model, "responseId": self.stream_id}


def _frame(chunk: Json) -> bytes:
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"
