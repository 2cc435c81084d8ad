"""Owns how a thing of the catalogue is edited: asked for, made, shown, changed, switched, noted.

A file of pages says which forms its thing has and what saves them. Must not know any thing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.catalog.edits import Edit, NoSuchRow
from tollbridge.people.edits import note_edit
from tollbridge.storage.unit_of_work import writing
from tollbridge.web.forms import Form
from tollbridge.web.pages import Need, Pages
from tollbridge.web.visit import Visit

Page = Callable[[Visit, Form | None], Awaitable[Response]]
"""Shows a form: as it was typed and with its faults, status 422, where one is given."""


class Switch(Protocol):
    """Switches a thing on or off."""

    async def __call__(self, connection: AsyncConnection, row_id: int, /, *, enabled: bool) -> Edit:
        """Return the edit; NoSuchRow."""


@dataclass(frozen=True, slots=True)
class Thing:
    """What is edited below a path. `save` notes faults in the form and returns None then."""

    path: str
    new_page: Page
    page: Page
    save: Callable[[Visit, Form, int | None], Awaitable[Edit | None]]


def declare(pages: Pages, read: Need, write: Need, thing: Thing) -> None:
    """Declare the pages on which a thing is made and changed."""

    @pages.get(f"{thing.path}/new", write)
    async def new(visit: Visit) -> Response:
        return await thing.new_page(visit, None)

    @pages.post(f"{thing.path}/new", write)
    async def make(visit: Visit) -> Response:
        form = await visit.form()
        edit = await thing.save(visit, form, None)
        return await thing.new_page(visit, form) if edit is None else _saved(visit, thing, edit.id)

    @pages.get(f"{thing.path}/{{id}}", read)
    async def show(visit: Visit) -> Response:
        return await thing.page(visit, None)

    @pages.post(f"{thing.path}/{{id}}", write)
    async def change(visit: Visit) -> Response:
        form = await visit.form()
        edit = await thing.save(visit, form, visit.id)
        return await thing.page(visit, form) if edit is None else _saved(visit, thing, edit.id)


def declare_switch(pages: Pages, write: Need, thing: Thing, switch: Switch) -> None:
    """Declare what switches a thing on or off."""

    @pages.post(f"{thing.path}/{{id}}/switch", write)
    async def turn(visit: Visit) -> Response:
        form = await visit.form()
        await written(visit, lambda one: switch(one, visit.id, enabled=form.flag("enabled")))
        return _saved(visit, thing, visit.id)


async def written(visit: Visit, change: Callable[[AsyncConnection], Awaitable[Edit]]) -> Edit:
    """Write an edit with its line in the audit log; nothing where nothing differs.

    HTTPException 404 for what is not there; raises as `change` does.
    """
    try:
        async with writing(visit.services.engine) as connection:
            edit = await change(connection)
            if not edit.after:
                await connection.rollback()
            await note_edit(connection, visit.actor, edit, visit.at_ms)
    except NoSuchRow:
        raise HTTPException(404) from None
    return edit


def _saved(visit: Visit, thing: Thing, row_id: int) -> Response:
    return visit.go(f"{thing.path}/{row_id}", said="saved")
