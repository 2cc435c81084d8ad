"""Owns what a call costs: one sum of integers, rounded once, upwards (money.md).

Sums are kept in millionths of a nano-dollar ("parts"), so that tokens times a price per million is
exact until the end. Pure; must not know holds, purses or where prices are stored.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from msgspec.structs import replace

from tollbridge.catalog.prices import ImagePrice, Price, Rates
from tollbridge.core.money import MAX_AMOUNT, Multiplier, ceil_div
from tollbridge.protocols.usage import TOKEN_BUCKETS, ImageCount, Usage

MILLION = 1_000_000
"""Parts in a nano-dollar, and tokens that a bucket's price buys."""

_LIST_PRICE = Multiplier(1, 1)
_ANY = "*"

Unit = Literal["per_million_tokens", "each"]


class Unpriced(Exception):
    """The call used something that its price does not sell at all; it must not pass as free."""


class AmountTooLarge(ArithmeticError):
    """The sum does not fit the 64 bits that money is stored in."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a receipt: `count` things at `rate` nano-dollars a `unit`.

    `parts` is their list cost in millionths of a nano-dollar, exact: count x rate for tokens,
    count x rate x 1,000,000 for things sold each.
    """

    item: str
    count: int
    unit: Unit
    rate: int
    parts: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """A receipt that can be recomputed by hand: ceil(sum of parts x num / (den x 1,000,000)).

    `tier_above` is the threshold of the price tier used, None for the base rates; `total` is in
    nano-dollars and always what `charge` returns.
    """

    lines: tuple[Line, ...]
    tier_above: int | None
    multiplier: Multiplier
    total: int


def charge(usage: Usage, price: Price, multiplier: Multiplier) -> int:
    """Return what a call is charged, in nano-dollars.

    Raises Unpriced when it made images, seconds or characters and the price sells neither those nor
    tokens nor requests; AmountTooLarge above 2^63 - 1.
    """
    return total_of(_parts(usage, price), multiplier)


def list_cost(usage: Usage, price: Price) -> int:
    """Return what the call costs at list price, in nano-dollars; raises as `charge` does."""
    return total_of(_parts(usage, price), _LIST_PRICE)


def costs(usage: Usage, price: Price, multiplier: Multiplier) -> tuple[int, int]:
    """Return (charge, list cost) in nano-dollars, working the parts out once; raises as `charge`."""
    parts = _parts(usage, price)
    listed = total_of(parts, _LIST_PRICE)
    return (listed if multiplier == _LIST_PRICE else total_of(parts, multiplier)), listed


def own_cost(list_nano: int, account_cost: Multiplier) -> int:
    """Return what the operator pays for a call of this list cost, in nano-dollars."""
    if account_cost.num == account_cost.den:
        return list_nano
    return ceil_div(list_nano * account_cost.num, account_cost.den)


def explain(usage: Usage, price: Price, multiplier: Multiplier) -> Explanation:
    """Return the receipt of a charge; raises as `charge` does."""
    tokens_in = usage.tokens_in()
    tier_above = max((tier.above for tier in price.tiers if tokens_in > tier.above), default=None)
    lines = (*_token_lines(usage, price.rates_for(tokens_in)), *_item_lines(usage, price))
    total = total_of(sum(line.parts for line in lines), multiplier)
    return Explanation(lines, tier_above, multiplier, total)


def is_priced(price: Price) -> bool:
    """Return whether a call can be sold at this price; web searches alone do not make it so."""
    return bool(
        price.request
        or price.second
        or price.character
        or any(image.price for image in price.images)
        or _sells_tokens(price)
    )


def total_of(parts: int, multiplier: Multiplier) -> int:
    """Return millionths of nano-dollars as nano-dollars: the only rounding, always upwards."""
    total = ceil_div(parts * multiplier.num, multiplier.den * MILLION)
    if total > MAX_AMOUNT:
        raise AmountTooLarge("a charge does not fit 64 bits of nano-dollars")
    return total


def dearest_image(price: Price, size: str | None, quality: str | None) -> int:
    """Return the most that one image can cost, in nano-dollars; None stands for any value.

    Raises Unpriced when neither images nor tokens nor requests are sold.
    """
    # Whatever the value will be, it is one that a row names, or one that none names.
    sizes = {row.size for row in price.images} | {_ANY} if size is None else {size}
    qualities = {row.quality for row in price.images} | {_ANY} if quality is None else {quality}
    return max(_image_rate(price, one, other) for one in sizes for other in qualities)


def completed(usage: Usage, estimate: Usage, price: Price) -> tuple[Usage, bool]:
    """Return the usage with what the price sells and only the estimate knows; whether there was any.

    Media answers often tell a part of what they used (characters but no tokens, tokens but no
    seconds), and it may be the other part that is sold: nothing may pass as free for that.
    """
    fields: dict[str, int | tuple[ImageCount, ...]] = {}
    if _sells_tokens(price) and not _made_tokens(usage):
        fields.update({name: getattr(estimate, name) for name in TOKEN_BUCKETS})
    if price.second and not usage.second:
        fields["second"] = estimate.second
    if price.character and not usage.character:
        fields["character"] = estimate.character
    if price.images and not usage.images:
        fields["images"] = estimate.images
    if not any(fields.values()):
        return usage, False
    return replace(usage, **fields), True


def _made_tokens(usage: Usage) -> bool:
    return any(getattr(usage, name) for name in TOKEN_BUCKETS)


def _parts(usage: Usage, price: Price) -> int:
    """Return the exact list cost of a call; the usual one looks at two or three buckets."""
    rates = price.rates_for(usage.tokens_in()) if price.tiers else price.rates
    parts = usage.input * rates.input + usage.output * rates.output
    if usage.cache_read:
        parts += usage.cache_read * rates.cache_read
    if usage.cache_write_5m or usage.cache_write_1h:
        parts += usage.cache_write_5m * rates.cache_write_5m
        parts += usage.cache_write_1h * rates.cache_write_1h
    if usage.audio_input or usage.audio_output:
        parts += usage.audio_input * rates.audio_input + usage.audio_output * rates.audio_output
    if usage.image_input or usage.image_output:
        parts += usage.image_input * rates.image_input + usage.image_output * rates.image_output
    if usage.web_search or usage.second or usage.character or usage.images:
        return parts + sum(line.parts for line in _item_lines(usage, price))
    if usage.request:
        parts += usage.request * price.request * MILLION
    return parts


def _token_lines(usage: Usage, rates: Rates) -> Iterator[Line]:
    for bucket in TOKEN_BUCKETS:
        count: int = getattr(usage, bucket)
        if count:
            rate = rates.of(bucket)
            yield Line(bucket, count, "per_million_tokens", rate, count * rate)


def _item_lines(usage: Usage, price: Price) -> Iterator[Line]:
    for item, count, rate in (
        ("request", usage.request, price.request),
        ("web_search", usage.web_search, price.web_search),
        ("second", usage.second, price.second),
        ("character", usage.character, price.character),
    ):
        if count:
            if not rate and item in {"second", "character"}:
                _require_other_price(price, item)
            yield Line(item, count, "each", rate, count * rate * MILLION)
    for image in usage.images:
        if image.count:
            rate = _image_rate(price, image.size, image.quality)
            name = " ".join(filter(None, ("image", image.size, image.quality)))
            yield Line(name, image.count, "each", rate, image.count * rate * MILLION)


def _image_rate(price: Price, size: str, quality: str) -> int:
    """Return the price of one image: the closest row; without any that fits, the dearest row."""
    if not price.images:
        _require_other_price(price, "image")
        return 0
    fitting = [row for row in price.images if _fits(row, size, quality)]
    if not fitting:
        return max(row.price for row in price.images)
    return max(fitting, key=lambda row: (row.size != _ANY, row.quality != _ANY, row.price)).price


def _fits(row: ImagePrice, size: str, quality: str) -> bool:
    return row.size in {size, _ANY} and row.quality in {quality, _ANY}


def _require_other_price(price: Price, item: str) -> None:
    """Raise Unpriced when neither tokens nor requests pay for an item that has no price."""
    if not price.request and not _sells_tokens(price):
        raise Unpriced(f"{price.model} has no price for: {item}")


def _sells_tokens(price: Price) -> bool:
    every = (price.rates, *(tier.rates for tier in price.tiers))
    return any(rates.of(bucket) for rates in every for bucket in TOKEN_BUCKETS)
