"""Owns the writing of neutral events as a stream of the Responses protocol, by its grammar.

(protocols.md 7.3, 7.6.) One message or one chain of thoughts is open at a time; calls may be open
beside each other, for every event names its item. Must not know upstreams.
"""

from typing import Final

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
from tollbridge.protocols.conversation import Carrier, Conversation, Image, Json, Opaque
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.responses_echo import cut_off, ended, response_id, shell
from tollbridge.protocols.responses_open_items import OpenCall, OpenMessage, OpenThoughts
from tollbridge.protocols.responses_output import Items, Status
from tollbridge.protocols.responses_stream import produced_bytes
from tollbridge.protocols.usage import Usage

_STEPS: Final = {
    "image_generation_call": ("in_progress", "generating", "completed"),
    "web_search_call": ("in_progress", "searching", "completed"),
}


class ResponsesWriter:
    """Writes one stream; `sequence` is the next event's number."""

    def __init__(self, identity: Identity, conversation: Conversation, losses: Losses) -> None:
        self.stream_id = ""
        self.sequence = 0
        self._identity = identity
        self._conversation = conversation
        self._losses = losses
        self._make = Items(identity, conversation, losses)
        self._response: Json = {}
        self._done: dict[int, Json] = {}
        self._places = 0
        self._open: OpenMessage | OpenThoughts | None = None
        self._calls: dict[int, OpenCall] = {}

    def write(self, event: Event) -> bytes:
        """Return the frames of one event, which may be none."""
        if getattr(event, "choice", 0):
            self._losses.note("answer_choices")
            return b""
        model = event.model if isinstance(event, Start) else ""
        return self._begin(model) + b"".join(map(self._frame, self._events(event)))

    def end(self, finishes: dict[int, Finished], usage: Usage | None, tier: str | None) -> bytes:
        """Return the frames that close every item and the stream; the last says everything again."""
        first = finishes.get(0)
        finish = None if first is None else first.finish
        if first is not None and first.stop_sequence:
            self._losses.note("answer_stop_sequence")
        frames = self._begin("")
        status: Status = "incomplete" if cut_off(finish) else "completed"
        events = self._close(status)
        for key in list(self._calls):
            events += self._end_call(key, status)
        output = [self._done[place] for place in sorted(self._done)]
        response = ended(self._response, output, finish, usage, tier)
        events.append({"type": f"response.{response['status']}", "response": response})
        return frames + b"".join(map(self._frame, events))

    def produced(self, frames: bytes) -> int:
        """Return the UTF-8 bytes of text, reasoning and arguments in whole frames."""
        return produced_bytes(frames)

    # ------------------------------------------------------------ frames

    def _begin(self, model: str) -> bytes:
        """Return the first two frames, once."""
        if self.stream_id:
            return b""
        self.stream_id = response_id(self._identity)
        self._response = shell(self._conversation, self._identity, model)
        kinds = ("response.created", "response.in_progress")
        return b"".join([self._frame({"type": kind, "response": self._response}) for kind in kinds])

    def _frame(self, event: Json) -> bytes:
        kind: str = event["type"]
        body = {"type": kind, "sequence_number": self.sequence, **event}
        self.sequence += 1
        return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode(body) + b"\n\n"

    # ------------------------------------------------------------ events

    def _events(self, event: Event) -> list[Json]:
        if isinstance(event, TextDelta):
            return self._text(event)
        if isinstance(event, ReasoningDelta):
            return self._thought(event)
        if isinstance(event, CallArguments):
            call = self._calls.get(event.key)
            return [] if call is None else call.more(event.text)
        if isinstance(event, CallStart):
            return self._start_call(event)
        if isinstance(event, CallEnd):
            return self._end_call(event.key, "completed")
        if isinstance(event, ReasoningEnd):
            return self._end_thoughts(event.carrier, redacted=event.redacted)
        if isinstance(event, RefusalDelta):
            opening, message = self._message()
            return opening + message.refuse(event.text) if event.text else opening
        if isinstance(event, Cited):
            return self._cite(event)
        return self._made(event) if isinstance(event, Made) else []

    def _place(self) -> int:
        self._places += 1
        return self._places - 1

    def _message(self) -> tuple[list[Json], OpenMessage]:
        """Return the message that is open, and the events that open it."""
        if isinstance(self._open, OpenMessage):
            return [], self._open
        events = self._close("completed")
        message = self._open = OpenMessage(self._make, self._place())
        return [*events, message.added()], message

    def _text(self, event: TextDelta) -> list[Json]:
        if not event.text:
            return []
        opening, message = self._message()
        return opening + message.more(event.text, fresh=event.fresh)

    def _thought(self, event: ReasoningDelta) -> list[Json]:
        thoughts = self._open
        opening: list[Json] = []
        if not isinstance(thoughts, OpenThoughts):
            opening = self._close("completed")
            thoughts = self._open = OpenThoughts(self._make, self._place())
            opening.append(thoughts.added())
        return opening + thoughts.more(event.text, fresh=event.fresh)

    def _end_thoughts(self, carrier: Carrier | None, *, redacted: bool) -> list[Json]:
        """Close the thoughts with their carrier; a carrier without thoughts gets an item of its own."""
        events: list[Json] = []
        if not isinstance(self._open, OpenThoughts):
            if carrier is None:
                return []
            events = self._close("completed")
            thoughts = self._open = OpenThoughts(self._make, self._place())
            events.append(thoughts.added())
        self._open.carrier = carrier
        self._open.redacted = redacted
        return events + self._close("completed")

    def _start_call(self, event: CallStart) -> list[Json]:
        events = self._close("completed")
        if event.carrier is not None:
            # The protocol has no place for it on a call, so thoughts before the call bear it.
            events += self._end_thoughts(event.carrier, redacted=False)
        events += self._end_call(event.key, "completed")
        place = self._place()
        head = self._make.head(place, event.id, event.name, event.namespace, custom=event.custom)
        call = self._calls[event.key] = OpenCall(self._make, place, head)
        return [*events, call.added()]

    def _end_call(self, key: int, status: Status) -> list[Json]:
        call = self._calls.pop(key, None)
        if call is None:
            return []
        events, self._done[call.place] = call.close(status)
        return events

    def _cite(self, event: Cited) -> list[Json]:
        if event.citation.quote:
            self._losses.note("answer_citation")
        if isinstance(self._open, OpenMessage):
            return self._open.cite(event.citation)
        self._losses.note("answer_citation")
        return []

    def _made(self, event: Made) -> list[Json]:
        part = event.part
        item: Json | None = None
        if isinstance(part, Image):
            item = self._make.image(self._places, part)
        elif isinstance(part, Opaque):
            item = self._make.opaque(self._places, part)
        else:
            self._losses.note("answer_opaque")
        if item is None:
            return []
        events = self._close("completed")
        place, kind = self._place(), item["type"]
        # What is whole at once appears without its result, as if it had yet to be made.
        young = {**item, "result": None} if "result" in item else item
        if kind in _STEPS:
            young = {**young, "status": "in_progress"}
        events.append({"type": "response.output_item.added", "output_index": place, "item": young})
        events += [
            {"type": f"response.{kind}.{step}", "output_index": place, "item_id": item["id"]}
            for step in _STEPS.get(kind, ())
            if item.get("id")
        ]
        self._done[place] = item
        return [*events, {"type": "response.output_item.done", "output_index": place, "item": item}]

    def _close(self, status: Status) -> list[Json]:
        """Close the message or the thoughts that are open."""
        if self._open is None:
            return []
        events, item = self._open.close(status)
        self._done[self._open.place] = item
        self._open = None
        return events
