"""Owns the address without a path: where somebody goes depends on who it is."""

from starlette.responses import Response

from tollbridge.people.setup_link import PATH, has_admin
from tollbridge.storage.unit_of_work import reading
from tollbridge.web.pages import ANYBODY, Pages
from tollbridge.web.visit import SIGN_IN, Visit

pages = Pages()


@pages.get("/", ANYBODY)
async def start(visit: Visit) -> Response:
    """Send users to their console, others to the sign-in page; nobody can sign in without an admin."""
    if visit.session is not None:
        return visit.go("/console")
    async with reading(visit.services.engine) as connection:
        return visit.go(SIGN_IN if await has_admin(connection) else PATH)
