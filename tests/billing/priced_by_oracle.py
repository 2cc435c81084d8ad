"""Owns the second opinion on prices: what the package of list prices itself makes of a usage.

Its arithmetic is its own, in decimals, on its own price data; ours is that of a price imported from
the data. They agree in every bucket, context tier and service tier. They differ, each shown by a test, in

| what | theirs | ours |
| --- | --- | --- |
| rounding | an exact decimal | rounded up to the nano-dollar, once |
| a request | its price is added always | where a call counts one |
| hours of the day | prices of their own | the usual price; a peak says a factor |
| reasoning | may have a price of its own | inside of output |
| cached sound | may have a price of its own | cache_read |
| output of an embedding | has no price | costs what input does: tokens are never given away |
| file searches and more | counted | not counted |
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil
from random import Random
from typing import NamedTuple

from genai_prices import Usage as TheirUsage
from genai_prices.types import ModelInfo, Provider

from tollbridge.catalog.plan import PricePlan
from tollbridge.catalog.price_import import Unsayable, translated
from tollbridge.catalog.price_import_source import chosen, read_source
from tollbridge.core.money import NANO
from tollbridge.protocols.usage import TOKEN_BUCKETS, Usage

AT = datetime(2027, 1, 15, 12, tzinfo=UTC)
"""A moment after all that the data announces."""


class Question(NamedTuple):
    """A usage of a real model, imported, and in a service tier or none."""

    provider: Provider
    model: ModelInfo
    price: PricePlan
    usage: Usage
    tier: str

    def name(self) -> str:
        """Return what a failing test is called."""
        return f"{self.provider.id}/{self.model.id}{'/' * bool(self.tier)}{self.tier}"


def theirs(question: Question, at: datetime = AT, **more: int) -> Decimal:
    """Return what the package makes of a usage, in dollars."""
    used = question.usage
    counts = {
        "input_tokens": used.tokens_in(),
        "cache_read_tokens": used.cache_read,
        "cache_write_tokens": used.cache_write_5m + used.cache_write_1h,
        "cache_write_1h_tokens": used.cache_write_1h,
        "input_audio_tokens": used.audio_input,
        "input_image_tokens": used.image_input,
        "output_tokens": used.output + used.audio_output + used.image_output,
        "output_audio_tokens": used.audio_output,
        "output_image_tokens": used.image_output,
        "web_searches": used.web_search,
        "input_characters": used.character,
        "audio_seconds": used.second,
        "input_audio_seconds": used.second,
        # What we do not count is none, not unknown.
        "cache_audio_read_tokens": 0,
        "cache_image_read_tokens": 0,
        **more,
    }
    key = "processing" if question.tier == "batch" else "service_tier"
    return question.model.calc_price(
        TheirUsage(**counts),
        question.provider,
        genai_request_timestamp=at,
        price_context={key: question.tier} if question.tier else None,
    ).total_price


def in_nano(dollars: Decimal) -> int:
    """Return dollars as nano-dollars, rounded up: the first of the differences."""
    return ceil(dollars * NANO)


def questions(seed: int, each: int) -> Iterator[Question]:
    """Yield random usages of every model of the makers, and of each of its service tiers."""
    random = Random(seed)
    for provider in chosen(read_source(), ()):
        for model in provider.models:
            try:
                price = translated(model, AT).price
            except Unsayable:
                continue
            for tier in ("", *[one.name for one in price.services]):
                for _ in range(each):
                    usage = _usage(random, model, price, tier)
                    yield Question(provider, model, price, usage, tier)


def _usage(random: Random, model: ModelInfo, price: PricePlan, tier: str) -> Usage:
    """Return a usage of what a price sells: mostly small, at times around its threshold."""
    counts: dict[str, int] = {}
    if price.rates:
        top = random.choice((100, 5_000, 90_000))
        # Those without a price too: both sides then fall back on input or output.
        for bucket in TOKEN_BUCKETS:
            counts[bucket] = random.choice((0, random.randint(1, top), random.randint(1, top)))
        for start in [one.above for one in price.tiers][:1]:
            others = sum(counts[name] for name in counts if "output" not in name)
            edge = start - others + counts["input"] + random.choice((-1, 0, 1))
            counts["input"] = random.choice((counts["input"], max(edge, 0)))
    for item in price.items:
        counts[item] = 1 if item == "request" else random.choice((0, 1, random.randint(1, 600)))
    if model.get_prices(AT).output_mtok is None:
        counts = {name: count for name, count in counts.items() if "output" not in name}
    return Usage(tier=tier, **counts)
