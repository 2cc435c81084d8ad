"""Owns price values: what a model costs by bucket, tier and counted item (money.md). Pure.

Nano-dollars per million tokens for buckets, nano-dollars each for counted items. It must not know
where prices are stored nor what a call used.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from tollbridge.protocols.usage import TOKEN_BUCKETS

_OUTPUT_BUCKETS = frozenset({"audio_output", "image_output"})


@dataclass(frozen=True, slots=True)
class Rates:
    """What a million tokens of each bucket cost, in nano-dollars."""

    input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output: int
    audio_input: int
    audio_output: int
    image_input: int
    image_output: int

    @classmethod
    def filled(cls, given: Mapping[str, int]) -> Self:
        """Return rates from the buckets that the operator priced; what is missing is never free.

        Missing input-side buckets cost what `input` costs, missing output-side ones what `output`
        costs. Without both of these only counted items are sold: their tokens cost 0.
        ValueError for a bucket that does not exist or a price below zero.
        """
        for name, price in given.items():
            if name not in TOKEN_BUCKETS:
                raise ValueError(f"{name} is not a token bucket")
            if price < 0:
                raise ValueError(f"{name}: a price must not be negative")
        if given and not {"input", "output"} <= given.keys():
            raise ValueError("input and output must both be priced")
        return cls(**{name: given.get(name, given.get(_base(name), 0)) for name in TOKEN_BUCKETS})

    def of(self, bucket: str) -> int:
        """Return the price of a million tokens of the bucket that is named in TOKEN_BUCKETS."""
        price: int = getattr(self, bucket)
        return price


def _base(bucket: str) -> str:
    return "output" if bucket in _OUTPUT_BUCKETS else "input"


@dataclass(frozen=True, slots=True)
class Tier:
    """Rates of calls whose input tokens, cached ones included, are more than `above`."""

    above: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Service:
    """Rates of calls whose answer names a service tier, such as flex, priority or batch."""

    name: str
    rates: Rates
    tiers: tuple[Tier, ...] = ()


@dataclass(frozen=True, slots=True)
class ImagePrice:
    """What one image of a size and quality costs, in nano-dollars; "*" stands for any."""

    size: str
    quality: str
    price: int


@dataclass(frozen=True, slots=True)
class Price:
    """The list price of a model, as one row of the price table says it."""

    id: int
    model: str
    rates: Rates
    tiers: tuple[Tier, ...] = ()
    request: int = 0
    second: int = 0
    character: int = 0
    web_search: int = 0
    images: tuple[ImagePrice, ...] = ()
    services: tuple[Service, ...] = ()
    _served: Mapping[str, "Price"] = field(init=False, repr=False, compare=False)
    _dearest: tuple[int, int, int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Keep the highest tier first, so that the first match is the right one."""
        ordered = tuple(sorted(self.tiers, key=lambda tier: -tier.above))
        object.__setattr__(self, "tiers", ordered)
        served = {
            one.name: replace(self, rates=one.rates, tiers=one.tiers, services=())
            for one in self.services
        }
        object.__setattr__(self, "_served", served)
        object.__setattr__(self, "_dearest", _dearest(tuple(self.every_rates())))

    def served(self, tier: str) -> "Price":
        """Return the price of calls that were served in a tier: this one where it has no own."""
        return self._served.get(tier, self)

    def dearest(self, *, media_in: bool, media_out: bool) -> tuple[int, int]:
        """Return the most that a million tokens cost in and out, whatever bucket and tier they are.

        Those of images and sounds count only where the call may have them.
        """
        text_in, any_in, text_out, any_out = self._dearest
        return (any_in if media_in else text_in, any_out if media_out else text_out)

    def every_rates(self) -> Iterator[Rates]:
        """Yield all rates that a call may come to."""
        yield self.rates
        yield from (tier.rates for tier in self.tiers)
        for service in self.services:
            yield service.rates
            yield from (tier.rates for tier in service.tiers)

    def rates_for(self, tokens_in: int) -> Rates:
        """Return the rates of a call with that many input tokens in all."""
        for tier in self.tiers:
            if tokens_in > tier.above:
                return tier.rates
        return self.rates


def _dearest(every: tuple[Rates, ...]) -> tuple[int, int, int, int]:
    """Return the dearest rate: text in, anything in, text out, anything out."""
    text_in = max(
        max(one.input, one.cache_read, one.cache_write_5m, one.cache_write_1h) for one in every
    )
    text_out = max(one.output for one in every)
    return (
        text_in,
        max(text_in, *(max(one.audio_input, one.image_input) for one in every)),
        text_out,
        max(text_out, *(max(one.audio_output, one.image_output) for one in every)),
    )
