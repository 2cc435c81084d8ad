"""Owns writing models, with their prices, as a plan wants them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.catalog.plan import ModelPlan
from tollbridge.catalog.price_rows import match_price, valid_at
from tollbridge.core.clock import new_id, now_ms
from tollbridge.storage.rows import differing, to_json
from tollbridge.storage.tables import models, prices


async def match_models(
    connection: AsyncConnection, plans: Sequence[ModelPlan], *, at_ms: int, prune: bool
) -> list[str]:
    """Make the named models and their prices as planned; return a line for each change.

    With `prune` the models that no plan names are switched off; nothing is deleted.
    """
    rows = {row["name"]: row for row in (await connection.execute(select(models))).mappings()}
    lines = []
    for plan in plans:
        row = rows.get(plan.name)
        wanted = _columns(plan)
        if row is None:
            model_id = new_id()
            await connection.execute(insert(models).values(id=model_id, created_ms=at_ms, **wanted))
            await match_price(connection, model_id, plan.price, at_ms, plan.later)
            lines.append(f"+ model {plan.name}")
            continue
        changes = differing(row, wanted)
        if changes:
            await connection.execute(
                update(models).where(models.c.id == row["id"]).values(**changes)
            )
        names = sorted(changes)
        if await match_price(connection, row["id"], plan.price, at_ms, plan.later):
            names.append("price")
        if names:
            lines.append(f"~ model {plan.name}: {', '.join(names)}")
    if prune:
        named = {plan.name for plan in plans}
        for name, row in sorted(rows.items()):
            if name not in named and row["enabled"]:
                await connection.execute(
                    update(models).where(models.c.id == row["id"]).values(enabled=False)
                )
                lines.append(f"- model {name}: switched off")
    return lines


async def priced_models(connection: AsyncConnection) -> dict[str, bool]:
    """Return the models that are switched on, each with whether it has a price now."""
    query = select(models.c.name, prices.c.id).select_from(
        models.outerjoin(prices, (prices.c.model_id == models.c.id) & valid_at(now_ms()))
    )
    rows = await connection.execute(query.where(models.c.enabled))
    return {name: price_id is not None for name, price_id in rows}


def _columns(plan: ModelPlan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "context": plan.context,
        "max_output": plan.max_output,
        "sizes": to_json(plan.sizes),
        "efforts": to_json(plan.efforts),
        "n_max": plan.n_max,
        "prompt_max": plan.prompt_max,
        "text_max": plan.text_max,
        "enabled": True,
    }
