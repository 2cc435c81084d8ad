"""Owns the items of a stream that are being written: what opens them, what was said, what closes them.

Must not know which item is open, nor numbers of events.
"""

from tollbridge.protocols.conversation import Carrier, Citation, Json
from tollbridge.protocols.responses_media import annotation
from tollbridge.protocols.responses_output import CallHead, Items, Status


def _added(place: int, item: Json) -> Json:
    return {"type": "response.output_item.added", "output_index": place, "item": item}


def _done(place: int, item: Json) -> Json:
    return {"type": "response.output_item.done", "output_index": place, "item": item}


class OpenMessage:
    """A message; its parts are texts and refusals, one after the other."""

    def __init__(self, items: Items, place: int) -> None:
        self.place = place
        self._items = items
        self._id: str = items.message(place, [], "in_progress")["id"]
        self._content: list[Json] = []
        self._pieces: list[str] | None = None
        self._refuses = False
        self._chars = 0

    def added(self) -> Json:
        """Return the event that opens the item."""
        return _added(self.place, self._items.message(self.place, [], "in_progress"))

    def more(self, text: str, *, fresh: bool) -> list[Json]:
        """Return the events of more text; `fresh` begins another part."""
        opening = self._part(refusal=False, fresh=fresh)
        self._say(text)
        return [*opening, self._event("output_text.delta", delta=text, logprobs=[])]

    def refuse(self, text: str) -> list[Json]:
        """Return the events of more of a refusal."""
        opening = self._part(refusal=True, fresh=False)
        self._say(text)
        return [*opening, self._event("refusal.delta", delta=text)]

    def cite(self, citation: Citation) -> list[Json]:
        """Return the event of a citation of the text so far."""
        opening = self._part(refusal=False, fresh=False)
        notes: list[Json] = self._content[-1]["annotations"]
        note = annotation(citation, self._chars)
        notes.append(note)
        about = {"annotation_index": len(notes) - 1, "annotation": note}
        return [*opening, self._event("output_text.annotation.added", **about)]

    def close(self, status: Status) -> tuple[list[Json], Json]:
        """Return the events that close the item, and the item."""
        item = self._items.message(self.place, self._content, status)
        events = self._end_part()
        return [*events, _done(self.place, item)], item

    def _say(self, text: str) -> None:
        if self._pieces is not None:
            self._pieces.append(text)
            self._chars += len(text)

    def _part(self, *, refusal: bool, fresh: bool) -> list[Json]:
        """Return the events that open a part of this kind, unless one is open."""
        if self._pieces is not None and refusal == self._refuses and not fresh:
            return []
        events = self._end_part()
        self._pieces, self._refuses, self._chars = [], refusal, 0
        part: Json = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        if refusal:
            part = {"type": "refusal", "refusal": ""}
        self._content.append(part)
        # The part goes on changing, the event must not.
        young = part if refusal else {**part, "annotations": []}
        return [*events, self._event("content_part.added", part=dict(young))]

    def _end_part(self) -> list[Json]:
        if self._pieces is None:
            return []
        text, part = "".join(self._pieces), self._content[-1]
        self._pieces = None
        if self._refuses:
            part["refusal"] = text
            said = self._event("refusal.done", refusal=text)
        else:
            part["text"] = text
            said = self._event("output_text.done", text=text, logprobs=[])
        return [said, self._event("content_part.done", part=part)]

    def _event(self, kind: str, **fields: object) -> Json:
        head = {"item_id": self._id, "output_index": self.place}
        index = {"content_index": len(self._content) - 1}
        return {"type": f"response.{kind}", **head, **index, **fields}


class OpenThoughts:
    """Thoughts, told as a summary; the carrier comes with the end."""

    def __init__(self, items: Items, place: int) -> None:
        self.place = place
        self.carrier: Carrier | None = None
        self.redacted = False
        self._items = items
        self._id: str = items.reasoning(place, [], None, redacted=False)["id"]
        self._texts: list[str] = []
        self._pieces: list[str] | None = None

    def added(self) -> Json:
        """Return the event that opens the item."""
        return _added(self.place, self._items.reasoning(self.place, [], None, redacted=False))

    def more(self, text: str, *, fresh: bool) -> list[Json]:
        """Return the events of more thoughts; `fresh` begins another paragraph."""
        if not text:
            return []
        events: list[Json] = []
        if self._pieces is None or fresh:
            events = self._end_part()
            self._pieces = []
            events.append(self._event("part.added", part={"type": "summary_text", "text": ""}))
        self._pieces.append(text)
        return [*events, self._event("text.delta", delta=text)]

    def close(self, _status: Status) -> tuple[list[Json], Json]:
        """Return the events that close the item, and the item."""
        events = self._end_part()
        item = self._items.reasoning(self.place, self._texts, self.carrier, redacted=self.redacted)
        return [*events, _done(self.place, item)], item

    def _end_part(self) -> list[Json]:
        if self._pieces is None:
            return []
        text = "".join(self._pieces)
        part = {"type": "summary_text", "text": text}
        events = [self._event("text.done", text=text), self._event("part.done", part=part)]
        self._texts.append(text)
        self._pieces = None
        return events

    def _event(self, kind: str, **fields: object) -> Json:
        head = {"item_id": self._id, "output_index": self.place}
        index = {"summary_index": len(self._texts)}
        return {"type": f"response.reasoning_summary_{kind}", **head, **index, **fields}


class OpenCall:
    """A call of a function or of a tool that takes free text."""

    def __init__(self, items: Items, place: int, head: CallHead) -> None:
        self.place = place
        self._items = items
        self._head = head
        self._id: str = items.call(place, head, "", "in_progress")["id"]
        self._kind = "custom_tool_call_input" if head.custom else "function_call_arguments"
        self._pieces: list[str] = []

    def added(self) -> Json:
        """Return the event that opens the item."""
        return _added(self.place, self._items.call(self.place, self._head, "", "in_progress"))

    def more(self, text: str) -> list[Json]:
        """Return the event of more arguments."""
        if not text:
            return []
        self._pieces.append(text)
        return [self._event("delta", delta=text)]

    def close(self, status: Status) -> tuple[list[Json], Json]:
        """Return the events that close the item, and the item."""
        whole = "".join(self._pieces)
        events: list[Json] = []
        if self._head.custom:
            events.append(self._event("done", input=whole))
        else:
            # A call without arguments is one of an empty object.
            whole = whole or "{}"
            if not self._pieces:
                events.append(self._event("delta", delta=whole))
            events.append(self._event("done", name=self._head.name, arguments=whole))
        item = self._items.call(self.place, self._head, whole, status)
        return [*events, _done(self.place, item)], item

    def _event(self, step: str, **fields: object) -> Json:
        head = {"item_id": self._id, "output_index": self.place}
        return {"type": f"response.{self._kind}.{step}", **head, **fields}
