"""Owns the reading of a stream of the Responses protocol into neutral events (protocols.md 7.3).

Upstreams differ in what they say twice: a text may come in deltas, only when it is done, or only
in the whole response at the end. What was told is remembered, and only the rest is told later.
Never raises. Must not know who reads the events.
"""

from collections.abc import Callable
from typing import Any, Final

from tollbridge.protocols.answer import (
    Done,
    Event,
    Failed,
    Finish,
    Finished,
    Start,
    UsageSeen,
)
from tollbridge.protocols.conversation import Json
from tollbridge.protocols.facts import UpstreamFault, fault_from, text_or_none
from tollbridge.protocols.responses import BROKEN, fault_of
from tollbridge.protocols.responses_answer_reader import finish_of
from tollbridge.protocols.responses_item_events import Item, opened
from tollbridge.protocols.responses_items import is_message
from tollbridge.protocols.responses_stream import TERMINALS, flat_fault
from tollbridge.protocols.responses_usage import usage_of

_FAILED: Final = UpstreamFault(type="", code="failed", message="")


class ResponsesReader:
    """Reads one upstream stream. An item is known by its place in the output, else by its id."""

    def __init__(self) -> None:
        self._items: dict[int, Item] = {}
        self._places: dict[str, int] = {}
        self._started = False
        self._ended = False
        self._takes: dict[str, Callable[[Json], list[Event]]] = {
            "response.output_item.added": self._added,
            "response.output_item.done": self._item_done,
            "error": self._error,
        }

    def read(self, name: bytes | None, data: Json) -> list[Event]:
        """Return what one frame says; `name` is the frame's event line, None without one."""
        kind = text_or_none(data.get("type")) or (name or b"").decode(errors="replace")
        response = data.get("response")
        events: list[Event] = []
        if isinstance(response, dict) and not self._started:
            self._started = True
            found = (text_or_none(response.get("id")), text_or_none(response.get("model")))
            events.append(Start(found[0] or "", found[1] or "", usage_of(response)))
        if self._ended:
            return events
        if kind in TERMINALS:
            return events + self._terminal(kind, response if isinstance(response, dict) else {})
        take = self._takes.get(kind)
        if take is not None:
            return events + take(data)
        if data.get("error") and not isinstance(response, dict):
            return events + self._error(data)
        item = self._item_of(kind, data)
        return events if item is None else events + item.take(kind, data)

    def end(self) -> list[Event]:
        """Return what is still to be said when the upstream has ended; calls are closed."""
        return [event for item in self._items.values() for event in item.close()]

    # ------------------------------------------------------------ items

    def _place_of(self, data: Json) -> int | None:
        place = data.get("output_index")
        if type(place) is int:
            return place
        item_id = data.get("item_id")
        return self._places.get(item_id) if isinstance(item_id, str) else None

    def _item_of(self, kind: str, data: Json) -> Item | None:
        """Return the item that an event is about; one that was never added is opened now."""
        place = self._place_of(data)
        item = None if place is None else self._items.get(place)
        if item is None and place is not None:
            item = opened(kind, place, others=self._texts())
            if item is not None:
                self._items[place] = item
        return item

    def _texts(self) -> bool:
        return any(item.has_text for item in self._items.values())

    def _added(self, data: Json) -> list[Event]:
        return self._begin(data.get("item"), self._place_of(data))

    def _begin(self, given: Any, place: int | None) -> list[Event]:
        if not isinstance(given, dict):
            return []
        if place is None:
            place = max(self._items, default=-1) + 1
        item_id = text_or_none(given.get("id"))
        if item_id:
            self._places[item_id] = place
        known = self._items.get(place)
        if known is not None and known.kind == _kind(given):
            return []
        ended = [] if known is None else known.close()
        item = self._items[place] = Item(place, given, others=self._texts())
        return ended + item.begin(given)

    def _item_done(self, data: Json) -> list[Event]:
        given = data.get("item")
        place = self._place_of(data)
        if not isinstance(given, dict):
            return []
        if place is None:
            place = self._places.get(text_or_none(given.get("id")) or "")
        if place is None:
            place = max(self._items, default=-1) + 1
        events = self._begin(given, place)
        return events + self._items[place].done(given)

    # ------------------------------------------------------------ the end

    def _terminal(self, kind: str, response: Json) -> list[Event]:
        self._ended = True
        events = self._rebuilt(response.get("output")) + self.end()
        usage, tier = usage_of(response), text_or_none(response.get("service_tier"))
        if usage is not None:
            events.append(UsageSeen(usage, tier))
        failed = kind in {"response.failed", "response.cancelled"}
        if failed or response.get("status") in BROKEN:
            return [*events, Failed(fault_of(response) or _FAILED)]
        if kind == "response.incomplete":
            response = {**response, "status": "incomplete"}
        finish = finish_of(response, [])
        if finish in {Finish.STOP, None}:
            finish = self._natural()
        return [*events, Finished(finish or Finish.STOP), Done()]

    def _natural(self) -> Finish:
        items = self._items.values()
        if any(item.is_call for item in items):
            return Finish.CALL
        return Finish.POLICY if any(item.refused for item in items) else Finish.STOP

    def _rebuilt(self, output: Any) -> list[Event]:
        """Return what only the whole response says: items that no event was about."""
        events: list[Event] = []
        for place, given in enumerate(output if isinstance(output, list) else ()):
            if not isinstance(given, dict):
                continue
            known = self._items.get(place)
            if known is not None and known.kind == _kind(given):
                events += known.done(given)
            elif not self._told(given):
                new = max([place, *(at + 1 for at in self._items)])
                events += self._begin(given, new) + self._items[new].done(given)
        return events

    def _told(self, given: Json) -> bool:
        """Say whether an item that stands elsewhere in the whole response was told already."""
        same = [item for item in self._items.values() if item.kind == _kind(given)]
        names = {text_or_none(given.get("id")), text_or_none(given.get("call_id"))} - {None}
        return any(names & item.names for item in same) or (bool(same) and not names)

    def _error(self, data: Json) -> list[Event]:
        self._ended = True
        fault = fault_from(data.get("error")) or flat_fault(data)
        return [*self.end(), Failed(fault)]


def _kind(given: Json) -> str:
    return "message" if is_message(given) else text_or_none(given.get("type")) or ""
