"""Owns reading the chunks of a chat stream as events, whatever vendors make of the protocol.

The deviations that it survives are those of protocols.md 2.2 and 7.2: calls without index or id, a
new id at a used index, arguments as objects or sent twice, repeated roles and finishes, usage in any
chunk, errors in the middle, reasoning under three names. Must not know clients or other protocols.
"""

import hashlib
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Final

from tollbridge.protocols.answer import (
    CallArguments,
    CallEnd,
    CallStart,
    Cited,
    Event,
    Failed,
    Finished,
    Made,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    Start,
    TextDelta,
    UsageSeen,
)
from tollbridge.protocols.chat_answer_reader import (
    citations_of,
    content_parts,
    finish_of,
    images_of,
    stop_sequence_of,
)
from tollbridge.protocols.chat_normal import arguments_text
from tollbridge.protocols.chat_reasoning import (
    detail_carrier,
    detail_list,
    detail_text,
    google_carrier,
    reasoning_text,
)
from tollbridge.protocols.chat_usage import merge_usage, usage_from
from tollbridge.protocols.conversation import (
    Audio,
    Carrier,
    Citation,
    Json,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    Vendor,
)
from tollbridge.protocols.facts import decoded, fault_from, text_or_none

_ID_CHARS: Final = 24
_STREAMED_SOUND: Final = "audio/L16;rate=24000"
"""Spoken answers are streamed in this form only."""


class _Call:
    """One call of a choice. It is told once its name is known."""

    __slots__ = (
        "carrier",
        "custom",
        "held",
        "id",
        "key",
        "said",
        "started",
        "unnamed",
        "upstream_index",
    )

    def __init__(self, key: int, call_id: str, upstream_index: object) -> None:
        self.key = key
        self.id = call_id
        self.upstream_index = upstream_index
        self.carrier: Carrier | None = None
        self.custom = False
        self.started = False
        self.unnamed = False
        """The upstream gave no id so far."""
        self.said = ""
        self.held = ""
        """Arguments that were not told yet: an empty object may stand for none so far."""

    def more(self, text: str) -> str:
        """Return what is new in a piece of arguments."""
        if self.held:
            text = text if text.startswith("{") else self.held + text
            self.held = ""
        if not self.said and text == "{}":
            self.held = text
            return ""
        # Some vendors send the whole once more at the end. JSON twice in a row would be none.
        if text and text == self.said and decoded(text.encode()) is not None:
            return ""
        self.said += text
        return text


class _Sound:
    """A spoken answer, which comes in pieces of base64."""

    __slots__ = ("data", "transcript")

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.transcript: list[str] = []

    def add(self, audio: Json) -> None:
        try:
            self.data.append(b64decode(text_or_none(audio.get("data")) or ""))
        except (Base64Error, ValueError):
            self.data.append(b"")
        self.transcript.append(text_or_none(audio.get("transcript")) or "")

    def take(self) -> Audio | None:
        data, transcript = b64encode(b"".join(self.data)).decode(), "".join(self.transcript)
        self.data, self.transcript = [], []
        if not data and not transcript:
            return None
        return Audio(data=data, mime=_STREAMED_SOUND, transcript=transcript)


class _Choice:
    """What was said of one choice so far."""

    __slots__ = ("block", "calls", "index", "sound", "spoken", "thinking")

    def __init__(self, index: int) -> None:
        self.index = index
        self.calls: list[_Call] = []
        self.sound = _Sound()
        self.spoken = False
        self.thinking = False
        self.block: object = None
        """The index of the reasoning detail that is open."""


class ChatReader:
    """Reads one stream. The end mark is no JSON, so whoever frames the stream keeps it."""

    __slots__ = ("_choices", "_failed", "_figures", "_id", "_keys", "_sources", "_started", "_tier")

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}
        self._failed = False
        self._figures: Json | None = None
        self._id = ""
        self._keys = 0
        self._sources: list[str] = []
        self._started = False
        self._tier: str | None = None

    def read(self, name: bytes | None, data: Json) -> list[Event]:
        """Return what one chunk says."""
        if self._failed:
            return []
        fault = fault_from(data.get("error")) or (fault_from(data) if name == b"error" else None)
        if fault is not None:
            self._failed = True
            return [Failed(fault)]
        events = self._start(data)
        given = data.get("choices")
        choices = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
        for position, choice in enumerate(choices):
            events.extend(self._choice(choice, position))
        events.extend(self._usage(data, choices))
        sources = data.get("citations")
        if isinstance(sources, list):
            # They stand beside the choices, in every chunk.
            self._sources = [one for one in sources if isinstance(one, str) and one]
        return events

    def end(self) -> list[Event]:
        """Return what is still to be said; calls are closed."""
        events = [event for choice in self._choices.values() for event in _close(choice)]
        if self._sources and self._choices:
            events.extend(Cited(Citation(url=url)) for url in self._sources)
        return events

    # ------------------------------------------------------------ chunks

    def _start(self, data: Json) -> list[Event]:
        """Return the start, once a chunk says who it is or something of a choice."""
        if self._started or not (data.get("id") or data.get("choices")):
            return []
        self._started = True
        self._id = text_or_none(data.get("id")) or ""
        return [Start(id=self._id, model=text_or_none(data.get("model")) or "")]

    def _usage(self, data: Json, choices: list[Json]) -> list[Event]:
        self._tier = text_or_none(data.get("service_tier")) or self._tier
        seen = False
        for holder in (data, data.get("x_groq"), *choices):
            figures = holder.get("usage") if isinstance(holder, dict) else None
            if isinstance(figures, dict):
                self._figures = merge_usage(self._figures, figures)
                seen = True
        usage = usage_from(self._figures) if seen else None
        return [] if usage is None else [UsageSeen(usage, self._tier)]

    def _choice(self, given: Json, position: int) -> list[Event]:
        index = given.get("index")
        index = index if type(index) is int and index >= 0 else position
        choice = self._choices.setdefault(index, _Choice(index))
        delta = given.get("delta")
        if not isinstance(delta, dict) and not choice.spoken:
            # A whole message, where a vendor answers in one piece.
            delta = given.get("message")
        events = self._delta(delta, choice) if isinstance(delta, dict) else []
        called = any(call.started for call in choice.calls)
        finish = finish_of(given.get("finish_reason"), called=called)
        if finish is not None:
            events.extend(_thought_over(choice))
            events.append(Finished(finish, stop_sequence_of(given), index))
        return events

    def _delta(self, delta: Json, choice: _Choice) -> list[Event]:
        events = self._reasoning(delta, choice)
        said: list[Event] = []
        for part in content_parts(delta.get("content")):
            if isinstance(part, Text):
                said.append(TextDelta(part.text, choice.index))
            elif isinstance(part, Reasoning):
                events.extend(self._thought("".join(part.texts), choice))
            elif isinstance(part, Refusal):
                said.append(RefusalDelta(part.text, choice.index))
            elif not isinstance(part, Opaque):
                said.append(Made(part, choice.index))
        refusal = text_or_none(delta.get("refusal"))
        if refusal:
            said.append(RefusalDelta(refusal, choice.index))
        said.extend(Made(image, choice.index) for image in images_of(delta))
        audio = delta.get("audio")
        if isinstance(audio, dict):
            choice.sound.add(audio)
        said.extend(self._calls(delta, choice))
        said.extend(Cited(citation, choice.index) for citation in citations_of(delta))
        if said:
            events.extend(_thought_over(choice))
        choice.spoken = choice.spoken or bool(said or events)
        return events + said

    # ------------------------------------------------------------ reasoning

    def _reasoning(self, delta: Json, choice: _Choice) -> list[Event]:
        text = reasoning_text(delta)
        events = self._thought(text, choice) if text else []
        for detail in detail_list(delta):
            inner, carrier = detail_text(detail), detail_carrier(detail)
            fresh = choice.block is not None and detail.get("index") != choice.block
            summary = detail.get("type") == "reasoning.summary"
            # The details repeat what stands beside them.
            if inner and not text:
                events.extend(self._thought(inner, choice, summary=summary, fresh=fresh))
            if inner:
                choice.block = detail.get("index")
            if carrier is not None:
                events.extend(_carried(detail, carrier, choice))
        google = google_carrier(delta)
        if google is not None and not isinstance(delta.get("tool_calls"), list):
            choice.thinking = False
            events.append(ReasoningEnd(google, choice=choice.index))
        return events

    def _thought(
        self, text: str, choice: _Choice, *, summary: bool = False, fresh: bool = False
    ) -> list[Event]:
        fresh = fresh and choice.thinking
        choice.thinking = True
        return [ReasoningDelta(text, summary, choice.index, fresh)]

    # ------------------------------------------------------------ calls

    def _calls(self, delta: Json, choice: _Choice) -> list[Event]:
        given = delta.get("tool_calls")
        events: list[Event] = []
        for entry in given if isinstance(given, list) else ():
            if isinstance(entry, dict):
                custom = isinstance(entry.get("custom"), dict)
                tool = entry.get("custom" if custom else "function")
                call = self._call_for(entry, choice)
                call.custom = call.custom or custom
                call.carrier = call.carrier or google_carrier(entry)
                events.extend(_more(call, tool if isinstance(tool, dict) else {}, choice))
        legacy = delta.get("function_call")
        if isinstance(legacy, dict):
            slot = self._call_for({"index": "function_call"}, choice)
            events.extend(_more(slot, legacy, choice))
        return events

    def _call_for(self, entry: Json, choice: _Choice) -> _Call:
        """Return the call that an entry belongs to: by id, else by index, else the last one."""
        call_id, at = text_or_none(entry.get("id")), entry.get("index")
        for call in reversed(choice.calls):
            if call.id == call_id or (call_id is None and at in (None, call.upstream_index)):
                return call
            if not call.started and call.unnamed and at == call.upstream_index:
                call.id, call.unnamed = call_id or call.id, False
                return call
        key, self._keys = self._keys, self._keys + 1
        call = _Call(key, call_id or self._made_id(choice, len(choice.calls)), at)
        call.unnamed = call_id is None
        choice.calls.append(call)
        return call

    def _made_id(self, choice: _Choice, nth: int) -> str:
        """Return an id for a call that has none, the same for the same answer."""
        digest = hashlib.sha256(f"{self._id}/{choice.index}/{nth}".encode()).hexdigest()
        return f"call_{digest[:_ID_CHARS]}"


def _close(choice: _Choice) -> list[Event]:
    """Return the ends of all that is open.

    Calls are closed here only, because arguments may follow the finish of a choice.
    """
    events = _thought_over(choice)
    for call in choice.calls:
        if call.started and call.held:
            events.append(CallArguments(call.key, call.held))
        if call.started:
            events.append(CallEnd(call.key))
    choice.calls = []
    sound = choice.sound.take()
    return events if sound is None else [*events, Made(sound, choice.index)]


def _more(call: _Call, tool: Json, choice: _Choice) -> list[Event]:
    """Return the start of a call, if its name is here, and what is new of its arguments."""
    said = arguments_text(tool.get("input") if call.custom else tool.get("arguments"))
    name = text_or_none(tool.get("name"))
    if not call.started and name is None:
        call.held += said
        return []
    events: list[Event] = []
    if not call.started and name is not None:
        call.started = True
        said, call.held = call.held + said, ""
        events.append(CallStart(call.key, call.id, name, call.custom, call.carrier, choice.index))
    text = said if call.custom else call.more(said)
    return [*events, CallArguments(call.key, text)] if text else events


def _carried(detail: Json, carrier: Carrier, choice: _Choice) -> list[Event]:
    """Return the end of a block of reasoning, with what its vendor wants back."""
    redacted = carrier.vendor is Vendor.ANTHROPIC and detail.get("type") == "reasoning.encrypted"
    # What is redacted is a block of its own.
    events = _thought_over(choice) if redacted else []
    choice.thinking = False
    return [*events, ReasoningEnd(carrier, redacted, choice.index)]


def _thought_over(choice: _Choice) -> list[Event]:
    if not choice.thinking:
        return []
    choice.thinking = False
    choice.block = None
    return [ReasoningEnd(choice=choice.index)]
