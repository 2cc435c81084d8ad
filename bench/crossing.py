"""Owns the comparison of translated calls with native ones, of one client through one gateway.

The vendor gives both sides the same answer, told to it beforehand: a foreign request could not say
what a pretend vendor is to do. Events are the client's; Anthropic's own streams have some more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bench.gateway import Gateway
from bench.lanes import STREAM_EVENTS, Lane, Platform
from bench.rounds import Figure, Tally, measure
from bench.stage import Stage, side
from bench.surfaces import CHAT, MESSAGES, Surface

_BYTES = 1_400
_EVENT_DELAY_MS = 5
_LIMIT = 128
# Besides its texts: role, finish, usage and end mark of a chat; start, block, its end, figures and
# stop of a message, and the ping of Anthropic's own.
_CHAT_FRAMES, _MESSAGE_FRAMES, _NATIVE_MESSAGE_FRAMES = 4, 5, 6


@dataclass(frozen=True, slots=True)
class Crossing:
    """One comparison. `lane` is the translated side; `native` the platform of the other side.

    `native_events` is how many events a stream of that side has, 0 where it has the lane's.
    """

    lane: Lane
    native: Platform
    script: Mapping[str, object]
    native_events: int = 0


def crossings() -> tuple[Crossing, ...]:
    """Return all comparisons: an OpenAI client at Anthropic, and the other way round."""
    chat, messages = {"max_completion_tokens": _LIMIT}, {"max_tokens": _LIMIT}
    asks_usage = {"stream": True, "stream_options": {"include_usage": True}}
    streamed = ({**chat, **asks_usage}, {**messages, "stream": True})
    texts = STREAM_EVENTS - _CHAT_FRAMES
    paced = {"tokens": texts, "event_delay_ms": _EVENT_DELAY_MS}
    return (
        Crossing(_unary("cross-unary", "chat client at Anthropic", CHAT, chat), "openai", {}),
        Crossing(
            _streams("cross-streams", "chat client at Anthropic", CHAT, streamed[0], STREAM_EVENTS),
            "openai",
            paced,
        ),
        Crossing(
            _unary("cross-unary-messages", "Messages client at OpenAI", MESSAGES, messages),
            "anthropic",
            {},
        ),
        Crossing(
            _streams(
                "cross-streams-messages",
                "Messages client at OpenAI",
                MESSAGES,
                streamed[1],
                texts + _MESSAGE_FRAMES,
            ),
            "anthropic",
            paced,
            texts + _NATIVE_MESSAGE_FRAMES,
        ),
    )


def compare(
    crossing: Crossing, gateway: Gateway, stage: Stage, tally: Tally, *, rounds: int, quick: bool
) -> Figure:
    """Measure one comparison."""
    lane = crossing.lane
    native = replace(
        side(gateway, replace(lane, platform=crossing.native)), events=crossing.native_events
    )
    with stage.scripted(crossing.script):
        return measure(
            lane, native, side(gateway, lane), stage.loader, tally, rounds=rounds, quick=quick
        )


def _unary(name: str, title: str, surface: Surface, fields: Mapping[str, object]) -> Lane:
    return Lane(
        name,
        f"{title}, unary, 64 at a time",
        surface.body(_BYTES, fields),
        concurrency=64,
        unit="request",
        target=3.0,
        count=4_000,
        quick_count=1_000,
        surface=surface,
        platform=_OTHER[surface],
    )


def _streams(
    name: str, title: str, surface: Surface, fields: Mapping[str, object], events: int
) -> Lane:
    return replace(
        _unary(name, title, surface, fields),
        title=f"{title}, streams, 32 at a time",
        concurrency=32,
        unit="event",
        count=96,
        quick_count=32,
        events=events,
    )


_OTHER: dict[Surface, Platform] = {CHAT: "anthropic", MESSAGES: "openai"}
