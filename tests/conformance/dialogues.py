"""Owns recorded conversations of the four protocols as tests see them; knows no code under test.

Which recordings are a norm is decided here, once: `norm` is False where the corpus itself says that
a recording was edited by hand or kept for its anomaly, and for the few in _EDITED.
"""

import json
import random
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

WIRES = ("chat", "responses", "messages", "gemini")
PAIRS = tuple((up, client) for up in WIRES for client in WIRES if up != client)
_FOLDERS = {
    "chat": ("openai_chat", ("chat.completions",)),
    "responses": ("openai_responses", ("responses",)),
    "messages": ("anthropic", ("messages",)),
    "gemini": ("gemini", ("generateContent", "streamGenerateContent")),
}
# Fixtures of client libraries that no vendor ever sent in this form.
_EDITED = {
    "0c12a6497ab5": "most deltas of the text were cut out, its end has all of it",
    "c5c8f0af7f64": "a request with the text of an error, no answer",
    "a5ec6d285cef": "a request with the text of an error, no answer",
}
_NO_NORM = ("may be hand-edited", "anomalous upstream behaviour kept on purpose")


@dataclass(frozen=True)
class Dialogue:
    """One recorded call with its answer; `sse` is None for a whole answer, `request` if unknown."""

    id: str
    wire: str
    vendor: str
    model: str
    status: int
    request: Any
    body: Any
    sse: bytes | None
    cuts: tuple[int, ...]
    norm: bool
    features: tuple[str, ...]

    @property
    def streamed(self) -> bool:
        return self.sse is not None

    @property
    def objects(self) -> list[Any]:
        """The JSON values of the answer in order: one, or those of all events."""
        return [self.body] if self.sse is None else events(self.sse)

    def frames(self) -> list[bytes]:
        """Return a stream event by event, each with its blank line."""
        found = re.findall(rb".+?(?:\r?\n\r?\n|\Z)", self.sse or b"", re.DOTALL)
        return [frame for frame in found if frame.strip()]

    def pieces(self) -> list[bytes]:
        """Return a stream in the pieces in which it came, else in random ones, always the same."""
        data = self.sse or b""
        chance = random.Random(self.id)
        sizes = self.cuts or [chance.randint(1, 900) for _ in range(len(data) // 200)]
        pieces = []
        for size in sizes:
            pieces.append(data[:size])
            data = data[size:]
        return [piece for piece in (*pieces, data) if piece]


def events(sse: bytes) -> list[Any]:
    """Return the parsed data of all events, read in the simplest way there is."""
    lines = re.split(r"\r?\n", sse.decode())
    data = [line[5:].strip() for line in lines if line.startswith("data:")]
    return [json.loads(each) for each in data if each not in ("", "[DONE]")]


@cache
def load(corpus: Path) -> tuple[Dialogue, ...]:
    """Return all recorded calls of the four protocols, refused ones too."""
    return tuple(
        one
        for wire, (folder, endpoints) in _FOLDERS.items()
        for path in sorted((corpus / folder).glob("*.json"))
        if (one := _read(wire, endpoints, json.loads(path.read_bytes()))) is not None
    )


def answered(corpus: Path) -> list[Dialogue]:
    """Return those that are a norm and have the status 200."""
    return [one for one in load(corpus) if one.norm and one.status == 200]


def _complete(wire: str, request: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """Return a request with its model: clouds name it, and themselves, elsewhere than the vendors."""
    if wire == "gemini" or "model" in request:
        return request
    rest = {name: value for name, value in request.items() if name != "anthropic_version"}
    return {"model": record["model"] or "a-model", **rest}


def _read(wire: str, endpoints: tuple[str, ...], record: dict[str, Any]) -> Dialogue | None:
    answer, given = record["response"], record["request"]
    if record["endpoint"] not in endpoints:
        return None
    sse, body = answer.get("sse"), answer.get("body")
    if sse is None and not isinstance(body, dict):
        return None
    request = given.get("body") if given.get("known") else None
    request = _complete(wire, request, record) if isinstance(request, dict) else None
    return Dialogue(
        id=record["id"],
        wire=wire,
        vendor=record["provider"],
        model=str((request or {}).get("model") or record["model"] or "a-model"),
        status=answer["status"],
        request=request,
        body=body,
        sse=None if sse is None else sse.encode(),
        cuts=tuple(answer.get("chunk_bytes") or ()),
        norm=record["source"].get("note") not in _NO_NORM and record["id"] not in _EDITED,
        features=tuple(record["features"]),
    )


def camel(name: str) -> str:
    """Return the documented spelling of a field's name, for Google takes both."""
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)
