"""Owns what the models of a channel cost somebody at this moment, line by line, exact.

All factors are in it: the channel's, the user's group's, the hour's. Pure; must not know pages.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from tollbridge.billing.pricing import is_priced
from tollbridge.billing.shown_price import price_text
from tollbridge.catalog.factors import multiplier_of
from tollbridge.catalog.prices import Price, Rates
from tollbridge.catalog.snapshot import Channel, Snapshot
from tollbridge.core.money import Multiplier
from tollbridge.web.forms import N_

# What costs as much as this where the operator gave it no price of its own: not worth a word then.
_BASES: Final = {
    "cache_write_5m": "input",
    "cache_write_1h": "input",
    "audio_input": "input",
    "image_input": "input",
    "audio_output": "output",
    "image_output": "output",
}
_BUCKETS: Final = {
    "cache_write_5m": N_("Written to the cache for 5 minutes, a million tokens"),
    "cache_write_1h": N_("Written to the cache for an hour, a million tokens"),
    "audio_input": N_("Audio in, a million tokens"),
    "audio_output": N_("Audio out, a million tokens"),
    "image_input": N_("Images in, a million tokens"),
    "image_output": N_("Images out, a million tokens"),
}
_EACH: Final = {
    "request": N_("Each request"),
    "second": N_("Each second"),
    "character": N_("Each character"),
    "web_search": N_("Each web search"),
}
_ANY: Final = "*"
_CENTS: Final = 2

Sort = Literal["model", "tier", "service"]


@dataclass(frozen=True, slots=True)
class Extra:
    """Something besides the usual three; `what` is a msgid or, with `own`, words as they stand."""

    what: str
    price: str
    own: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """Prices of a model, of its calls above so many input tokens, or of a service tier of its.

    Prices are dollars for a million tokens; None where no tokens are sold.
    """

    sort: Sort
    name: str
    above: int = 0
    input: str | None = None
    cached: str | None = None
    output: str | None = None
    extras: tuple[Extra, ...] = ()
    context: int = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """What a channel sells to users of a group. `multiplier` is that of now, with every factor."""

    channel: Channel
    multiplier: Multiplier
    models: Sequence[str]
    peak_now: bool


def offers_of(
    snapshot: Snapshot, channels: Iterable[Channel], group: str, at_ms: int, wish: str = ""
) -> list[Offer]:
    """Return what channels sell, by name; `wish` is a part of a model's or a channel's name."""
    found = []
    for channel in sorted(channels, key=lambda one: one.name):
        names = _sold(snapshot, channel, wish.casefold())
        if names:
            whole, _ = multiplier_of(snapshot, channel, group, at_ms)
            peak = channel.peak is not None and channel.peak.covers(at_ms)
            found.append(Offer(channel, whole, names, peak))
    return found


def lines_of(snapshot: Snapshot, offer: Offer, most: int) -> list[Line]:
    """Return the lines of an offer's first models."""
    lines: list[Line] = []
    for name in offer.models[:most]:
        model = snapshot.model(name)
        assert model is not None
        assert model.price is not None
        lines += _model(name, model.price, offer.multiplier, model.context)
    return lines


def dollars(nano: int, multiplier: Multiplier) -> str:
    """Return an amount times a factor as exact dollars, with cents."""
    whole, _, decimals = price_text(nano, 1, multiplier).partition(".")
    return f"${int(whole):,}.{decimals.ljust(_CENTS, '0')}"


def _sold(snapshot: Snapshot, channel: Channel, wish: str) -> list[str]:
    all_of = not wish or wish in channel.name.casefold()
    return [
        name
        for name in snapshot.visible[channel.id]
        if (all_of or wish in name.casefold()) and _priced(snapshot, name)
    ]


def _priced(snapshot: Snapshot, name: str) -> bool:
    model = snapshot.model(name)
    return model is not None and model.price is not None and is_priced(model.price)


def _model(name: str, price: Price, factor: Multiplier, context: int) -> Iterator[Line]:
    extras = (*_buckets(price.rates, factor), *_counted(price, factor))
    yield _line("model", name, price.rates, factor, extras=extras, context=context)
    for tier in reversed(price.tiers):
        more = _buckets(tier.rates, factor)
        yield _line("tier", name, tier.rates, factor, above=tier.above, extras=more)
    for service in price.services:
        more = _buckets(service.rates, factor)
        yield _line("service", service.name, service.rates, factor, extras=more)
        for tier in sorted(service.tiers, key=lambda one: one.above):
            more = _buckets(tier.rates, factor)
            yield _line("service", service.name, tier.rates, factor, above=tier.above, extras=more)


def _line(
    sort: Sort,
    name: str,
    rates: Rates,
    factor: Multiplier,
    *,
    above: int = 0,
    extras: tuple[Extra, ...] = (),
    context: int = 0,
) -> Line:
    if not (rates.input or rates.output):
        return Line(sort, name, above, extras=extras, context=context)
    return Line(
        sort,
        name,
        above,
        input=dollars(rates.input, factor),
        cached=dollars(rates.cache_read, factor),
        output=dollars(rates.output, factor),
        extras=extras,
        context=context,
    )


def _buckets(rates: Rates, factor: Multiplier) -> tuple[Extra, ...]:
    return tuple(
        Extra(what, dollars(rates.of(bucket), factor))
        for bucket, what in _BUCKETS.items()
        if rates.of(bucket) != rates.of(_BASES[bucket])
    )


def _counted(price: Price, factor: Multiplier) -> Iterator[Extra]:
    for name, what in _EACH.items():
        if nano := getattr(price, name):
            yield Extra(what, dollars(nano, factor))
    for image in price.images:
        words = [word for word in (image.size, image.quality) if word != _ANY]
        what = " ".join(words)
        cost = dollars(image.price, factor)
        yield Extra(what, cost, own=True) if what else Extra(N_("Each image"), cost)
