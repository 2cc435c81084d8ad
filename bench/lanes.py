"""Owns what is measured: the lanes, their requests, sizes and targets (performance.md, Targets).

Pure. It must not know of processes or sockets.
"""

from dataclasses import dataclass
from typing import Literal

import msgspec

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
    """One measurement. `target` is the most that gateway ÷ nginx may be; `count` is a round's."""

    name: str
    title: str
    body: bytes
    concurrency: int
    unit: Literal["request", "event"]
    target: float
    count: int
    quick_count: int
    events: int = 0

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
    return (
        Lane("unary-64", "unary, 64 at a time", unary, 64, "request", 3.5, 10_000, 3_000),
        Lane("unary-1", "unary, 1 at a time", unary, 1, "request", 12.0, 1_500, 400),
        Lane(
            "streams",
            f"streams of {STREAM_EVENTS} events, 32 at a time",
            stream_body(),
            concurrency=32,
            unit="event",
            target=1.6,
            count=96,
            quick_count=32,
            events=STREAM_EVENTS,
        ),
        Lane("large", "300 KB prompt", unary_body(_LARGE_BYTES), 8, "request", 2.5, 400, 120),
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
