"""Owns the pages of models: all with what they cost now, one with its prices, making and changing one."""

import json
from typing import Any, Final

from sqlalchemy import select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.backoffice import model_form
from tollbridge.backoffice.editing import Thing, declare, declare_switch, written
from tollbridge.catalog.edits import Edit, NoSuchRow
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
from tollbridge.catalog.model_fields import ITEMS
from tollbridge.catalog.price_import_diff import NAMES, flat
from tollbridge.catalog.price_import_rows import plan_of
from tollbridge.core.storable import id_in
from tollbridge.identity.scopes import Scope
from tollbridge.protocols.usage import TOKEN_BUCKETS
from tollbridge.storage.tables import models, prices
from tollbridge.storage.unit_of_work import reading
from tollbridge.web.forms import Form
from tollbridge.web.pages import Pages, operator
from tollbridge.web.visit import Visit

pages = Pages()
_READ, _WRITE = operator(Scope.PRICES_READ), operator(Scope.PRICES_WRITE)
_PATH: Final = "/backoffice/models"
_HISTORY: Final = 50


@pages.get(_PATH, _READ)
async def list_models(visit: Visit) -> Response:
    """Show all models with their prices of now."""
    async with reading(visit.services.engine) as connection:
        query = select(models).order_by(models.c.enabled.desc(), models.c.name)
        rows = (await connection.execute(query)).mappings().all()
        priced = await courses(connection, visit.at_ms)
    listed = [(row, priced.get(row["id"], Course(None, ()))) for row in rows]
    return visit.show("backoffice/models.html", listed=listed, flat=flat)


@pages.post(f"{_PATH}/{{id}}/cancel", _WRITE)
async def cancel(visit: Visit) -> Response:
    """Let a price that was to begin not come."""
    form = await visit.form()
    from_ms = id_in(form.raw("from_ms")) or 0
    await written(visit, lambda connection: cancel_price(connection, visit.id, from_ms))
    return visit.go(f"{_PATH}/{visit.id}", said="saved")


async def _save(visit: Visit, form: Form, model_id: int | None) -> Edit | None:
    """Save what a form says; return None with the faults noted in the form."""
    table = model_form.table_of(form)
    from_ms = model_form.moment_of(form)
    if not form.ok:
        return None
    try:
        return await written(visit, lambda one: save_model(one, model_id, table, from_ms=from_ms))
    except FileError as error:
        model_form.blame(form, error)
    return None


def _offered(visit: Visit) -> dict[str, Any]:
    names = {name: visit.text(text) for name, text in NAMES.items()}
    return {"price_names": names, "items": ITEMS, "buckets": TOKEN_BUCKETS}


async def _new_page(visit: Visit, form: Form | None) -> Response:
    return visit.show(
        "backoffice/model_new.html",
        200 if form is None else 422,
        values=model_form.blank() if form is None else model_form.typed_values(form),
        errors=form.errors if form else {},
        row=None,
        **_offered(visit),
    )


async def _page(visit: Visit, form: Form | None) -> Response:
    async with reading(visit.services.engine) as connection:
        try:
            row = await model_row(connection, visit.id)
        except NoSuchRow:
            raise HTTPException(404) from None
        course = await course_of(connection, row["id"], visit.at_ms)
        query = (
            select(prices)
            .where(prices.c.model_id == row["id"])
            .order_by(prices.c.valid_from_ms.desc(), prices.c.id.desc())
            .limit(_HISTORY)
        )
        history = (await connection.execute(query)).mappings().all()
    told = [
        (one, flat(plan_of(one))) for one in history if one["valid_to_ms"] != one["valid_from_ms"]
    ]
    values = (
        model_form.shown(model_table(row), course.now)
        if form is None
        else model_form.typed_values(form)
    )
    return visit.show(
        "backoffice/model.html",
        200 if form is None else 422,
        row=row,
        sizes=json.loads(row["sizes"]),
        course=course,
        history=told,
        values=values,
        errors=form.errors if form else {},
        at_ms=visit.at_ms,
        **_offered(visit),
    )


_MODEL: Final = Thing(_PATH, _new_page, _page, _save)
declare(pages, _READ, _WRITE, _MODEL)
declare_switch(pages, _WRITE, _MODEL, switch_model)
