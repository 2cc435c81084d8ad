"""Owns the arithmetic of an Anthropic `usage` object: vendor figures in, Usage out, and back.

Its input tokens exclude what the cache read or took, and thinking is inside the output
(protocols.md 2.1). Takes any JSON and never raises: what does not add up is corrected and flagged
as clamped. Must not know where the object was found.
"""

import math
from typing import Any

from msgspec.structs import replace

from tollbridge.protocols.chat_usage import TOKENS_MAX
from tollbridge.protocols.conversation import Json
from tollbridge.protocols.service_tier import tier_name
from tollbridge.protocols.usage import Usage

_COUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
)
_NOTHING: dict[str, Any] = {}


def merged_usage(seen: Json | None, later: object) -> Json | None:
    """Return the figures of a stream so far: cumulative, so a later one that is not null replaces.

    Field by field and never added up; a later event may carry only a part of them.
    """
    if not isinstance(later, dict):
        return seen
    merged = dict(seen or {})
    for name, value in later.items():
        before = merged.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            merged[name] = merged_usage(before, value)
        elif value is not None or name not in merged:
            merged[name] = value
    return merged


def usage_from(fields: Any) -> Usage | None:
    """Return the disjoint buckets of a `usage` object; None when it holds no count at all."""
    if not isinstance(fields, dict) or all(fields.get(name) is None for name in _COUNTS):
        return None
    odd: list[str] = []
    output = _tokens(fields.get("output_tokens"), odd)
    thinking = _tokens(_details(fields, "output_tokens_details").get("thinking_tokens"), odd)
    if thinking > output:
        odd.append("thinking")
        output = thinking
    short, long = _written(fields, odd)
    return Usage(
        input=_tokens(fields.get("input_tokens"), odd),
        cache_read=_tokens(fields.get("cache_read_input_tokens"), odd),
        cache_write_5m=short,
        cache_write_1h=long,
        output=output,
        reasoning=thinking,
        web_search=_tokens(_details(fields, "server_tool_use").get("web_search_requests"), odd),
        clamped=bool(odd),
        tier=tier_name(fields.get("service_tier")),
    )


def begun_usage(fields: Any) -> Usage | None:
    """Return what the start of a stream tells: the input; its output is a placeholder (2.1)."""
    usage = usage_from(fields)
    if usage is None or not usage.tokens_in():
        return None
    return replace(usage, output=0, reasoning=0, interim=True)


def usage_fields(usage: Usage) -> Json:
    """Return the `usage` object of a whole answer."""
    fields = delta_usage_fields(usage)
    fields["cache_creation"] = {
        "ephemeral_5m_input_tokens": usage.cache_write_5m,
        "ephemeral_1h_input_tokens": usage.cache_write_1h,
    }
    return fields


def delta_usage_fields(usage: Usage) -> Json:
    """Return the `usage` object of a message_delta, which does not split the cache's writes."""
    fields: Json = {
        "input_tokens": usage.input + usage.audio_input + usage.image_input,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output + usage.audio_output + usage.image_output,
    }
    if usage.reasoning:
        fields["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if usage.web_search:
        fields["server_tool_use"] = {
            "web_search_requests": usage.web_search,
            "web_fetch_requests": 0,
        }
    return fields


def _written(fields: dict[str, Any], odd: list[str]) -> tuple[int, int]:
    """Return what was written to the cache for five minutes and for an hour.

    The total counts: a stream may raise it later without repeating the split, and the rest then
    is of the default kind.
    """
    split = _details(fields, "cache_creation")
    short = _tokens(split.get("ephemeral_5m_input_tokens"), odd)
    long = _tokens(split.get("ephemeral_1h_input_tokens"), odd)
    total = fields.get("cache_creation_input_tokens")
    if total is None:
        return short, long
    whole = _tokens(total, odd)
    if short + long > whole:
        odd.append("cache_creation")
        long = min(long, whole)
    return whole - long, long


def _details(fields: dict[str, Any], name: str) -> dict[str, Any]:
    details = fields.get(name)
    return details if isinstance(details, dict) else _NOTHING


def _tokens(value: object, odd: list[str]) -> int:
    """Read one count; whatever is not a plain count is corrected and noted in `odd`."""
    if type(value) is int and 0 <= value <= TOKENS_MAX:
        return value
    if value is None:
        return 0
    odd.append("count")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        return 0
    return math.ceil(max(0, min(value, TOKENS_MAX)))
