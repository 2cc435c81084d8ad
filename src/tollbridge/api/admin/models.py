"""Owns /api/admin/models: what may be sold and at which list price, listed, made and changed.

A price never changes: it ends when the next begins. What is wrong with a model is the
configuration file's reader to say, so that file and API take the same.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import Field
from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.api.admin.editing import blamed
from tollbridge.api.admin.fields import Answer, Body, GivenMoment, Id, Moment, PathId, PlainText
from tollbridge.api.admin.paging import Page, Paging, page
from tollbridge.api.admin.price_fields import GivenPrice, ShownPrice, price_table, shown_price
from tollbridge.api.admin.principal import Principal, actor_of, require
from tollbridge.api.admin.problems import not_found
from tollbridge.api.answers import services_of
from tollbridge.catalog.edits import NoSuchRow
from tollbridge.catalog.fields import FileError
from tollbridge.catalog.model_editing import (
    Course,
    cancel_price,
    course_of,
    courses,
    model_row,
    model_table,
    save_model,
    switch_model,
)
from tollbridge.core.clock import now_ms
from tollbridge.identity.scopes import Scope
from tollbridge.people.edits import note_edit
from tollbridge.storage.tables import models
from tollbridge.storage.unit_of_work import reading, writing

router = APIRouter(prefix="/models", tags=["prices"])

Reads = Annotated[Principal, require(Scope.PRICES_READ)]
Writes = Annotated[Principal, require(Scope.PRICES_WRITE)]
_NAME_MAX: Final = 256
_TOKENS_MAX: Final = 100_000_000
_COUNT_MAX: Final = 1_000_000
_LIST_MAX: Final = 100
_NOTHING: Final = Course(None, ())
_Texts = Annotated[
    list[Annotated[PlainText, Field(min_length=1, max_length=_NAME_MAX)]],
    Field(max_length=_LIST_MAX),
]


class LaterPrice(Answer):
    """A list price that is to begin at a moment."""

    starts_at: Moment
    price: ShownPrice


class Model(Answer):
    """A model with its list price of now, null while nothing prices it, and those to come."""

    id: Id
    name: str
    enabled: bool
    context: int
    max_output: int
    n_max: int
    prompt_max: int
    text_max: int
    sizes: list[str]
    efforts: list[str]
    price: ShownPrice | None
    later: list[LaterPrice]


class ModelQuery(Paging):
    """Which models."""

    name: PlainText | None = Field(None, max_length=_NAME_MAX, description="A part of the name.")
    enabled: bool | None = None


class ModelChange(Body):
    """What is to be changed; what is left out stays. A price is given whole."""

    enabled: bool = True
    context: int = Field(1, ge=1, le=_TOKENS_MAX)
    max_output: int = Field(1, ge=1, le=_TOKENS_MAX)
    n_max: int = Field(0, ge=0, le=_COUNT_MAX)
    prompt_max: int = Field(0, ge=0, le=_TOKENS_MAX)
    text_max: int = Field(0, ge=0, le=_TOKENS_MAX)
    sizes: _Texts = Field([])
    efforts: _Texts = Field([])
    price: GivenPrice | None = Field(None, description="Null: nothing prices it from now on.")
    price_from: GivenMoment | None = Field(None, description="Since when; null: from now on.")


class NewModel(ModelChange):
    """What a new model is to be."""

    name: PlainText = Field(min_length=1, max_length=_NAME_MAX)


class Cancelled(Body):
    """Which price is not to come."""

    starts_at: GivenMoment


@router.get("")
async def list_models(
    request: Request, asked: Annotated[ModelQuery, Query()], _principal: Reads
) -> Page[Model]:
    """List models in the order in which they were made."""
    query = select(models).order_by(models.c.id).limit(asked.limit + 1)
    after = asked.after_id()
    if after is not None:
        query = query.where(models.c.id > after)
    if asked.name is not None:
        query = query.where(models.c.name.contains(asked.name, autoescape=True))
    if asked.enabled is not None:
        query = query.where(models.c.enabled == asked.enabled)
    async with reading(services_of(request).engine) as connection:
        rows = (await connection.execute(query)).mappings().all()
        priced = await courses(connection, now_ms())
    shown = [_model(row, priced.get(row["id"], _NOTHING)) for row in rows]
    return page(request, asked, shown)


@router.get("/{model_id}")
async def show_model(request: Request, model_id: PathId, _principal: Reads) -> Model:
    """Show one model."""
    return await _shown(services_of(request).engine, model_id)


@router.post("", status_code=201)
async def make_model(request: Request, body: NewModel, principal: Writes) -> Model:
    """Make a model."""
    engine = services_of(request).engine
    async with _refusals(), writing(engine) as connection:
        edit = await save_model(connection, None, {"name": body.name, **_given(body)})
        await note_edit(connection, actor_of(request, principal), edit, now_ms())
        if "enabled" in body.model_fields_set and not body.enabled:
            await switch_model(connection, edit.id, enabled=False)
    return await _shown(engine, edit.id)


@router.patch("/{model_id}")
async def change_model(
    request: Request, model_id: PathId, body: ModelChange, principal: Writes
) -> Model:
    """Change a model or its list price; calls feel it in less than a second."""
    engine, actor, given = (
        services_of(request).engine,
        actor_of(request, principal),
        body.model_fields_set,
    )
    async with _refusals(), writing(engine) as connection:
        edits = []
        if given - {"enabled"}:
            table = await _table(connection, model_id, body)
            from_ms = body.price_from
            edits.append(await save_model(connection, model_id, table, from_ms=from_ms))
        if "enabled" in given:
            edits.append(await switch_model(connection, model_id, enabled=body.enabled))
        for edit in edits:
            await note_edit(connection, actor, edit, now_ms())
        if not any(edit.after for edit in edits):
            await connection.rollback()
    return await _shown(engine, model_id)


@router.post("/{model_id}/prices/cancel")
async def cancel(request: Request, model_id: PathId, body: Cancelled, principal: Writes) -> Model:
    """Let a price that was to begin at a moment not come."""
    engine = services_of(request).engine
    async with _refusals(), writing(engine) as connection:
        edit = await cancel_price(connection, model_id, body.starts_at)
        await note_edit(connection, actor_of(request, principal), edit, now_ms())
    return await _shown(engine, model_id)


@asynccontextmanager
async def _refusals() -> AsyncIterator[None]:
    try:
        yield
    except NoSuchRow:
        raise not_found("such model, or no such price of it") from None
    except FileError as error:
        raise blamed(error, {"from": "price_from"}) from None


def _given(body: ModelChange) -> dict[str, Any]:
    """Return what a request says as fields of the file, its price among them."""
    given: dict[str, Any] = body.model_dump(
        exclude_unset=True, exclude={"name", "enabled", "price", "price_from"}
    )
    return given | (body.price.table() if body.price is not None else {})


async def _table(connection: AsyncConnection, model_id: int, body: ModelChange) -> dict[str, Any]:
    """Return a model's table with what a request says of it."""
    table = model_table(await model_row(connection, model_id))
    if "price" not in body.model_fields_set:
        now = (await course_of(connection, model_id, now_ms())).now
        table |= price_table(now) if now is not None else {}
    return table | _given(body)


async def _shown(engine: AsyncEngine, model_id: int) -> Model:
    async with _refusals(), reading(engine) as connection:
        row = await model_row(connection, model_id)
        return _model(row, await course_of(connection, model_id, now_ms()))


def _model(row: RowMapping, course: Course) -> Model:
    return Model(
        **model_table(row),
        id=row["id"],
        enabled=row["enabled"],
        price=shown_price(course.now) if course.now is not None else None,
        later=[
            LaterPrice(starts_at=one.from_ms, price=shown_price(one.price)) for one in course.later
        ],
    )
