"""Owns the price table: its JSON columns, and that a price ends instead of changing (money.md)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, RowMapping, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.catalog.plan import LaterPlan, PricePlan
from tollbridge.catalog.prices import ImagePrice, Price, Rates, Service, Tier
from tollbridge.core.clock import new_id
from tollbridge.storage.rows import to_json
from tollbridge.storage.tables import prices

_GONE: Final[Any] = object()


def price_columns(plan: PricePlan) -> dict[str, str]:
    """Return the JSON columns of a price: only what the operator priced, in integers."""
    images = [[image.size, image.quality, image.price] for image in plan.images]
    services = {
        one.name: [dict(one.rates), [[tier.above, dict(tier.rates)] for tier in one.tiers]]
        for one in plan.services
    }
    return {
        "services": to_json(services),
        "rates": to_json(dict(plan.rates)),
        "tiers": to_json([[tier.above, dict(tier.rates)] for tier in plan.tiers]),
        "items": to_json({**plan.items, **({"image": images} if images else {})}),
    }


def price_of(row: Mapping[Any, Any], model: str) -> Price:
    """Return the price that a row means; ValueError when the row is damaged."""
    items = json.loads(row["items"])
    return Price(
        id=row["id"],
        model=model,
        rates=Rates.filled(json.loads(row["rates"])),
        tiers=_tiers(json.loads(row["tiers"])),
        services=tuple(
            Service(name, Rates.filled(rates), _tiers(tiers))
            for name, (rates, tiers) in json.loads(row["services"]).items()
        ),
        request=items.get("request", 0),
        second=items.get("second", 0),
        character=items.get("character", 0),
        web_search=items.get("web_search", 0),
        images=tuple(ImagePrice(*image) for image in items.get("image", ())),
    )


def _tiers(stored: Iterable[tuple[int, Mapping[str, int]]]) -> tuple[Tier, ...]:
    return tuple(Tier(above, Rates.filled(rates)) for above, rates in stored)


def valid_at(at_ms: int) -> ColumnElement[bool]:
    """Return the condition that a price is in force at a moment."""
    ended = prices.c.valid_to_ms
    return (prices.c.valid_from_ms <= at_ms) & (ended.is_(None) | (ended > at_ms))


async def next_change_ms(connection: AsyncConnection, at_ms: int) -> int | None:
    """Return when, after a moment, the next price begins or ends; None when none does."""
    begins, ends = prices.c.valid_from_ms, prices.c.valid_to_ms
    lasting = ends.is_(None) | (ends > begins)
    queries = (
        select(func.min(begins)).where(begins > at_ms, lasting),
        select(func.min(ends)).where(ends > at_ms, lasting),
    )
    found = [(await connection.execute(query)).scalar() for query in queries]
    return min((one for one in found if one is not None), default=None)


async def match_price(
    connection: AsyncConnection,
    model_id: int,
    plan: PricePlan | None,
    at_ms: int,
    later: Sequence[LaterPlan] = (),
) -> bool:
    """Make the plan the model's price from now on, and `later` ones from their moments on.

    A price never changes: it ends, and another begins. Those that had been planned and are not any
    more end before they begin. Tells whether anything differed.
    """
    wanted = _course(plan, at_ms, later)
    query = (
        select(prices)
        .where(
            prices.c.model_id == model_id,
            prices.c.valid_to_ms.is_(None) | (prices.c.valid_to_ms > at_ms),
        )
        .order_by(prices.c.valid_from_ms)
    )
    rows = (await connection.execute(query)).mappings().all()
    standing = [row for row in rows if row["valid_to_ms"] != row["valid_from_ms"]]
    kept = {_matching(row, wanted, at_ms): row for row in standing}
    kept.pop(None, None)
    changed = False
    # The latest first: only one row of a model may be without an end at any time.
    for row in reversed(standing):
        ends = next((one.to_ms for one in wanted if kept.get(one) is row), _GONE)
        if ends is _GONE:
            ends = max(at_ms, row["valid_from_ms"])
        if ends != row["valid_to_ms"]:
            changed = True
            await connection.execute(
                update(prices).where(prices.c.id == row["id"]).values(valid_to_ms=ends)
            )
    for one in wanted:
        if one not in kept:
            changed = True
            await connection.execute(
                insert(prices).values(
                    id=new_id(),
                    model_id=model_id,
                    valid_from_ms=one.from_ms,
                    valid_to_ms=one.to_ms,
                    **dict(one.columns),
                )
            )
    return changed


class _Stretch(NamedTuple):
    """A price on its way into the table, with the time in which it is to hold."""

    from_ms: int
    to_ms: int | None
    columns: tuple[tuple[str, str], ...]


def _course(plan: PricePlan | None, at_ms: int, later: Sequence[LaterPlan]) -> list[_Stretch]:
    """Return what is to hold when: of prices whose moment has come the last one holds now."""
    steps = [(at_ms, plan), *((max(one.from_ms, at_ms), one.price) for one in later)]
    last = max(number for number, (from_ms, _) in enumerate(steps) if from_ms == at_ms)
    steps = steps[last:]
    ends = [from_ms for from_ms, _ in steps[1:]] + [None]
    return [
        _Stretch(from_ms, to_ms, tuple(sorted(price_columns(price).items())))
        for (from_ms, price), to_ms in zip(steps, ends, strict=True)
        if price is not None
    ]


def _matching(row: RowMapping, wanted: Sequence[_Stretch], at_ms: int) -> _Stretch | None:
    """Return the stretch that a row already is: the same price, and in force since or from then."""
    for one in wanted:
        same_time = row["valid_from_ms"] == one.from_ms or (
            one.from_ms == at_ms and row["valid_from_ms"] <= at_ms
        )
        if same_time and all(row[name] == value for name, value in one.columns):
            return one
    return None
