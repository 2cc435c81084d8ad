"""Owns the arithmetic of a chat completion's `usage` object: vendor figures in, Usage out, and back.

Reading takes any JSON and never raises: what does not add up is corrected and flagged as clamped
(money.md, "Buckets"; protocols.md 2.1). Must not know where the object was found.
"""

import math
from typing import Any, Final

from tollbridge.protocols.usage import Usage

TOKENS_MAX: Final = 10**9
"""More tokens than any call has; larger figures are nonsense and must not reach a price."""

_CACHED_ELSEWHERE = ("cached_tokens", "prompt_cache_hit_tokens", "num_cached_tokens")
_NOTHING: dict[str, Any] = {}


def merge_usage(seen: dict[str, Any] | None, later: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of two usage objects of one call: the last one that is not null wins.

    Field by field, because a later object may carry only a part of the details.
    """
    if not seen:
        return later
    merged = dict(seen)
    for name, value in later.items():
        before = merged.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            merged[name] = merge_usage(before, value)
        elif value is not None or name not in merged:
            merged[name] = value
    return merged


def usage_from(fields: Any) -> Usage | None:
    """Return the disjoint buckets of a `usage` object; None when it holds no count at all."""
    if not isinstance(fields, dict):
        return None
    prompt, completion, total = (
        fields.get("prompt_tokens"),
        fields.get("completion_tokens"),
        fields.get("total_tokens"),
    )
    if prompt is None and completion is None and total is None:
        return None
    odd: list[str] = []
    details = _details(fields, "prompt_tokens_details")
    reply = _details(fields, "completion_tokens_details")
    sent = _tokens(prompt, odd)
    made = _tokens(completion, odd)
    reasoning = _tokens(reply.get("reasoning_tokens"), odd)
    if total is not None:
        every = _tokens(total, odd)
        if prompt is None:
            sent = max(every - made, 0)
        made = _output(sent, made, reasoning, every, odd)
    if reasoning > made:
        odd.append("reasoning")
        made = reasoning
    fresh, cached, written, audio_in, image_in = _input_buckets(fields, details, sent, odd)
    audio_out = _at_most(reply.get("audio_tokens"), made, odd)
    image_out = _at_most(reply.get("image_tokens"), made - audio_out, odd)
    output = made - audio_out - image_out
    return Usage(
        input=fresh,
        cache_read=cached,
        cache_write_5m=written,
        output=output,
        reasoning=min(reasoning, output),
        audio_input=audio_in,
        audio_output=audio_out,
        image_input=image_in,
        image_output=image_out,
        clamped=bool(odd),
    )


def usage_fields(usage: Usage) -> dict[str, Any]:
    """Return the `usage` object that says these buckets (protocols.md 6.3).

    The protocol has no name for the tokens of images made; they are among the completion's.
    """
    sent = usage.tokens_in()
    made = usage.output + usage.audio_output + usage.image_output
    prompt = {
        "cached_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "audio_tokens": usage.audio_input,
    }
    completion = {"reasoning_tokens": usage.reasoning, "audio_tokens": usage.audio_output}
    if usage.image_input:
        prompt["image_tokens"] = usage.image_input
    return {
        "prompt_tokens": sent,
        "completion_tokens": made,
        "total_tokens": sent + made,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": completion,
    }


def _output(sent: int, made: int, reasoning: int, total: int, odd: list[str]) -> int:
    """Return the output tokens, hidden ones included, from what the total says beyond the sum."""
    beyond = total - sent - made
    if beyond > 0:
        if beyond == reasoning or not reasoning:
            # xAI counts reasoning beside the completion; Google's endpoint only in the total.
            return made + beyond
        odd.append("total")
    elif beyond < 0:
        odd.append("total")
    return made


def _input_buckets(
    fields: dict[str, Any], details: dict[str, Any], sent: int, odd: list[str]
) -> tuple[int, int, int, int, int]:
    """Split the prompt into fresh, cached, written, audio and image tokens, in that order."""
    said = details.get("cached_tokens")
    if said is None:
        said = next(
            (fields[name] for name in _CACHED_ELSEWHERE if fields.get(name) is not None), None
        )
    cached = _part(said, sent, odd)
    rest = sent - cached
    written = _part(details.get("cache_write_tokens"), rest, odd)
    rest -= written
    # Cached tokens may be audio or image ones too, so these two may overlap without a fault.
    audio = _at_most(details.get("audio_tokens"), rest, odd)
    rest -= audio
    image = _at_most(details.get("image_tokens"), rest, odd)
    return rest - image, cached, written, audio, image


def _details(fields: dict[str, Any], name: str) -> dict[str, Any]:
    details = fields.get(name)
    return details if isinstance(details, dict) else _NOTHING


def _at_most(value: object, whole: int, odd: list[str]) -> int:
    return min(_tokens(value, odd), whole) if value else 0


def _part(value: object, whole: int, odd: list[str]) -> int:
    if not value:
        return 0
    tokens = _tokens(value, odd)
    if tokens > whole:
        odd.append("part")
        return whole
    return tokens


def _tokens(value: object, odd: list[str]) -> int:
    """Read one count; whatever is not a plain count is corrected and noted in `odd`."""
    if type(value) is int and 0 <= value <= TOKENS_MAX:
        return value
    if value is None:
        return 0
    odd.append("count")
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0
    return math.ceil(max(0, min(value, TOKENS_MAX)))
