"""Owns the page behind the link in a letter: a button, because programs that look at links press none."""

from typing import Final

from starlette.responses import Response

from tollbridge.console.sign_up import flow_mark, place_of
from tollbridge.identity.doors import Door
from tollbridge.identity.sessions import start_session
from tollbridge.people.joining import (
    AddressTaken,
    CannotJoin,
    InviteUsedUp,
    LinkOver,
    address_of,
    join,
)
from tollbridge.storage.unit_of_work import reading, writing
from tollbridge.web import cookies
from tollbridge.web.pages import ANYBODY, Pages
from tollbridge.web.visit import Visit

pages = Pages()
DOOR: Final = Door("verify", 10)
_STATUSES: Final[dict[type[CannotJoin], int]] = {
    LinkOver: 410,
    AddressTaken: 409,
    InviteUsedUp: 409,
}


@pages.get("/verify", ANYBODY)
async def show_button(visit: Visit) -> Response:
    """Show what the link will do; nothing is done."""
    await visit.knock(DOOR, visit.address)
    token, services = visit.query("token"), visit.services
    async with reading(services.engine) as connection:
        email = await address_of(connection, services.secrets, token, visit.at_ms)
    if email is None:
        return _refused(visit, LinkOver())
    return visit.show("console/verify.html", email=email, token=token)


@pages.post("/verify", ANYBODY)
async def verify(visit: Visit) -> Response:
    """Make the account. Only the browser that asked is signed in; in others a password is set first."""
    await visit.knock(DOOR, visit.address)
    form, services = await visit.form(), visit.services
    flow = flow_mark(visit, visit.cookie(cookies.FLOW))
    session = None
    try:
        async with writing(services.engine) as connection:
            joined = await join(
                connection, services.secrets, form.raw("token"), flow, place_of(visit), visit.at_ms
            )
            if joined.trusted:
                session = await start_session(
                    connection,
                    services.secrets,
                    joined.user_id,
                    "full",
                    visit.at_ms,
                    address=visit.address,
                    agent=visit.agent,
                )
    except CannotJoin as error:
        return _refused(visit, error)
    if session is None:
        return visit.go("/reset", "joined")
    response = visit.go("/console", "welcome")
    visit.keep(response, cookies.SESSION, session)
    visit.forget(response, cookies.FLOW)
    return response


def _refused(visit: Visit, error: CannotJoin) -> Response:
    reason = {LinkOver: "over", AddressTaken: "taken", InviteUsedUp: "invite"}[type(error)]
    return visit.show("console/verify_refused.html", _STATUSES[type(error)], reason=reason)
