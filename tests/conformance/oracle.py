"""Owns a second opinion on charges, worked out by hand from a vendor's usage and a price list.

Integers and JSON only; it shares no line with the code under test. Amounts are nano-dollars,
prices nano-dollars per million tokens.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_CACHED = ("cached_tokens", "prompt_cache_hit_tokens", "num_cached_tokens")


@dataclass(frozen=True)
class PriceList:
    """One model's prices; a bucket without its own price costs what its side costs."""

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    audio_input: int
    audio_output: int
    image_input: int | None
    request: int

    @classmethod
    def numbered(cls, nth: int) -> "PriceList":
        """Return prices that no other number has, in no relation to each other."""
        odd = 1_000_003 * nth
        return cls(
            input=2_500_000_007 + odd,
            output=10_000_000_019 + 3 * odd,
            cache_read=250_000_013 + 7 * odd,
            cache_write_5m=3_125_000_029 + 11 * odd,
            audio_input=40_000_000_003 + 13 * odd,
            audio_output=80_000_000_021 + 17 * odd,
            image_input=None if nth % 2 else 5_000_000_039 + 19 * odd,
            request=0 if nth % 3 else 1_234_567,
        )

    def toml(self) -> str:
        """Return the prices as lines of a configuration file."""
        given = {name: value for name, value in vars(self).items() if value}
        return "".join(
            f'{name} = "{nano // 10**9}.{nano % 10**9:09d}"\n' for name, nano in given.items()
        )


def combined(usages: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return one usage out of all that an answer gives: of each figure the last that is not null."""
    whole: dict[str, Any] = {}
    for usage in usages:
        for name, value in usage.items():
            if isinstance(value, dict):
                value = combined([whole.get(name) or {}, value])  # noqa: PLW2901
            if value is not None:
                whole[name] = value
    return whole


def buckets(usage: dict[str, Any]) -> dict[str, int]:
    """Return the disjoint token counts of a usage object that adds up, or hides its reasoning."""
    prompt, made = usage["prompt_tokens"], usage.get("completion_tokens") or 0
    inside = usage.get("prompt_tokens_details") or {}
    outside = usage.get("completion_tokens_details") or {}
    reasoning = outside.get("reasoning_tokens") or 0
    hidden = usage["total_tokens"] - prompt - made
    assert hidden in {0, reasoning} or not reasoning, "no rule for such a usage"
    places = [inside.get("cached_tokens"), *(usage.get(name) for name in _CACHED)]
    cached = min(next((count for count in places if count is not None), 0), prompt)
    written = inside.get("cache_write_tokens") or 0
    fresh = prompt - cached - written
    audio_in = min(inside.get("audio_tokens") or 0, fresh)
    image_in = min(inside.get("image_tokens") or 0, fresh - audio_in)
    audio_out = outside.get("audio_tokens") or 0
    return {
        "input": fresh - audio_in - image_in,
        "cache_read": cached,
        "cache_write_5m": written,
        "audio_input": audio_in,
        "image_input": image_in,
        "output": made + hidden - audio_out,
        "audio_output": audio_out,
    }


def charge(counts: dict[str, int], prices: PriceList, num: int, den: int) -> int:
    """Return ceil((tokens x price / 1,000,000 + the fee of the request) x num / den)."""
    millionths = prices.request * 1_000_000
    for bucket, count in counts.items():
        price = getattr(prices, bucket)
        millionths += count * (prices.input if price is None else price)
    return -(-millionths * num // (den * 1_000_000))
