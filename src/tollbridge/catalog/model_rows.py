"""Owns writing models, with their prices, as a plan wants them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import RowMapping, insert, select, update
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
        written = await put_model(connection, rows.get(plan.name), plan, at_ms=at_ms)
        names = [*sorted(written.changes), *["price"] * written.repriced]
        if written.made:
            lines.append(f"+ model {plan.name}")
        elif names:
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


class WrittenModel(NamedTuple):
    """What was written of a model: its columns with their new values, and whether a price."""

    id: int
    made: bool
    changes: Mapping[str, Any]
    repriced: bool


async def put_model(
    connection: AsyncConnection,
    row: RowMapping | None,
    plan: ModelPlan,
    *,
    at_ms: int,
    keep: Collection[str] = (),
) -> WrittenModel:
    """Make a model and its prices as planned; `row` is what there is of it, columns to `keep` stay."""
    wanted = {name: value for name, value in _columns(plan).items() if name not in keep}
    model_id: int = row["id"] if row else new_id()
    changes = wanted if row is None else differing(row, wanted)
    if row is None:
        values = {**wanted, "id": model_id, "created_ms": at_ms}
        await connection.execute(insert(models).values(**values))
    elif changes:
        await connection.execute(update(models).where(models.c.id == model_id).values(**changes))
    repriced = await match_price(connection, model_id, plan.price, at_ms, plan.later)
    return WrittenModel(model_id, row is None, changes, repriced)


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
