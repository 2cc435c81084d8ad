"""Owns the events of the Responses API: the whole grammar of protocols.md 7.3.

Pure: values in, bytes out. Every event has a name, a type and a number without gaps. It must not
know of HTTP.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from tollbridge.demo import fake_responses
from tollbridge.demo.fake_openai import Event
from tollbridge.demo.fake_script import pieces
from tollbridge.demo.fake_speech import IMAGE_TOKENS, Talk

_encode = msgspec.json.encode
_PING = Event(b": keep-alive\n\n")
_BLANK: dict[str, dict[str, Any]] = {
    "reasoning": {"summary": []},
    "message": {"content": [], "status": "in_progress"},
    "function_call": {"arguments": "", "status": "in_progress"},
    "custom_tool_call": {"input": "", "status": "in_progress"},
    "image_generation_call": {"result": None, "status": "in_progress"},
    "web_search_call": {"status": "in_progress"},
}
Item = dict[str, Any]


def stream(talk: Talk, request: Mapping[str, Any], *, encrypted: bool) -> Iterator[Event]:
    """Yield the events of a streamed answer, in order, with the silences the script asks for."""
    pause = talk.script.event_delay_ms
    for index, event in enumerate(_Teller(talk, request).events(encrypted=encrypted)):
        yield Event(event.data, event.tokens, event.pause_ms + (pause if index else 0))


class _Teller:
    """Numbers the events of one stream."""

    def __init__(self, talk: Talk, request: Mapping[str, Any]) -> None:
        self._talk = talk
        self._request = request
        self._number = 0
        self._calls = iter(talk.speech.calls)

    def events(self, *, encrypted: bool) -> Iterator[Event]:
        talk = self._talk
        start = fake_responses.begun(talk, self._request)
        yield self._event("response.created", response=start)
        yield self._event("response.in_progress", response=start)
        items = fake_responses.output(talk, encrypted=encrypted)
        for at, item in enumerate(items):
            hidden = talk.speech.reasoning if item["type"] == "reasoning" else 0
            hidden -= len(talk.speech.thought or ()) if hidden else 0
            blank = {**item, **_BLANK[item["type"]]}
            yield self._event("response.output_item.added", hidden, output_index=at, item=blank)
            yield from _TELL[item["type"]](self, at, item)
            yield self._event("response.output_item.done", output_index=at, item=item)
        if talk.script.no_finish:
            return
        whole = fake_responses.finished(talk, self._request, items)
        last = self._event(f"response.{whole['status']}", response=whole)
        yield Event(last.data, 0, talk.script.silent_after_finish_ms)

    def _event(self, kind: str, tokens: int = 0, /, **fields: Any) -> Event:
        pad = self._talk.script.pad_bytes
        padding = {"obfuscation": "x" * pad} if pad and kind.endswith(".delta") else {}
        data = _encode({"type": kind, "sequence_number": self._number, **fields, **padding})
        self._number += 1
        return Event(b"event: %s\ndata: %s\n\n" % (kind.encode(), data), tokens)

    def _deltas(
        self, kind: str, tokens: tuple[str, ...], place: Item, more: Item | None = None
    ) -> Iterator[Event]:
        events = self._talk.script.events if kind.endswith("_text.delta") else None
        for text, count in pieces(tokens, events):
            yield self._event(kind, count, **place, delta=text, **(more or {}))
            yield from (_PING for _ in range(self._talk.script.pings))

    def _reasoning(self, at: int, item: Item) -> Iterator[Event]:
        for index, part in enumerate(item["summary"]):
            place = {"item_id": item["id"], "output_index": at, "summary_index": index}
            prefix = "response.reasoning_summary"
            empty = {**part, "text": ""}
            yield self._event(f"{prefix}_part.added", **place, part=empty)
            thought = self._talk.speech.thought or ()
            yield from self._deltas(f"{prefix}_text.delta", thought, place)
            yield self._event(f"{prefix}_text.done", **place, text=part["text"])
            yield self._event(f"{prefix}_part.done", **place, part=part)

    def _message(self, at: int, item: Item) -> Iterator[Event]:
        (part,) = item["content"]
        place = {"item_id": item["id"], "output_index": at, "content_index": 0}
        refused = part["type"] == "refusal"
        member = "refusal" if refused else "text"
        more: Item = {} if refused else {"logprobs": []}
        name = "response.refusal" if refused else "response.output_text"
        yield self._event("response.content_part.added", **place, part={**part, member: ""})
        yield from self._deltas(f"{name}.delta", self._talk.speech.text, place, more)
        yield self._event(f"{name}.done", **place, **{member: part[member]}, **more)
        yield self._event("response.content_part.done", **place, part=part)

    def _function(self, at: int, item: Item) -> Iterator[Event]:
        place = {"item_id": item["id"], "output_index": at}
        name = "response.function_call_arguments"
        tokens = next(self._calls).tokens
        if not tokens:
            yield self._event(f"{name}.delta", **place, delta=item["arguments"])
        yield from self._deltas(f"{name}.delta", tokens, place)
        yield self._event(f"{name}.done", **place, arguments=item["arguments"])

    def _custom(self, at: int, item: Item) -> Iterator[Event]:
        place = {"item_id": item["id"], "output_index": at}
        name = "response.custom_tool_call_input"
        yield from self._deltas(f"{name}.delta", next(self._calls).tokens, place)
        yield self._event(f"{name}.done", **place, input=item["input"])

    def _image(self, at: int, item: Item) -> Iterator[Event]:
        place = {"item_id": item["id"], "output_index": at}
        name = "response.image_generation_call"
        yield self._event(f"{name}.in_progress", **place)
        yield self._event(f"{name}.generating", **place)
        part = {"partial_image_index": 0, "partial_image_b64": item["result"]}
        yield self._event(f"{name}.partial_image", **place, **part)
        yield self._event(f"{name}.completed", IMAGE_TOKENS, **place)

    def _search(self, at: int, item: Item) -> Iterator[Event]:
        place = {"item_id": item["id"], "output_index": at}
        for step in ("in_progress", "searching", "completed"):
            yield self._event(f"response.web_search_call.{step}", **place)


_TELL: dict[str, Callable[[_Teller, int, Item], Iterator[Event]]] = {
    "reasoning": _Teller._reasoning,  # noqa: SLF001 -- a table of the class's own methods
    "message": _Teller._message,  # noqa: SLF001
    "function_call": _Teller._function,  # noqa: SLF001
    "custom_tool_call": _Teller._custom,  # noqa: SLF001
    "image_generation_call": _Teller._image,  # noqa: SLF001
    "web_search_call": _Teller._search,  # noqa: SLF001
}
