"""Owns the arithmetic of a response's `usage` object: vendor figures in, Usage out, and back.

The figures are those of a chat completion under other names, so the same arithmetic corrects them
(money.md, "Buckets"; protocols.md 2.1). What a tool of the vendor's did is counted from the output.
Must not know where the object was found.
"""

from typing import Any, Final

from msgspec import structs

from tollbridge.protocols import chat_usage
from tollbridge.protocols.conversation import Json
from tollbridge.protocols.service_tier import with_tier
from tollbridge.protocols.usage import Usage

_SAME: Final = (
    ("input_tokens", "prompt_tokens"),
    ("output_tokens", "completion_tokens"),
    ("total_tokens", "total_tokens"),
    ("input_tokens_details", "prompt_tokens_details"),
    ("output_tokens_details", "completion_tokens_details"),
)


def usage_from(fields: Any) -> Usage | None:
    """Return the disjoint buckets of a `usage` object; None when it holds no count at all."""
    if not isinstance(fields, dict):
        return None
    return chat_usage.usage_from({theirs: fields.get(ours) for ours, theirs in _SAME})


def usage_of(response: Json) -> Usage | None:
    """Return the buckets of a whole response: its usage and the web searches in its output."""
    usage = with_tier(usage_from(response.get("usage")), response.get("service_tier"))
    searches = _searches(response)
    return structs.replace(usage, web_search=searches) if usage and searches else usage


def _searches(response: Json) -> int:
    """Count the searches; opening a page that was found is not another one."""
    output = response.get("output")
    count = 0
    for item in output if isinstance(output, list) else ():
        if isinstance(item, dict) and item.get("type") == "web_search_call":
            action = item.get("action")
            kind = action.get("type") if isinstance(action, dict) else None
            count += kind in (None, "search")
    return count


def usage_fields(usage: Usage) -> Json:
    """Return the protocol's usage object; every detail is there, as clients insist (protocols.md 6.3)."""
    sent = usage.tokens_in()
    made = usage.output + usage.audio_output + usage.image_output
    return {
        "input_tokens": sent,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
        },
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": sent + made,
    }
