"""Owns how a price is told to third-party tools: dollars a token, in exact decimal strings.

The names are those that tools already read from public lists of models. Pure; must not know
channels or keys.
"""

from typing import Any

from tollbridge.billing.pricing import MILLION
from tollbridge.billing.shown_price import price_text
from tollbridge.catalog.prices import Price, Rates
from tollbridge.core.money import Multiplier

_TOKENS = (
    ("prompt", "input"),
    ("completion", "output"),
    ("input_cache_read", "cache_read"),
    ("input_cache_write", "cache_write_5m"),
    ("input_cache_write_1h", "cache_write_1h"),
    ("audio", "audio_input"),
    ("audio_output", "audio_output"),
    ("image_token", "image_input"),
    ("image_output", "image_output"),
)


def price_fields(price: Price, multiplier: Multiplier) -> dict[str, Any]:
    """Return what the price, times a channel's multiplier, adds to a model of a list.

    Tokens, requests, searches, seconds and characters cost dollars each. `overrides` are the rates
    of calls with at least so many input tokens. Images are sold by size and quality, so they stand
    beside. Strings are exact; a multiplier that no decimal writes is rounded up at 24 places.
    """
    pricing: dict[str, Any] = _rates(price.rates, multiplier)
    for name in ("request", "web_search", "second", "character"):
        if each := getattr(price, name):
            pricing[name] = price_text(each, 1, multiplier)
    if price.tiers:
        pricing["overrides"] = [
            {"min_prompt_tokens": tier.above + 1, **_rates(tier.rates, multiplier)}
            for tier in reversed(price.tiers)
        ]
    images = [
        {"size": row.size, "quality": row.quality, "price": price_text(row.price, 1, multiplier)}
        for row in price.images
    ]
    return {"pricing": pricing, **({"image_pricing": images} if images else {})}


def _rates(rates: Rates, multiplier: Multiplier) -> dict[str, str]:
    return {name: price_text(rates.of(bucket), MILLION, multiplier) for name, bucket in _TOKENS}
