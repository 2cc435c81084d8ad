"""Owns the arithmetic of Gemini's `usageMetadata`: vendor figures in, Usage out, and back.

Thoughts are outside the candidates' tokens, a tool's prompt is outside the prompt, cached tokens are
inside it (protocols.md 2.1). It takes any JSON and never raises: what does not add up is corrected
and flagged as clamped (money.md, "Buckets"). Must not know where the object was found.
"""

import math
from typing import Any, Final

from tollbridge.protocols.gemini_names import spelled
from tollbridge.protocols.service_tier import tier_name
from tollbridge.protocols.usage import Usage

TOKENS_MAX: Final = 10**9
"""More tokens than any call has; larger figures are nonsense and must not reach a price."""

_COUNTS: Final = (
    "promptTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "toolUsePromptTokenCount",
    "totalTokenCount",
)


def has_counts(fields: Any) -> bool:
    """Say whether `usage_from` finds anything; for streams, which say it again and again."""
    given = spelled(fields)
    return any(given.get(name) is not None for name in _COUNTS)


def usage_from(fields: Any) -> Usage | None:
    """Return the disjoint buckets of a `usageMetadata`; None when it holds no count at all."""
    if not has_counts(fields):
        return None
    given = spelled(fields)
    odd: list[str] = []
    prompt, made, thoughts, tools, total = (_tokens(given.get(name), odd) for name in _COUNTS)
    if given.get("totalTokenCount") is not None:
        beyond = total - prompt - made - thoughts - tools
        if given.get("promptTokenCount") is None and beyond > 0:
            prompt += beyond
        elif beyond > 0 and given.get("thoughtsTokenCount") is None:
            # Thoughts that only the total counts.
            made += beyond
        elif beyond:
            odd.append("total")
    fresh, cached, audio_in, image_in = _input(given, prompt, tools, odd)
    said = _modalities(given, ("candidatesTokensDetails",), odd)
    audio_out = min(said.get("AUDIO", 0), made)
    image_out = min(said.get("IMAGE", 0), made - audio_out)
    return Usage(
        input=fresh,
        cache_read=cached,
        output=made - audio_out - image_out + thoughts,
        reasoning=thoughts,
        audio_input=audio_in,
        audio_output=audio_out,
        image_input=image_in,
        image_output=image_out,
        clamped=bool(odd),
        tier=tier_name(given.get("serviceTier") or given.get("trafficType")),
    )


def _input(
    given: dict[str, Any], prompt: int, tools: int, odd: list[str]
) -> tuple[int, int, int, int]:
    """Split the input into fresh, cached, audio and image tokens, in that order."""
    cached = _tokens(given.get("cachedContentTokenCount"), odd)
    if cached > prompt:
        odd.append("cached")
        cached = prompt
    rest = prompt + tools - cached
    kinds = ("promptTokensDetails", "toolUsePromptTokensDetails")
    said = _modalities(given, kinds, odd)
    # The prompt's details count the cached tokens too; what is cached has its own bucket.
    kept = _modalities(given, ("cacheTokensDetails",), odd)
    audio = min(max(said.get("AUDIO", 0) - kept.get("AUDIO", 0), 0), rest)
    image = min(max(said.get("IMAGE", 0) - kept.get("IMAGE", 0), 0), rest - audio)
    return rest - audio - image, cached, audio, image


def _modalities(given: dict[str, Any], names: tuple[str, ...], odd: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        entries = given.get(name)
        for entry in entries if isinstance(entries, list) else ():
            detail = spelled(entry)
            kind = detail.get("modality")
            if isinstance(kind, str):
                count = _tokens(detail.get("tokenCount"), odd)
                found[kind.upper()] = found.get(kind.upper(), 0) + count
    return found


def _tokens(value: object, odd: list[str]) -> int:
    """Read one count; whatever is not a plain count is corrected and noted in `odd`."""
    if type(value) is int and 0 <= value <= TOKENS_MAX:
        return value
    if value is None:
        return 0
    odd.append("count")
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:  # noqa: PLR0124
        return 0
    return math.ceil(max(0, min(value, TOKENS_MAX)))


def usage_fields(usage: Usage) -> dict[str, Any]:
    """Return the `usageMetadata` that says the same; it has no word for a written cache."""
    sent = usage.tokens_in()
    made = usage.output + usage.audio_output + usage.image_output
    fields: dict[str, Any] = {
        "promptTokenCount": sent,
        "candidatesTokenCount": made - usage.reasoning,
        "totalTokenCount": sent + made,
    }
    if usage.cache_read:
        fields["cachedContentTokenCount"] = usage.cache_read
    if usage.reasoning:
        fields["thoughtsTokenCount"] = usage.reasoning
    for name, whole, audio, image in (
        ("promptTokensDetails", sent, usage.audio_input, usage.image_input),
        ("candidatesTokensDetails", made - usage.reasoning, usage.audio_output, usage.image_output),
    ):
        if audio or image:
            kinds = (("TEXT", whole - audio - image), ("AUDIO", audio), ("IMAGE", image))
            fields[name] = [
                {"modality": kind, "tokenCount": count} for kind, count in kinds if count
            ]
    return fields
