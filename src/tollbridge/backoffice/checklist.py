"""Owns what admins do to the checklist of a new site: tick by hand, and hide it. No page of its own."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.identity.scopes import Scope
from tollbridge.people.checklist import hide_checklist, tick
from tollbridge.storage.unit_of_work import working
from tollbridge.web.pages import Pages, operator
from tollbridge.web.visit import Visit

pages = Pages()


@pages.post("/backoffice/checklist", operator(Scope.SETTINGS_WRITE))
async def change(visit: Visit) -> Response:
    """Tick the named thing, or hide the list where none is named."""
    form = await visit.form()
    name = form.text("tick", need=False)
    async with working(visit.services.engine) as connection:
        if not name:
            await hide_checklist(connection, visit.actor, visit.at_ms)
        else:
            try:
                await tick(connection, visit.actor, name, visit.at_ms)
            except ValueError:
                raise HTTPException(400) from None
    return visit.go("/backoffice")
