"""Owns recorded chat and text completions as tests see them; knows nothing of the code under test.

What an answer says is read here in the simplest way there is: join the strings, number the calls.
"""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Vendors whose answers are the protocol itself; all others sit behind a compatible account.
FIRST_PARTY = frozenset({"openai", "azure"})
FOLDERS = ("openai_chat", "openai_completions")
_FINISHES = ("stop", "length", "tool_calls", "content_filter", "function_call")
_REASONING = ("reasoning_content", "reasoning")


@dataclass(frozen=True)
class Recording:
    """One recorded answer with status 200; `sse` is None for a whole answer."""

    id: str
    vendor: str
    chat: bool
    model: str
    request: dict[str, Any]
    body: Any
    sse: bytes | None
    cuts: tuple[int, ...]

    @property
    def native(self) -> bool:
        return self.vendor in FIRST_PARTY

    @property
    def path(self) -> str:
        return "/v1/chat/completions" if self.chat else "/v1/completions"

    @property
    def wire(self) -> bytes:
        """What goes over the wire; whole answers were stored as values, so their spaces are ours."""
        if self.sse is not None:
            return self.sse
        return json.dumps(self.body, indent=2, ensure_ascii=False).encode()

    @property
    def objects(self) -> list[Any]:
        """The JSON values of the answer in order: one, or those of all events."""
        return [self.body] if self.sse is None else events(self.sse)

    @property
    def part(self) -> str:
        """Where a choice says something."""
        if not self.chat:
            return "text"
        return "message" if self.sse is None else "delta"

    @property
    def faulty(self) -> bool:
        """Whether the answer is an error in spite of its status."""
        return any(isinstance(each, dict) and each.get("error") for each in self.objects)

    def as_recorded(self) -> list[bytes]:
        """Return the answer in the pieces in which it came, in one piece when that is not known."""
        return cut(self.wire, self.cuts)

    def at_random(self) -> list[bytes]:
        """Return the answer in pieces of 1 to 400 bytes, the same ones in every run."""
        chance, data = random.Random(self.id), self.wire
        return cut(data, [chance.randint(1, 400) for _ in range(len(data) // 100)])


def load(corpus: Path) -> list[Recording]:
    """Return all chat and text completions with status 200."""
    return [
        one
        for folder in FOLDERS
        for path in sorted((corpus / folder).glob("*.json"))
        if (one := _read(json.loads(path.read_bytes()))) is not None
    ]


def _read(record: dict[str, Any]) -> Recording | None:
    answer = record["response"]
    if answer["status"] != 200:
        return None
    request, sse = record["request"].get("body") or {}, answer.get("sse")
    return Recording(
        id=record["id"],
        vendor=record["provider"],
        chat=record["protocol"] == "openai_chat",
        model=request.get("model") or record["model"],
        request=request,
        body=answer.get("body"),
        sse=None if sse is None else sse.encode(),
        cuts=tuple(answer.get("chunk_bytes") or ()),
    )


def cut(data: bytes, sizes: Any) -> list[bytes]:
    """Return the data in pieces of these sizes; what is left is the last one."""
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [piece for piece in (*pieces, data) if piece]


def events(sse: bytes) -> list[Any]:
    """Return the parsed data of all events but the end mark."""
    lines = re.split(r"\r?\n", sse.decode())
    data = [line[5:].strip() for line in lines if line.startswith("data:")]
    return [json.loads(each) for each in data if each not in ("", "[DONE]")]


@dataclass
class Said:
    """What one choice of an answer says: its texts, its calls as [name, arguments], its end."""

    text: str = ""
    reasoning: str = ""
    calls: list[list[str]] = field(default_factory=list)
    finish: str | None = None
    _ids: list[str | None] = field(default_factory=list)
    _places: list[Any] = field(default_factory=list)

    def add(self, message: dict[str, Any]) -> None:
        """Add a delta, or a whole message."""
        content = message.get("content")
        if isinstance(content, list):
            self.text += "".join(_text_of(part) for part in content if _is(part, "text"))
            self.reasoning += "".join(_text_of(part) for part in content if _is(part, "thinking"))
        else:
            self.text += content or ""
        # Two names of one field; a vendor that sends both sends the same text twice.
        said = next((message[name] for name in _REASONING if message.get(name)), "")
        self.reasoning += said
        for call in message.get("tool_calls") or ():
            self._add_call(call)

    def _add_call(self, call: dict[str, Any]) -> None:
        """Add to the call of that id, else of that place, else to the last one."""
        tool = call.get("function") or call.get("custom") or {}
        name, arguments = tool.get("name") or "", tool.get("arguments", tool.get("input"))
        if not isinstance(arguments, str):
            arguments = "" if arguments is None else json.dumps(arguments)
        nth = self._known(call.get("id") or None, call.get("index"))
        if nth is None:
            self._ids.append(call.get("id") or None)
            self._places.append(call.get("index"))
            self.calls.append([name, arguments])
            return
        if name != self.calls[nth][0]:
            self.calls[nth][0] += name
        self.calls[nth][1] += arguments

    def _known(self, call_id: str | None, at: Any) -> int | None:
        if call_id is not None:
            return self._ids.index(call_id) if call_id in self._ids else None
        same = [nth for nth, place in enumerate(self._places) if place == at]
        if at is None:
            return len(self.calls) - 1 if self.calls else None
        return same[-1] if same else None

    @property
    def texts(self) -> list[str]:
        """All that was written but the names of calls."""
        return [self.text, self.reasoning, *(arguments for _, arguments in self.calls)]


def said(objects: list[Any], part: str) -> dict[int, Said]:
    """Return what an answer says by choice; `part` is where: delta, message or text."""
    choices: dict[int, Said] = {}
    for each in objects:
        for position, choice in enumerate(each.get("choices") or ()):
            one = choices.setdefault(choice.get("index", position), Said())
            told = choice.get(part) or {}
            one.add({"content": told} if isinstance(told, str) else told)
            finish = choice.get("finish_reason")
            if finish and one.finish is None:
                one.finish = finish if finish in _FINISHES else "stop"
    return choices


def usages(objects: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield every usage object of an answer, wherever vendors put them, in order."""
    for each in objects:
        holders = (each, each.get("x_groq") or {}, *(each.get("choices") or ()))
        yield from (holder["usage"] for holder in holders if holder.get("usage"))


def _is(part: Any, kind: str) -> bool:
    return isinstance(part, dict) and part.get("type") == kind


def _text_of(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, list):
        return "".join(_text_of(item) for item in part)
    inner = part.get("text") or part.get("thinking") or ""
    return _text_of(inner)
