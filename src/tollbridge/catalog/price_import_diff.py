"""Owns how two prices differ, in words for who has to confirm it. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from tollbridge.catalog.plan import LaterPlan, PricePlan, TierPlan
from tollbridge.core.money import format_usd
from tollbridge.protocols.usage import TOKEN_BUCKETS

_NONE = "none"


def differences(
    old: PricePlan | None,
    new: PricePlan,
    old_later: Sequence[LaterPlan] = (),
    new_later: Sequence[LaterPlan] = (),
) -> tuple[str, ...]:
    """Return a line for each price that changes: what it is for, what it was, what it will be.

    Later prices are told whole, those that are not to come any more and those that are new.
    """
    lines = list(_changes(flat(old) if old else {}, flat(new)))
    gone = [one for one in old_later if one not in new_later]
    lines += [f"from {_day(one.from_ms)}: not to come any more" for one in gone]
    for one in new_later:
        if one not in old_later:
            changes = _changes(flat(new), flat(one.price))
            lines += [f"from {_day(one.from_ms)}: {change}" for change in changes]
    return tuple(lines)


def flat(price: PricePlan) -> dict[str, int]:
    """Return every number of a price under a name of its own, in nano-dollars."""
    named = dict(_token_prices("", price.rates, price.tiers))
    for service in price.services:
        named |= _token_prices(f"{service.name} ", service.rates, service.tiers)
    named |= {f"each {item}": nano for item, nano in price.items.items()}
    for image in price.images:
        named[f"each image {image.size} {image.quality}"] = image.price
    return named


def _token_prices(
    prefix: str, rates: Mapping[str, int], tiers: Sequence[TierPlan]
) -> Iterator[tuple[str, int]]:
    for above, these in (("", rates), *[(f"above {one.above:,} ", one.rates) for one in tiers]):
        for bucket in TOKEN_BUCKETS:
            if bucket in these:
                yield f"{prefix}{above}{bucket}", these[bucket]


def _changes(old: Mapping[str, int], new: Mapping[str, int]) -> Iterator[str]:
    for name in dict.fromkeys((*new, *old)):
        before, after = old.get(name), new.get(name)
        if before != after:
            yield f"{name}: {_dollars(before)} → {_dollars(after)}"


def _dollars(nano: int | None) -> str:
    return _NONE if nano is None else f"${format_usd(nano)}"


def _day(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1_000, UTC):%Y-%m-%d %H:%M} UTC"
