"""Owns how two prices differ, in words for who has to confirm it. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from tollbridge.catalog.plan import LaterPlan, PricePlan, TierPlan
from tollbridge.core.language import N_
from tollbridge.core.money import format_usd
from tollbridge.core.phrase import Phrase, phrase
from tollbridge.protocols.usage import TOKEN_BUCKETS

_NONE = phrase("none")

NAMES: Final = {
    "input": N_("Input"),
    "cache_read": N_("Cache read"),
    "cache_write_5m": N_("Cache write, 5 minutes"),
    "cache_write_1h": N_("Cache write, 1 hour"),
    "output": N_("Output"),
    "audio_input": N_("Audio in"),
    "audio_output": N_("Audio out"),
    "image_input": N_("Images in"),
    "image_output": N_("Images out"),
    "request": N_("Each call"),
    "second": N_("Each second of audio"),
    "character": N_("Each character"),
    "web_search": N_("Each web search"),
}
"""What prices are for."""


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
    lines += [phrase("from %(day)s: not to come any more", day=_day(one.from_ms)) for one in gone]
    for one in new_later:
        if one not in old_later:
            changes = _changes(flat(new), flat(one.price))
            day = _day(one.from_ms)
            lines += [phrase("from %(day)s: %(change)s", day=day, change=one) for one in changes]
    return tuple(lines)


def flat(price: PricePlan) -> dict[str, int]:
    """Return every number of a price under a name of its own, a phrase, in nano-dollars."""
    named = dict(_token_prices(price.rates, price.tiers))
    for service in price.services:
        named |= {
            phrase("%(service)s %(price)s", service=service.name, price=name): nano
            for name, nano in _token_prices(service.rates, service.tiers)
        }
    named |= {Phrase(f"each {item}", NAMES[item]): nano for item, nano in price.items.items()}
    for image in price.images:
        words = {"size": image.size, "quality": image.quality}
        named[phrase("each image %(size)s %(quality)s", **words)] = image.price
    return named


def _token_prices(rates: Mapping[str, int], tiers: Sequence[TierPlan]) -> Iterator[tuple[str, int]]:
    for above, these in ((0, rates), *[(one.above, one.rates) for one in tiers]):
        for bucket in TOKEN_BUCKETS:
            name = Phrase(bucket, NAMES[bucket])
            if above:
                name = phrase("above %(tokens)s %(price)s", tokens=f"{above:,}", price=name)
            if bucket in these:
                yield name, these[bucket]


def _changes(old: Mapping[str, int], new: Mapping[str, int]) -> Iterator[str]:
    for name in dict.fromkeys((*new, *old)):
        before, after = old.get(name), new.get(name)
        if before != after:
            steps = {"before": _dollars(before), "after": _dollars(after)}
            yield phrase("%(what)s: %(before)s → %(after)s", what=name, **steps)


def _dollars(nano: int | None) -> str:
    return _NONE if nano is None else f"${format_usd(nano)}"


def _day(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1_000, UTC):%Y-%m-%d %H:%M} UTC"
