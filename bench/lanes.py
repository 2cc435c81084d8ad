"""Owns what is measured: the lanes, their requests, sizes and targets (performance.md, Targets).

Pure. It must not know of processes or sockets.
"""

from dataclasses import dataclass, replace
from typing import Literal

import msgspec

Engine = Literal["sqlite", "postgresql"]
MODEL = "bench-model"
PATH = "/v1/chat/completions"
STREAM_EVENTS = 102
# A stream also has a role event, a finish event, a usage event and the end mark.
_FRAME_EVENTS = 4
_EVENT_DELAY_MS = 5
_UNARY_BYTES = 1_400
_LARGE_BYTES = 300_000
_REPLY_PAD_BYTES = 150
_SENTENCE = "The quick brown fox jumps over the lazy dog and goes home for tea. "


@dataclass(frozen=True, slots=True)
class Lane:
    """One measurement. `target` is the most that the ratio may be; `count` is a round's.

    The ratio is gateway ÷ nginx, and two processes ÷ one in the lane of that name.
    """

    name: str
    title: str
    body: bytes
    concurrency: int
    unit: Literal["request", "event"]
    target: float | None
    count: int
    quick_count: int
    events: int = 0
    engine: Engine = "sqlite"

    def requests(self, *, quick: bool) -> int:
        """Return the number of requests in one round."""
        return self.quick_count if quick else self.count

    def units(self, requests: int) -> int:
        """Return by how many units a round's CPU time is divided."""
        return requests * self.events if self.unit == "event" else requests


def request_bytes(body: bytes, secret: str) -> bytes:
    """Return a whole HTTP request, ready to be written again and again."""
    lines = (
        f"POST {PATH} HTTP/1.1",
        "host: 127.0.0.1",
        f"authorization: Bearer {secret}",
        "content-type: application/json",
        "user-agent: bench/1",
        f"content-length: {len(body)}",
        "\r\n",
    )
    return "\r\n".join(lines).encode() + body


def unary_body(size: int) -> bytes:
    """Return a chat request of exactly that many bytes; ValueError when it cannot be that small."""
    fake = {"pad_bytes": _REPLY_PAD_BYTES}
    return _sized({"max_completion_tokens": 64, "fake": fake}, size)


def stream_body() -> bytes:
    """Return a chat request that is answered by STREAM_EVENTS events, one a write, some ms apart."""
    tokens = STREAM_EVENTS - _FRAME_EVENTS
    fake = {"tokens": tokens, "event_delay_ms": _EVENT_DELAY_MS}
    options = {"stream": True, "stream_options": {"include_usage": True}}
    return _sized({**options, "max_completion_tokens": tokens, "fake": fake}, _UNARY_BYTES)


def lanes() -> tuple[Lane, ...]:
    """Return all lanes that are compared with nginx."""
    unary = unary_body(_UNARY_BYTES)
    busy = Lane("unary-64", "unary, 64 at a time", unary, 64, "request", 3.5, 10_000, 3_000)
    alone = Lane("unary-1", "unary, 1 at a time", unary, 1, "request", 12.0, 1_500, 400)
    streams = Lane(
        "streams",
        f"streams of {STREAM_EVENTS} events, 32 at a time",
        stream_body(),
        concurrency=32,
        unit="event",
        target=1.6,
        count=96,
        quick_count=32,
        events=STREAM_EVENTS,
    )
    large = Lane("large", "300 KB prompt", unary_body(_LARGE_BYTES), 8, "request", 2.5, 400, 120)
    on_postgresql = (
        _on_postgresql(busy, 4.5),
        _on_postgresql(alone, None),
        _on_postgresql(streams, 1.6),
    )
    return busy, alone, streams, large, *on_postgresql


def two_processes() -> Lane:
    """Return the lane that compares two processes on one PostgreSQL with one.

    Its rounds are short and many: two sides so alike differ less than a machine's moods.
    """
    return Lane(
        "processes",
        "unary, 64 at a time",
        unary_body(_UNARY_BYTES),
        concurrency=64,
        unit="request",
        target=1.1,
        count=4_000,
        quick_count=1_500,
        engine="postgresql",
    )


def _on_postgresql(lane: Lane, target: float | None) -> Lane:
    return replace(
        lane,
        name=f"postgresql-{lane.name}",
        title=f"PostgreSQL, {lane.title}",
        target=target,
        engine="postgresql",
    )


def _sized(fields: dict[str, object], size: int) -> bytes:
    def build(text: str) -> bytes:
        messages = [{"role": "user", "content": text}]
        return msgspec.json.encode({"model": MODEL, "messages": messages, **fields})

    room = size - len(build(""))
    if room < 0:
        raise ValueError(f"a body of {size} bytes is too small for its fields")
    repeated = _SENTENCE * (room // len(_SENTENCE) + 1)
    return build(repeated[:room])
