"""Owns editing one model: what it is as a table of the configuration file, and saving one.

A price never changes: it ends when the next begins (money.md). Every change needs a transaction of
`writing`. Must not know where a table comes from.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.catalog.edits import NOWHERE, Edit, NoSuchRow, edit_of
from tollbridge.catalog.fields import Fields
from tollbridge.catalog.model_fields import MODEL_FIELDS, read_model
from tollbridge.catalog.model_rows import put_model
from tollbridge.catalog.plan import LaterPlan, PricePlan
from tollbridge.catalog.price_import_diff import flat
from tollbridge.catalog.price_import_rows import plan_of
from tollbridge.catalog.price_rows import match_price
from tollbridge.catalog.sealed import SEALING_TURN
from tollbridge.core.clock import now_ms
from tollbridge.core.money import format_usd
from tollbridge.core.phrase import phrase
from tollbridge.storage.tables import models, prices
from tollbridge.storage.unit_of_work import take_turns

_PLAIN: Final = ("name", "context", "max_output", "n_max", "prompt_max", "text_max")


@dataclass(frozen=True, slots=True)
class Course:
    """What a model costs now, None when nothing does, and from which moments on something else."""

    now: PricePlan | None
    later: tuple[LaterPlan, ...]


async def save_model(
    connection: AsyncConnection,
    model_id: int | None,
    table: Mapping[str, Any],
    *,
    from_ms: int | None = None,
) -> Edit:
    """Make a model, a new one without an id, what a table of the file says; it keeps its name.

    Its price holds from now on, or from `from_ms`, a moment to come, and then what was to come
    before that still comes. Prices to come after it stay to come. FileError, NoSuchRow.
    """
    await take_turns(connection, SEALING_TURN)
    at_ms = now_ms()
    row = None if model_id is None else await model_row(connection, model_id)
    if row is not None:
        table = {**table, "name": row["name"]}
    fields = _fields(table)
    plan = read_model(fields)
    if row is None:
        await _refuse_name(connection, plan.name)
    present = await course_of(connection, row["id"], at_ms) if row is not None else Course(None, ())
    course = Course(plan.price, present.later)
    if from_ms is not None:
        if from_ms <= at_ms or plan.price is None:
            reason = phrase("from: a price to come prices something, from a later moment")
            raise fields.error("from", reason)
        others = [one for one in present.later if one.from_ms != from_ms]
        begun = sorted([*others, LaterPlan(from_ms, plan.price)], key=lambda one: one.from_ms)
        course = Course(present.now, tuple(begun))
    plan = replace(plan, price=course.now, later=course.later)
    keep = {"enabled"} if row is not None else set[str]()
    written = await put_model(connection, row, plan, at_ms=at_ms, keep=keep)
    action = "model.make" if written.made else "model.change"
    edit = edit_of(action, "model", row, written.id, plan.name, written.changes)
    return _with_price(edit, present, course) if written.repriced else edit


async def cancel_price(connection: AsyncConnection, model_id: int, from_ms: int) -> Edit:
    """Let a price that was to begin at a moment not come; NoSuchRow when none was to."""
    await take_turns(connection, SEALING_TURN)
    at_ms = now_ms()
    row = await model_row(connection, model_id)
    present = await course_of(connection, model_id, at_ms)
    later = tuple(one for one in present.later if one.from_ms != from_ms)
    if later == present.later:
        raise NoSuchRow
    await match_price(connection, model_id, present.now, at_ms, later)
    edit = edit_of("model.cancel_price", "model", row, model_id, row["name"], {})
    return _with_price(edit, present, Course(present.now, later))


def _with_price(edit: Edit, before: Course, after: Course) -> Edit:
    return replace(
        edit,
        before={**edit.before, "price": _told(before)},
        after={**edit.after, "price": _told(after)},
    )


def _told(course: Course) -> dict[str, Any]:
    """Return prices as dollars by what they are for, those to come by their moments."""
    told: dict[str, Any] = _dollars(course.now)
    return told | {f"from {one.from_ms}": _dollars(one.price) for one in course.later}


def _dollars(price: PricePlan | None) -> dict[str, Any]:
    return {name: format_usd(nano) for name, nano in flat(price).items()} if price else {}


async def switch_model(connection: AsyncConnection, model_id: int, *, enabled: bool) -> Edit:
    """Switch a model on or off; NoSuchRow."""
    row = await model_row(connection, model_id)
    changes = {} if row["enabled"] == enabled else {"enabled": enabled}
    if changes:
        await connection.execute(update(models).where(models.c.id == model_id).values(**changes))
    action = "model.enable" if enabled else "model.disable"
    return edit_of(action, "model", row, model_id, row["name"], changes)


async def model_row(connection: AsyncConnection, model_id: int) -> RowMapping:
    """Return a model's row; NoSuchRow."""
    query = select(models).where(models.c.id == model_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise NoSuchRow
    return row


async def _refuse_name(connection: AsyncConnection, name: str) -> None:
    query = select(models.c.id).where(models.c.name == name)
    if (await connection.execute(query)).scalar_one_or_none() is not None:
        raise _fields({}).error("name", phrase("there is a model of this name already"))


async def course_of(connection: AsyncConnection, model_id: int, at_ms: int) -> Course:
    """Return what a model costs at a moment and what it is to cost later."""
    return (await courses(connection, at_ms, model_id)).get(model_id, Course(None, ()))


async def courses(
    connection: AsyncConnection, at_ms: int, model_id: int | None = None
) -> dict[int, Course]:
    """Return the prices of every model that has any at a moment or after it, or of one, by its id."""
    ends = prices.c.valid_to_ms
    query = select(prices).where(ends.is_(None) | (ends > at_ms)).order_by(prices.c.valid_from_ms)
    if model_id is not None:
        query = query.where(prices.c.model_id == model_id)
    found: dict[int, Course] = {}
    for row in (await connection.execute(query)).mappings():
        if row["valid_to_ms"] == row["valid_from_ms"]:
            continue
        before = found.get(row["model_id"], Course(None, ()))
        plan, from_ms = plan_of(row), row["valid_from_ms"]
        found[row["model_id"]] = (
            replace(before, now=plan)
            if from_ms <= at_ms
            else replace(before, later=(*before.later, LaterPlan(from_ms, plan)))
        )
    return found


def _fields(table: Mapping[str, Any]) -> Fields:
    return Fields(dict(table), (), NOWHERE, MODEL_FIELDS, what=phrase("a model"))


def model_table(row: RowMapping) -> dict[str, Any]:
    """Return a model as the file would say it, without its prices."""
    table: dict[str, Any] = {name: row[name] for name in _PLAIN}
    return table | {name: json.loads(row[name]) for name in ("sizes", "efforts")}
