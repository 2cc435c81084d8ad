"""Owns the reading of a Gemini stream into events.

Parts come whole but for text, and for arguments where a client asked for pieces. It never raises,
whatever an upstream writes. Must not know other protocols or money.
"""

from typing import Any

import msgspec

from tollbridge.protocols.answer import (
    CallArguments,
    CallEnd,
    CallStart,
    Cited,
    Done,
    Event,
    Failed,
    Finish,
    Finished,
    Made,
    ReasoningDelta,
    ReasoningEnd,
    Start,
    TextDelta,
    UsageSeen,
)
from tollbridge.protocols.conversation import Call, Carrier, Citation, Json, Reasoning, Text
from tollbridge.protocols.facts import text_or_none
from tollbridge.protocols.gemini_arguments import PieceArguments
from tollbridge.protocols.gemini_call_id import call_id
from tollbridge.protocols.gemini_finish import finish_from
from tollbridge.protocols.gemini_grounding import citations_of
from tollbridge.protocols.gemini_names import spelled
from tollbridge.protocols.gemini_part_reader import read_part
from tollbridge.protocols.gemini_parts import (
    blocked,
    finish_of,
    gemini_fault,
    index_of,
    objects,
    parts_of,
    searches_in,
)
from tollbridge.protocols.gemini_signature import carrier_of
from tollbridge.protocols.gemini_usage import usage_from


class _Candidate:
    """What is known of one candidate: `open` is the key of a call whose arguments come in pieces."""

    __slots__ = ("arguments", "calls", "cited", "finished", "open", "texts", "thinking")

    def __init__(self) -> None:
        self.arguments = PieceArguments()
        self.calls = 0
        self.cited: set[Citation] = set()
        self.finished = False
        self.open: int | None = None
        self.texts: list[str] = []
        self.thinking = False


class GeminiReader:
    """Reads one stream."""

    def __init__(self) -> None:
        self._candidates: dict[int, _Candidate] = {}
        self._failed = False
        self._id = ""
        self._keys = 0
        self._searches = 0
        self._started = False

    def read(self, name: bytes | None, data: Json) -> list[Event]:  # noqa: ARG002 (no names here)
        """Return what one chunk says: parts first, then figures, then ends."""
        chunk = spelled(data)
        fault = gemini_fault(chunk.get("error"))
        if fault is not None:
            self._failed = True
            return [Failed(fault)]
        events: list[Event] = []
        if not self._started:
            self._started = True
            self._id = text_or_none(chunk.get("responseId")) or ""
            events.append(Start(self._id, text_or_none(chunk.get("modelVersion")) or ""))
        candidates = [spelled(candidate) for candidate in objects(chunk.get("candidates"))]
        for candidate in candidates:
            events += self._content(index_of(candidate), candidate)
        events += self._usage(chunk)
        for candidate in candidates:
            events += self._finish(index_of(candidate), candidate)
        if blocked(chunk):
            self._of(0).finished = True
            events.append(Finished(Finish.POLICY))
        return events

    def end(self) -> list[Event]:
        """Close what is open. There is no end mark: the end is proper where all have finished."""
        events: list[Event] = []
        for index, state in self._candidates.items():
            events += self._closed(index, state)
        ended = [state.finished for state in self._candidates.values()]
        if ended and all(ended) and not self._failed:
            events.append(Done())
        return events

    def _of(self, index: int) -> _Candidate:
        return self._candidates.setdefault(index, _Candidate())

    def _content(self, index: int, candidate: Json) -> list[Event]:
        state = self._of(index)
        events: list[Event] = []
        for part in parts_of(candidate):
            call = part.get("functionCall")
            if isinstance(call, dict) and _in_pieces(spelled(call), state):
                events += self._piece(index, state, spelled(call), part)
            else:
                events += self._part(index, state, part)
        if candidate.get("groundingMetadata") or candidate.get("citationMetadata"):
            for _, citation in citations_of(candidate, {0: "".join(state.texts)}):
                if citation not in state.cited:
                    state.cited.add(citation)
                    events.append(Cited(citation, index))
        return events

    def _part(self, index: int, state: _Candidate, given: Json) -> list[Event]:
        part = read_part(given)
        if isinstance(part, Reasoning):
            return self._thought(index, state, part)
        events = [] if state.open is None else self._closed(index, state)
        if isinstance(part, Text):
            carrier = part.carrier
            if state.thinking or carrier is not None:
                # A signature is best kept with the thoughts that it signs.
                ended = ReasoningEnd(carrier, choice=index)
                state.thinking = False
                events.append(ended)
            if part.text:
                state.texts.append(part.text)
                events.append(TextDelta(part.text, index))
            return events
        if state.thinking:
            state.thinking = False
            events.append(ReasoningEnd(choice=index))
        if isinstance(part, Call):
            id_ = part.id or call_id(self._id, index, state.calls)
            key = self._begin(state)
            return [
                *events,
                CallStart(key, id_, part.name, carrier=part.carrier, choice=index),
                CallArguments(key, part.arguments),
                CallEnd(key),
            ]
        return [*events, Made(part, index)]

    def _thought(self, index: int, state: _Candidate, part: Reasoning) -> list[Event]:
        events: list[Event] = []
        if part.texts:
            state.thinking = True
            events.append(ReasoningDelta(part.texts[0], summary=True, choice=index))
        if part.carrier is not None:
            state.thinking = False
            events.append(ReasoningEnd(part.carrier, part.redacted, index))
        return events

    def _begin(self, state: _Candidate) -> int:
        state.calls += 1
        self._keys += 1
        return self._keys - 1

    def _piece(self, index: int, state: _Candidate, call: Json, part: Json) -> list[Event]:
        """Take one part of a call that comes in pieces; the arguments are said when all are there."""
        events: list[Event] = []
        name = text_or_none(call.get("name"))
        if state.open is None or name is not None:
            events += self._closed(index, state)
            id_ = text_or_none(call.get("id")) or call_id(self._id, index, state.calls)
            state.open, state.arguments = self._begin(state), PieceArguments()
            carrier = _carrier(part.get("thoughtSignature"))
            events.append(CallStart(state.open, id_, name or "", carrier=carrier, choice=index))
        state.arguments.add(call)
        if call.get("willContinue") is not True:
            events += self._closed(index, state)
        return events

    def _closed(self, index: int, state: _Candidate) -> list[Event]:
        events: list[Event] = []
        if state.thinking:
            state.thinking = False
            events.append(ReasoningEnd(choice=index))
        if state.open is not None:
            key, state.open = state.open, None
            events += [CallArguments(key, state.arguments.text()), CallEnd(key)]
        return events

    def _usage(self, chunk: Json) -> list[Event]:
        self._searches = max(self._searches, searches_in(chunk))
        figures = spelled(chunk.get("usageMetadata"))
        usage = usage_from(figures)
        if usage is None:
            return []
        if self._searches:
            usage = msgspec.structs.replace(usage, web_search=self._searches)
        return [UsageSeen(usage, text_or_none(figures.get("serviceTier")))]

    def _finish(self, index: int, candidate: Json) -> list[Event]:
        reason = finish_of(candidate)
        if reason is None:
            return []
        state = self._of(index)
        state.finished = True
        events = self._closed(index, state)
        finish = finish_from(reason, called=state.calls > 0)
        return [*events, Finished(finish, choice=index)]


def _in_pieces(call: Json, state: _Candidate) -> bool:
    """Say whether a part belongs to a call in pieces: it says so, or has no name of its own."""
    if call.get("partialArgs") is not None or call.get("willContinue") is True:
        return True
    return state.open is not None and not call.get("name")


def _carrier(signature: Any) -> Carrier | None:
    return carrier_of(signature)[0] if isinstance(signature, str) else None
