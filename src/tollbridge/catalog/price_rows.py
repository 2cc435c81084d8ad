"""Owns the price table: its JSON columns, and that a price ends instead of changing (money.md)."""

import json

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.catalog.plan import PricePlan
from tollbridge.catalog.prices import ImagePrice, Price, Rates, Tier
from tollbridge.core.clock import new_id
from tollbridge.storage.rows import to_json
from tollbridge.storage.tables import prices


def price_columns(plan: PricePlan) -> dict[str, str]:
    """Return the three JSON columns of a price: only what the operator priced, in integers."""
    images = [[image.size, image.quality, image.price] for image in plan.images]
    return {
        "rates": to_json(dict(plan.rates)),
        "tiers": to_json([[tier.above, dict(tier.rates)] for tier in plan.tiers]),
        "items": to_json({**plan.items, **({"image": images} if images else {})}),
    }


def price_of(row: RowMapping, model: str) -> Price:
    """Return the price that a row means; ValueError when the row is damaged."""
    items = json.loads(row["items"])
    return Price(
        id=row["id"],
        model=model,
        rates=Rates.filled(json.loads(row["rates"])),
        tiers=tuple(Tier(above, Rates.filled(rates)) for above, rates in json.loads(row["tiers"])),
        request=items.get("request", 0),
        second=items.get("second", 0),
        character=items.get("character", 0),
        web_search=items.get("web_search", 0),
        images=tuple(ImagePrice(*image) for image in items.get("image", ())),
    )


async def match_price(
    connection: AsyncConnection, model_id: int, plan: PricePlan | None, at_ms: int
) -> bool:
    """Make the plan the model's open price: end the old one, append a new one. Tell if it differed."""
    query = select(prices).where(prices.c.model_id == model_id, prices.c.valid_to_ms.is_(None))
    row = (await connection.execute(query)).mappings().one_or_none()
    wanted = price_columns(plan) if plan else None
    if wanted == ({name: row[name] for name in ("rates", "tiers", "items")} if row else None):
        return False
    if row:
        ended = max(at_ms, row["valid_from_ms"])
        await connection.execute(
            update(prices).where(prices.c.id == row["id"]).values(valid_to_ms=ended)
        )
    if wanted:
        await connection.execute(
            insert(prices).values(id=new_id(), model_id=model_id, valid_from_ms=at_ms, **wanted)
        )
    return True
