"""Owns the import of list prices into the price table: what would change, then changing that.

Only prices of models that the catalogue sells are touched, and only of those that the source has.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from genai_prices.types import Provider
from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.catalog.plan import ImagePlan, LaterPlan, PricePlan, ServicePlan, TierPlan
from tollbridge.catalog.price_import import Found, Unsayable, translated
from tollbridge.catalog.price_import_diff import differences
from tollbridge.catalog.price_import_source import NoCounterpart, Wish, counterpart
from tollbridge.catalog.price_rows import match_price, price_columns
from tollbridge.catalog.sealed import SEALING_TURN
from tollbridge.core.clock import now_ms
from tollbridge.core.phrase import phrase, reason_of
from tollbridge.protocols.endpoints import is_endpoint
from tollbridge.storage.rows import to_json
from tollbridge.storage.tables import models, prices
from tollbridge.storage.unit_of_work import reading, take_turns, writing

_KEPT = "web_search"


class ChangedMeanwhile(Exception):
    """The changes are not those that were confirmed."""


@dataclass(frozen=True, slots=True)
class Sold:
    """A model of the catalogue and what it costs. `id` is None for one that it does not have."""

    id: int | None
    context: int | None = None
    max_output: int | None = None
    price: PricePlan | None = None
    later: tuple[LaterPlan, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A model with the price it is to have; `lines` say how that differs, none when it does not."""

    name: str
    provider: str
    sold: Sold
    price: PricePlan
    later: tuple[LaterPlan, ...]
    lines: tuple[str, ...]
    notes: tuple[str, ...]
    context: int | None
    """The source's, where the catalogue has none."""

    def mark(self) -> str:
        """Return what stands for this change, down to each number before and after it."""
        before, after = (self.sold.price, self.sold.later), (self.price, self.later)
        told = [self.name, self.sold.id, [_course(*course) for course in (before, after)]]
        return sha256(to_json(told).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Import:
    """What an import comes to: the models it prices, and why it leaves the others as they are."""

    changes: tuple[Change, ...]
    left: tuple[tuple[str, str], ...]

    def differing(self) -> list[Change]:
        """Return the changes of models that the catalogue has and that change."""
        return [one for one in self.changes if one.sold.id is not None and one.lines]


async def plan_import(
    engine: AsyncEngine, providers: Sequence[Provider], wishes: Sequence[Wish]
) -> Import:
    """Say what an import would do; without wishes for every model of the catalogue."""
    async with reading(engine) as connection:
        return await _planned(connection, providers, wishes, now_ms())


async def apply_import(
    engine: AsyncEngine, providers: Sequence[Provider], wishes: Sequence[Wish], seen: Import
) -> None:
    """Write what `seen` says, in one transaction. Raises ChangedMeanwhile, and writes nothing."""
    async with writing(engine) as connection:
        await take_import(
            connection, providers, wishes, lambda now: now.differing() == seen.differing()
        )


async def take_import(
    connection: AsyncConnection,
    providers: Sequence[Provider],
    wishes: Sequence[Wish],
    confirmed: Callable[[Import], bool],
) -> list[Change]:
    """Write what an import says if it is what was confirmed, and return that. Raises ChangedMeanwhile.

    In a transaction of `writing`, which is not to be kept after an exception.
    """
    await take_turns(connection, SEALING_TURN)
    at_ms = now_ms()
    planned = await _planned(connection, providers, wishes, at_ms)
    if not confirmed(planned):
        raise ChangedMeanwhile
    for one in planned.differing():
        assert one.sold.id is not None
        await match_price(connection, one.sold.id, one.price, at_ms, one.later)
    return planned.differing()


async def _planned(
    connection: AsyncConnection, providers: Sequence[Provider], wishes: Sequence[Wish], at_ms: int
) -> Import:
    sold = await sold_models(connection, at_ms)
    return work_out(providers, wishes, sold, at_ms)


def work_out(
    providers: Sequence[Provider], wishes: Sequence[Wish], sold: Mapping[str, Sold], at_ms: int
) -> Import:
    """Return the import of the wishes, of all that is sold without any."""
    changes, left = [], []
    at = datetime.fromtimestamp(at_ms / 1_000, UTC)
    for wish in wishes or [Wish(name, name) for name in sold]:
        here = sold.get(wish.name, Sold(None))
        try:
            changes.append(_change(providers, wish, here, at))
        except (NoCounterpart, Unsayable) as error:
            left.append((wish.name, reason_of(error)))
    return Import(tuple(changes), tuple(left))


def _change(providers: Sequence[Provider], wish: Wish, here: Sold, at: datetime) -> Change:
    if wish.name.endswith("*") or is_endpoint(wish.name):
        raise NoCounterpart(phrase("a wildcard or an endpoint keeps the price that it was given"))
    provider, model = counterpart(providers, wish.source)
    found = translated(model, at)
    price, later = _beside(here.price, found)
    return Change(
        name=wish.name,
        provider=provider.id,
        sold=here,
        price=price,
        later=later,
        lines=differences(here.price, price, here.later, later),
        notes=found.notes,
        context=here.context or model.context_window,
    )


def _beside(present: PricePlan | None, found: Found) -> tuple[PricePlan, tuple[LaterPlan, ...]]:
    """Return the found prices with what the operator prices and the source does not know of.

    Unsayable where both together would charge one thing twice.
    """
    if present is None:
        return found.price, found.later
    pieces = present.items.keys() - found.price.items.keys() - {_KEPT}
    if present.images or pieces:
        names = ", ".join(sorted(pieces) + ["image"] * bool(present.images))
        raise Unsayable(
            phrase("sold by %(names)s here, which the source does not price", names=names)
        )
    return _with_kept(found.price, present), tuple(
        LaterPlan(one.from_ms, _with_kept(one.price, present)) for one in found.later
    )


def _with_kept(price: PricePlan, present: PricePlan) -> PricePlan:
    kept = {name: nano for name, nano in present.items.items() if name == _KEPT}
    services = price.services or (present.services if price.rates else ())
    return replace(price, items={**kept, **price.items}, services=services)


async def sold_models(connection: AsyncConnection, at_ms: int) -> dict[str, Sold]:
    """Return the models that are switched on, by name, with their prices from a moment on."""
    rows = (await connection.execute(select(models).where(models.c.enabled))).mappings().all()
    query = (
        select(prices)
        .where(prices.c.valid_to_ms.is_(None) | (prices.c.valid_to_ms > at_ms))
        .order_by(prices.c.valid_from_ms)
    )
    courses: dict[int, list[RowMapping]] = {}
    for row in (await connection.execute(query)).mappings():
        if row["valid_to_ms"] != row["valid_from_ms"]:
            courses.setdefault(row["model_id"], []).append(row)
    return {
        row["name"]: Sold(
            row["id"],
            row["context"],
            row["max_output"],
            next(iter(_plans(courses.get(row["id"], ()), at_ms, begun=True)), (0, None))[1],
            tuple(
                LaterPlan(*one) for one in _plans(courses.get(row["id"], ()), at_ms, begun=False)
            ),
        )
        for row in sorted(rows, key=lambda row: row["name"])
    }


def _course(price: PricePlan | None, later: Sequence[LaterPlan]) -> list[Any]:
    steps = [(0, price), *((one.from_ms, one.price) for one in later)]
    return [[from_ms, price_columns(one) if one else None] for from_ms, one in steps]


def _plans(course: Iterable[RowMapping], at_ms: int, *, begun: bool) -> list[tuple[int, PricePlan]]:
    return [
        (row["valid_from_ms"], plan_of(row))
        for row in course
        if (row["valid_from_ms"] <= at_ms) is begun
    ]


def plan_of(row: RowMapping) -> PricePlan:
    """Return the plan that a row of the price table was made of; ValueError when it is damaged."""
    items = json.loads(row["items"])
    images = tuple(ImagePlan(*image) for image in items.pop("image", ()))
    services = tuple(
        ServicePlan(name, rates, _tier_plans(tiers))
        for name, (rates, tiers) in json.loads(row["services"]).items()
    )
    return PricePlan(
        json.loads(row["rates"]), _tier_plans(json.loads(row["tiers"])), items, images, services
    )


def _tier_plans(stored: Iterable[tuple[int, Mapping[str, int]]]) -> tuple[TierPlan, ...]:
    return tuple(TierPlan(above, rates) for above, rates in stored)
