"""Owns what is measured: the lanes, their requests, sizes and targets (performance.md, Targets).

Pure. It must not know of processes or sockets.
"""

from dataclasses import dataclass, replace
from typing import Literal

from bench.surfaces import CHAT, GEMINI_STREAM, MESSAGES, Surface

Engine = Literal["sqlite", "postgresql"]
Platform = Literal["openai", "anthropic", "gemini"]
STREAM_EVENTS = 102
# A chat's stream also has a role event, a finish event, a usage event and the end mark; a message's
# its start, its block's start, a ping, its block's end, its figures and its stop.
_FRAME_EVENTS = 4
_MESSAGE_FRAME_EVENTS = 6
_EVENT_DELAY_MS = 5
_UNARY_BYTES = 1_400
_LARGE_BYTES = 300_000
_REPLY_PAD_BYTES = 150


@dataclass(frozen=True, slots=True)
class Lane:
    """One measurement. `target` is the most that the ratio may be; `count` is a round's.

    The ratio is gateway ÷ nginx, two processes ÷ one in the lane of that name, and translated ÷
    native in the lanes of crossings. `platform` is the account's that the calls go to.
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
    surface: Surface = CHAT
    platform: Platform = "openai"

    def requests(self, *, quick: bool) -> int:
        """Return the number of requests in one round."""
        return self.quick_count if quick else self.count

    def units(self, requests: int) -> int:
        """Return by how many units a round's CPU time is divided."""
        return requests * self.events if self.unit == "event" else requests


def unary_body(size: int) -> bytes:
    """Return a chat request of exactly that many bytes; ValueError when it cannot be that small."""
    fake = {"pad_bytes": _REPLY_PAD_BYTES}
    return CHAT.body(size, {"max_completion_tokens": 64, "fake": fake})


def stream_body() -> bytes:
    """Return a chat request that is answered by STREAM_EVENTS events, one a write, some ms apart."""
    tokens = STREAM_EVENTS - _FRAME_EVENTS
    fake = {"tokens": tokens, "event_delay_ms": _EVENT_DELAY_MS}
    options = {"stream": True, "stream_options": {"include_usage": True}}
    return CHAT.body(_UNARY_BYTES, {**options, "max_completion_tokens": tokens, "fake": fake})


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
    return busy, alone, streams, large, *on_postgresql, *_of_other_surfaces(streams)


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


def _of_other_surfaces(streams: Lane) -> tuple[Lane, Lane]:
    """Return streams of other protocols, each at its own platform: told, not judged."""
    tokens = STREAM_EVENTS - _MESSAGE_FRAME_EVENTS
    fake = {"fake": {"tokens": tokens, "event_delay_ms": _EVENT_DELAY_MS}}
    messages = {"stream": True, "max_tokens": tokens, **fake}
    # Every chunk of Gemini's bears text.
    gemini = {"fake": {"tokens": STREAM_EVENTS, "event_delay_ms": _EVENT_DELAY_MS}}
    return (
        replace(
            streams,
            name="messages-streams",
            title=f"Messages, {streams.title}",
            body=MESSAGES.body(_UNARY_BYTES, messages),
            target=None,
            surface=MESSAGES,
            platform="anthropic",
        ),
        replace(
            streams,
            name="gemini-streams",
            title=f"Gemini, {streams.title}",
            body=GEMINI_STREAM.body(_UNARY_BYTES, gemini),
            target=None,
            surface=GEMINI_STREAM,
            platform="gemini",
        ),
    )


def _on_postgresql(lane: Lane, target: float | None) -> Lane:
    return replace(
        lane,
        name=f"postgresql-{lane.name}",
        title=f"PostgreSQL, {lane.title}",
        target=target,
        engine="postgresql",
    )
