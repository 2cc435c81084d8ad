"""Answers and parsed streams for the tests of what each protocol looks like."""

import json
from collections.abc import Iterable
from typing import Any

from tollbridge.demo.fake_openai import Event
from tollbridge.demo.fake_script import Script
from tollbridge.demo.fake_speech import Talk, Wish, speak

CREATED = 1_700_000_000


def talk(model: str = "m", **script: Any) -> Talk:
    """Return what a script makes of a request of 100 tokens without wishes."""
    made = Script(**script)
    return Talk(model, made, speak(Wish(model, 100), made, 7), 7, CREATED)


def limited(limit: int, **script: Any) -> Talk:
    """Return the same with an output limit."""
    made = Script(**script)
    return Talk("m", made, speak(Wish("m", 100, limit), made, 7), 7, CREATED)


def named(events: Iterable[Event]) -> list[tuple[str, dict[str, Any]]]:
    """Return the names and data of events, which must have both, and no comments."""
    found = []
    for event in events:
        if event.data.startswith(b":"):
            continue
        first, second, *rest = event.data.split(b"\n")
        assert first.startswith(b"event: ") and second.startswith(b"data: ") and rest == [b"", b""]
        found.append((first[7:].decode(), json.loads(second[6:])))
    return found


def bare(events: Iterable[Event], end: bytes = b"\n\n") -> list[dict[str, Any]]:
    """Return the data of events without names, but for the end mark."""
    found = []
    for event in events:
        assert event.data.startswith(b"data: ") and event.data.endswith(end)
        if event.data != b"data: [DONE]" + end:
            found.append(json.loads(event.data[6:]))
    return found
