"""Owns the arithmetic of realtime usage: one event's figures in, Usage out; and the sum of many.

It takes any JSON and never raises: what does not add up is corrected and flagged as clamped
(money.md, "Buckets"). A response's figures are its own, so here they add, unlike those of a stream.
Cached tokens of every kind are one bucket. Must not know which event they came in.
"""

import math
from typing import Any, Final

from tollbridge.protocols.usage import Usage

_MOST: Final = 10**9
_SUMMED = (
    "input",
    "cache_read",
    "output",
    "audio_input",
    "audio_output",
    "image_input",
    "request",
    "second",
)
_NOTHING: dict[str, Any] = {}


def usage_from(fields: Any) -> Usage | None:
    """Return the disjoint buckets of a response's or transcription's `usage`; None if it is none."""
    if not isinstance(fields, dict):
        return None
    odd: list[str] = []
    if fields.get("type") == "duration":
        return Usage(second=_count(fields.get("seconds"), odd), clamped=bool(odd))
    if all(fields.get(name) is None for name in ("input_tokens", "output_tokens", "total_tokens")):
        return None
    sent = _count(fields.get("input_tokens"), odd)
    made = _count(fields.get("output_tokens"), odd)
    total = fields.get("total_tokens")
    if total is not None:
        beyond = _count(total, odd) - sent - made
        if beyond:
            odd.append("total")
        # Never less than the total: a half that is missing is in it.
        if beyond > 0 and fields.get("input_tokens") is None:
            sent += beyond
        elif beyond > 0:
            made += beyond
    text, cached, audio, image = _input(_part(fields, "input_token_details"), sent, odd)
    audio_out = _at_most(_part(fields, "output_token_details").get("audio_tokens"), made, odd)
    return Usage(
        input=text,
        cache_read=cached,
        output=made - audio_out,
        audio_input=audio,
        audio_output=audio_out,
        image_input=image,
        clamped=bool(odd),
    )


def added(one: Usage, other: Usage) -> Usage:
    """Return what two parts of a session used together."""
    sums = {name: getattr(one, name) + getattr(other, name) for name in _SUMMED}
    return Usage(**sums, clamped=one.clamped or other.clamped)


def _input(details: dict[str, Any], sent: int, odd: list[str]) -> tuple[int, int, int, int]:
    """Split the input into fresh text, cached, fresh audio and fresh image tokens."""
    audio = _at_most(details.get("audio_tokens"), sent, odd)
    image = _at_most(details.get("image_tokens"), sent - audio, odd)
    # What no detail names is text, so nothing is lost when details are left out.
    text = sent - audio - image
    said = details.get("text_tokens")
    if said is not None and _count(said, odd) != text:
        odd.append("text")
    cached = _at_most(details.get("cached_tokens"), sent, odd)
    kinds = _part(details, "cached_tokens_details")
    left = cached
    audio_cached = min(_at_most(kinds.get("audio_tokens"), audio, odd), left)
    left -= audio_cached
    image_cached = min(_at_most(kinds.get("image_tokens"), image, odd), left)
    left -= image_cached
    text_cached = min(left, text)
    left -= text_cached
    # Cached tokens of a kind that was not told can only be what is left of the others.
    more_audio = min(left, audio - audio_cached)
    left -= more_audio
    return (
        text - text_cached,
        cached,
        audio - audio_cached - more_audio,
        image - image_cached - left,
    )


def _part(fields: dict[str, Any], name: str) -> dict[str, Any]:
    part = fields.get(name)
    return part if isinstance(part, dict) else _NOTHING


def _at_most(value: object, whole: int, odd: list[str]) -> int:
    count = _count(value, odd)
    if count > whole:
        odd.append("part")
        return whole
    return count


def _count(value: object, odd: list[str]) -> int:
    """Read one count, seconds rounded up; what is none is corrected and noted in `odd`."""
    if type(value) is int and 0 <= value <= _MOST:
        return value
    if value is None:
        return 0
    if type(value) is float and 0 <= value <= _MOST:
        return math.ceil(value)
    odd.append("count")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:  # noqa: PLR0124
        return 0
    return math.ceil(max(0, min(value, _MOST)))
