"""Owns what the events about one item of a stream say, however often they say it.

Never raises. Must not know the order of items or the end of a stream.
"""

from typing import Any, Final

from tollbridge.protocols.answer import (
    CallArguments,
    CallEnd,
    CallStart,
    Cited,
    Event,
    Made,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
)
from tollbridge.protocols.conversation import Json
from tollbridge.protocols.facts import text_or_none
from tollbridge.protocols.responses_items import (
    CALLS,
    call_of,
    is_message,
    part_of,
    reasoning_of,
)
from tollbridge.protocols.responses_media import citation_of, parts_of

_MESSAGE: Final = "message"
_REASONING: Final = "reasoning"
# By the beginning of an event's name: what it is about, and the field of its whole text.
_PIECES: Final = (
    ("response.output_text.", "text", "text"),
    ("response.refusal.", "refusal", "refusal"),
    ("response.reasoning_summary_text.", "summary", "text"),
    ("response.reasoning_text.", "thought", "text"),
    ("response.function_call_arguments.", "call", "arguments"),
    ("response.custom_tool_call_input.", "custom", "input"),
)
_KINDS: Final = {
    "text": _MESSAGE,
    "refusal": _MESSAGE,
    "summary": _REASONING,
    "thought": _REASONING,
}


def piece_of(kind: str) -> tuple[str, str, bool] | None:
    """Return (what an event is about, the field of its text, whether it is a delta)."""
    for start, about, field in _PIECES:
        if kind.startswith(start):
            step = kind[len(start) :]
            if step in {"delta", "done"}:
                return about, field, step == "delta"
    return None


def opened(kind: str, place: int, *, others: bool) -> "Item | None":
    """Return the item of an event that no item was added for; None where it has to be waited for."""
    piece = piece_of(kind)
    about = _KINDS.get(piece[0]) if piece else None
    return None if about is None else Item(place, {"type": about}, others=others)


class Item:
    """One item of the output; `others` says that another text came before this one."""

    def __init__(self, place: int, given: Json, *, others: bool) -> None:
        self.kind = _MESSAGE if is_message(given) else text_or_none(given.get("type")) or ""
        self.names: set[Any] = set()
        self.is_call = self.kind in CALLS
        self.has_text = False
        self.refused = False
        self._place = place
        self._others = others
        self._thinks = ""
        self._told: dict[tuple[str, int], str] = {}
        self._cited: set[tuple[int, str]] = set()
        self._done = False
        self._name_it(given)

    def begin(self, given: Json) -> list[Event]:
        """Return what the item's appearance says."""
        if self.is_call:
            call = call_of(given)
            start = CallStart(
                self._place, call.id, call.name, custom=call.custom, namespace=call.namespace
            )
            return [start]
        # An empty thought says that the model has begun to think.
        return [ReasoningDelta("", summary=True)] if self.kind == _REASONING else []

    def take(self, kind: str, data: Json) -> list[Event]:
        """Return what one event about the item says."""
        if self._done:
            return []
        piece = piece_of(kind)
        if piece is not None:
            about, field, is_delta = piece
            at = data.get("summary_index" if about == "summary" else "content_index")
            text = data.get("delta" if is_delta else field)
            index = at if type(at) is int else 0
            if not isinstance(text, str):
                return []
            return self._more(about, index, text) if is_delta else self._rest(about, index, text)
        if kind == "response.output_text.annotation.added":
            at = data.get("content_index")
            return self._notes(at if type(at) is int else 0, [data.get("annotation")])
        return []

    def done(self, given: Json) -> list[Event]:
        """Return what the complete item says that was not yet told."""
        if self._done:
            return []
        self._name_it(given)
        if self.kind == _MESSAGE:
            events = self._content(given.get("content"))
            self._done = True
            return events
        if self.is_call:
            events = self._rest("call", 0, call_of(given).arguments)
            return events + self.close()
        if self.kind == _REASONING:
            return self._thoughts(given)
        self._done = True
        return [Made(part_of(given))]

    def close(self) -> list[Event]:
        """Return the end of what is still open."""
        if self._done:
            return []
        self._done = True
        if self.is_call:
            return [CallEnd(self._place)]
        return [ReasoningEnd()] if self.kind == _REASONING else []

    # ------------------------------------------------------------ pieces

    def _name_it(self, given: Json) -> None:
        self.names |= {
            one for one in (given.get("id"), given.get("call_id")) if isinstance(one, str)
        }

    def _more(self, about: str, index: int, text: str) -> list[Event]:
        if about == "custom":
            about = "call"
        if about == "call":
            index = 0
        key = (about, index)
        first = key not in self._told
        if not text or (about in {"summary", "thought"} and not self._thinks_in(about)):
            return []
        self._told[key] = self._told.get(key, "") + text
        if about == "text":
            fresh = first and (self._others or self.has_text)
            self.has_text = True
            return [TextDelta(text, fresh=fresh)]
        if about == "refusal":
            self.refused = True
            return [RefusalDelta(text)]
        if about == "call":
            return [CallArguments(self._place, text)] if self.is_call else []
        fresh = first and sum(one == about for one, _ in self._told) > 1
        return [ReasoningDelta(text, summary=about == "summary", fresh=fresh)]

    def _rest(self, about: str, index: int, whole: str) -> list[Event]:
        """Return what a whole text says beyond what was told; nothing if it says something else."""
        if about in {"call", "custom"}:
            about, index = "call", 0
        told = self._told.get((about, index), "")
        return self._more(about, index, whole[len(told) :]) if whole.startswith(told) else []

    def _thinks_in(self, about: str) -> bool:
        """Say whether thoughts are told in this way; some upstreams tell both, once is enough."""
        self._thinks = self._thinks or about
        return self._thinks == about

    def _content(self, content: Any) -> list[Event]:
        events: list[Event] = []
        content = content if isinstance(content, list) else []
        for place, part in enumerate(content):
            if not isinstance(part, dict):
                continue
            index = self._index_of(place, len(content))
            if isinstance(part.get("refusal"), str) and part.get("type") == "refusal":
                events += self._rest("refusal", index, part["refusal"])
            elif isinstance(part.get("text"), str):
                events += self._rest("text", index, part["text"])
                notes = part.get("annotations")
                events += self._notes(index, notes if isinstance(notes, list) else [])
            else:
                events += [Made(one) for one in parts_of([part])]
        return events

    def _index_of(self, place: int, parts: int) -> int:
        """Return what events called the part at a place: some upstreams count the thoughts too."""
        called = sorted({index for _, index in self._told})
        if place in called or len(called) != parts or called[-1] < parts:
            return place
        return called[place]

    def _notes(self, index: int, notes: list[Any]) -> list[Event]:
        events: list[Event] = []
        for note in notes:
            citation = citation_of(note)
            key = (index, repr(citation))
            if citation is not None and key not in self._cited:
                self._cited.add(key)
                events.append(Cited(citation))
        return events

    def _thoughts(self, given: Json) -> list[Event]:
        events: list[Event] = []
        whole = reasoning_of(given)
        about = self._thinks or ("summary" if whole.summary else "thought")
        parts = given.get("summary" if about == "summary" else "content")
        for index, part in enumerate(parts if isinstance(parts, list) else ()):
            text = part.get("text") if isinstance(part, dict) else None
            if isinstance(text, str):
                events += self._rest(about, index, text)
        self._done = True
        return [*events, ReasoningEnd(whole.carrier, redacted=whole.redacted)]
