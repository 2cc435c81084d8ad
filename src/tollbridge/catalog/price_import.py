"""Owns the translation of a published list price into a price of ours: exact, or refused. Pure.

What the source says and a price of ours cannot say is noted, never rounded or dropped in silence.
Both sides mean the same by a context tier: the whole call is priced by its input tokens in all,
cached ones included, once they are more than the threshold. Must not know where prices are stored.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from genai_prices.types import (
    ModelInfo,
    ModelPrice,
    PriceVariant,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from tollbridge.catalog.model_fields import PRICE_MAX
from tollbridge.catalog.plan import LaterPlan, PricePlan, ServicePlan, TierPlan
from tollbridge.core.money import NANO
from tollbridge.core.phrase import phrase

BUCKETS: Final = {
    "input_mtok": "input",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write_5m",
    "cache_write_5m_mtok": "cache_write_5m",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_mtok": "output",
    "input_audio_mtok": "audio_input",
    "output_audio_mtok": "audio_output",
    "input_image_mtok": "image_input",
    "output_image_mtok": "image_output",
}
"""The source's token prices that a bucket of ours says; a later name goes before an earlier one."""

ITEMS: Final = {
    "requests_kcount": ("request", 1_000),
    "web_searches_kcount": ("web_search", 1_000),
    "input_mchars": ("character", 1_000_000),
    "audio_hours": ("second", 3_600),
    "input_audio_hours": ("second", 3_600),
    "output_audio_hours": ("second", 3_600),
}
"""The source's prices of counted things: our item, and how many of it the price buys."""

_TIERS: Final = ("service_tier", "processing")
_USUAL: Final = "default"
_ABOVE_MAX: Final = 100_000_000

Say = Decimal | TieredPrices


class Unsayable(Exception):
    """The source's price cannot be said in ours without changing what a call costs."""


@dataclass(frozen=True, slots=True)
class Found:
    """A list price in our terms, and what it leaves out, a line each."""

    price: PricePlan
    later: tuple[LaterPlan, ...]
    notes: tuple[str, ...]


def translated(model: ModelInfo, at: datetime) -> Found:
    """Return what a model of the source costs at a moment and from which days on something else.

    `at` has a time zone; days begin at midnight UTC. Raises Unsayable.
    """
    today = at.astimezone(UTC).date()
    price = _plan(model, today)
    later: list[LaterPlan] = []
    for day in sorted(one for one in _start_days(model) if one > today):
        following = _plan(model, day)
        if following != (later[-1].price if later else price):
            begins = datetime.combine(day, time(), UTC)
            later.append(LaterPlan(int(begins.timestamp()) * 1_000, following))
    return Found(price, tuple(later), tuple(dict.fromkeys(_notes(model, today))))


def _plan(model: ModelInfo, day: date) -> PricePlan:
    standard = _standard(model, day)
    rates, tiers = _rates_and_tiers(standard)
    items = _items(standard)
    if not any(rates.values()) and not any(items.values()):
        raise Unsayable(phrase("the source sells none of what is counted here, or gives it away"))
    services = []
    for name, when in _service_names(model, day) if rates else ():
        own, own_tiers = _rates_and_tiers({**standard, **_overrides(model, day, when)})
        if (own, own_tiers) != (rates, tiers):
            services.append(ServicePlan(name, own, own_tiers))
    services.sort(key=lambda one: one.name)
    return PricePlan(rates, tiers, MappingProxyType(items), (), tuple(services))


def _standard(model: ModelInfo, day: date) -> dict[str, Say]:
    """Return the prices of a day outside hours of their own: the last that has begun."""
    if isinstance(model.prices, ModelPrice):
        return _said(model.prices)
    begun = [
        one.prices
        for one in model.prices
        if one.constraint is None
        or (isinstance(one.constraint, StartDateConstraint) and one.constraint.start_date <= day)
    ]
    if not begun:
        raise Unsayable(phrase("the source has no price that holds today all day long"))
    return _said(begun[-1])


def _said(prices: ModelPrice) -> dict[str, Say]:
    return {name: value for name, value in vars(prices).items() if value is not None}


def _service_names(model: ModelInfo, day: date) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield the service tiers that have prices of their own, by what an answer names."""
    seen = set[str]()
    for variant in _variants(model, day):
        name = next(iter(variant.when.values()))
        if _is_service(variant) and name not in {_USUAL, *seen}:
            seen.add(name)
            yield name, variant.when


def _is_service(variant: PriceVariant) -> bool:
    return len(variant.when) == 1 and variant.when.keys() <= set(_TIERS)


def _variants(model: ModelInfo, day: date) -> Iterator[PriceVariant]:
    for variant in model.price_variants or ():
        rule = variant.constraint
        if rule is None or (isinstance(rule, StartDateConstraint) and rule.start_date <= day):
            yield variant


def _overrides(model: ModelInfo, day: date, when: Mapping[str, str]) -> dict[str, Say]:
    """Return what a service tier prices itself; of two variants the first has the word."""
    prices: dict[str, Say] = {}
    for variant in _variants(model, day):
        if variant.when == when:
            prices = {**_said(variant.prices), **prices}
    return prices


def _rates_and_tiers(prices: Mapping[str, Say]) -> tuple[Mapping[str, int], tuple[TierPlan, ...]]:
    starts = set[int]()
    for name in BUCKETS.keys() & prices.keys():
        value = prices[name]
        if isinstance(value, TieredPrices):
            starts |= {tier.start for tier in value.tiers}
    if starts and not (min(starts) >= 1 and max(starts) <= _ABOVE_MAX):
        raise Unsayable(phrase("a context tier begins where none can"))
    tiers = tuple(TierPlan(start, _rates(prices, start)) for start in sorted(starts))
    return _rates(prices, 0), tiers


def _rates(prices: Mapping[str, Say], above: int) -> Mapping[str, int]:
    """Return the buckets' prices of calls with more input tokens than `above`, 0 for the base."""
    rates = {
        bucket: _nano(name, _at(prices[name], above), 1)
        for name, bucket in BUCKETS.items()
        if name in prices
    }
    if not rates:
        return MappingProxyType({})
    if "input" not in rates:
        raise Unsayable(phrase("the source does not price input tokens"))
    # A source without a price of output means that there is none; nothing may be free for that.
    rates.setdefault("output", rates["input"])
    if "cache_write_5m" in rates:
        # The source's price of cache writes is for any lifetime that it does not price itself.
        rates.setdefault("cache_write_1h", rates["cache_write_5m"])
    return MappingProxyType(rates)


def _at(value: Say, above: int) -> Decimal:
    if isinstance(value, Decimal):
        return value
    reached = [tier for tier in value.tiers if tier.start <= above]
    return max(reached, key=lambda tier: tier.start).price if reached else value.base


def _items(prices: Mapping[str, Say]) -> dict[str, int]:
    items: dict[str, int] = {}
    for name, (item, pieces) in ITEMS.items():
        if name not in prices:
            continue
        value = prices[name]
        if isinstance(value, TieredPrices):
            raise Unsayable(phrase("%(name)s depends on the context", name=name))
        nano = _nano(name, value, pieces)
        if items.setdefault(item, nano) != nano:
            raise Unsayable(phrase("the source has two prices for one %(item)s", item=item))
    return items


def _nano(name: str, dollars: Decimal, pieces: int) -> int:
    """Return dollars for so many pieces as nano-dollars a piece; Unsayable when that is not exact."""
    nano = Fraction(dollars) * NANO / pieces
    if nano.denominator != 1:
        fault = phrase("is no whole number of nano-dollars for one")
        raise Unsayable(phrase("%(name)s %(fault)s", name=f"{name} {dollars}", fault=fault))
    if not 0 <= nano <= PRICE_MAX:
        fault = phrase("is outside of what a price may be")
        raise Unsayable(phrase("%(name)s %(fault)s", name=f"{name} {dollars}", fault=fault))
    return int(nano)


def _start_days(model: ModelInfo) -> Iterator[date]:
    rules = [one.constraint for one in model.prices] if isinstance(model.prices, list) else []
    for rule in (*rules, *[one.constraint for one in model.price_variants or ()]):
        if isinstance(rule, StartDateConstraint):
            yield rule.start_date


def _notes(model: ModelInfo, today: date) -> Iterator[str]:
    standard = _standard(model, today)
    yield from _hours(model)
    if BUCKETS.keys() & standard.keys() and "output_mtok" not in standard:
        yield phrase("the source prices no output: it costs what input does")
    for name, value in standard.items():
        if name not in BUCKETS and name not in ITEMS:
            yield from _left_out(name, value, standard)
    for variant in model.price_variants or ():
        words = ", ".join(f"{key} {value}" for key, value in variant.when.items())
        if isinstance(variant.constraint, TimeOfDateConstraint):
            yield phrase("prices of %(what)s at hours of their own are left out", what=words)
        elif not _is_service(variant):
            yield phrase("prices of %(what)s are left out: no service tier", what=words)
        elif other := _said(variant.prices).keys() - BUCKETS.keys():
            yield phrase(
                "of %(what)s only token prices are taken, not %(others)s",
                what=words,
                others=", ".join(sorted(other)),
            )


def _hours(model: ModelInfo) -> Iterator[str]:
    for one in model.prices if isinstance(model.prices, list) else ():
        rule = one.constraint
        if isinstance(rule, TimeOfDateConstraint):
            words = ", ".join(f"{name} {_text(value)}" for name, value in _said(one.prices).items())
            yield phrase(
                "left out, from %(start)s to %(end)s UTC: %(what)s; a channel's peak can say a factor",
                start=f"{rule.start_time:%H:%M}",
                end=f"{rule.end_time:%H:%M}",
                what=words,
            )


def _left_out(name: str, value: Say, standard: Mapping[str, Say]) -> Iterator[str]:
    """Say which price of the source is not taken, and what its things cost instead."""
    instead = _instead(name)
    if instead is None:
        price = f"{name} {_text(value)}"
        yield phrase("left out: %(price)s, which is not counted here", price=price)
    elif standard.get(instead) != value:
        price = f"{name} {_text(value)}"
        yield phrase(
            "left out: %(price)s; such tokens cost what %(bucket)s does",
            price=price,
            bucket=BUCKETS[instead],
        )


def _instead(name: str) -> str | None:
    """Return the token price that stands in for one that we do not have."""
    if not name.endswith("_mtok"):
        return None
    if name.startswith("cache_"):
        return "cache_write_mtok" if "_write" in name else "cache_read_mtok"
    for stem in ("input_audio", "input_image", "output_audio", "output_image", "input", "output"):
        if name.startswith(stem):
            return f"{stem}_mtok"
    return None


def _text(value: Say) -> str:
    if isinstance(value, Decimal):
        return f"${value}"
    tiers: Sequence[str] = [f"${one.price} above {one.start}" for one in value.tiers]
    return ", ".join((f"${value.base}", *tiers))
