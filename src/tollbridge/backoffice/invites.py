"""Owns the pages of invites: the list, making one, revoking one.

The code and its link are in one answer only: that to the form that made it.
"""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.core.language import N_
from tollbridge.core.storable import id_in
from tollbridge.identity.scopes import Scope
from tollbridge.people.invites import (
    NOTE_MAX,
    USES_MAX,
    Wish,
    list_invites,
    make_invite,
    revoke_invite,
)
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.web.forms import OUT_OF_RANGE, Form
from tollbridge.web.moments import read_moment
from tollbridge.web.pages import Pages, operator
from tollbridge.web.visit import Visit

pages = Pages()

PATH: Final = "/backoffice/invites"
PAST: Final = N_("This is past already.")
_PAGE: Final = 100


@pages.get(PATH, operator(Scope.CODES_READ))
async def invites(visit: Visit) -> Response:
    """Show invites, the newest first."""
    before = id_in(visit.query("before"))
    async with reading(visit.services.engine) as connection:
        found = await list_invites(connection, before=before, limit=_PAGE + 1)
    return visit.show(
        "backoffice/invites.html",
        invites=found[:_PAGE],
        policy=visit.services.snapshot().site.sign_up,
        newest=PATH if before is not None else None,
        older=f"{PATH}?before={found[_PAGE - 1]['id']}" if len(found) > _PAGE else None,
    )


@pages.get(f"{PATH}/new", operator(Scope.CODES_WRITE))
async def new(visit: Visit) -> Response:
    """Ask what the invite is to be."""
    return _form(visit, {"uses": "1"}, {})


@pages.post(f"{PATH}/new", operator(Scope.CODES_WRITE))
async def make(visit: Visit) -> Response:
    """Make an invite and show its code, this once."""
    form, services = await visit.form(), visit.services
    wish = _wish(form, visit)
    if wish is None:
        return _form(visit, form.given(), form.errors)
    async with working(services.engine) as connection:
        code = await make_invite(connection, services.secrets, visit.actor, wish, visit.at_ms)
    link = f"{services.site_url()}/sign-up?invite={code}"
    return visit.show("backoffice/invites_made.html", wish=wish, code=code, link=link)


@pages.post(f"{PATH}/{{id}}/revoke", operator(Scope.CODES_WRITE))
async def revoke(visit: Visit) -> Response:
    """Make an invite worthless."""
    number = visit.id
    async with working(visit.services.engine) as connection:
        revoked = await revoke_invite(connection, visit.actor, number, visit.at_ms)
    if not revoked:
        raise HTTPException(404)
    return visit.go(PATH, said="invite_revoked")


def _form(visit: Visit, values: dict[str, str], errors: dict[str, str]) -> Response:
    status = 422 if errors else 200
    return visit.show("backoffice/invites_new.html", status, values=values, errors=errors)


def _wish(form: Form, visit: Visit) -> Wish | None:
    uses = form.integer("uses", least=1, most=USES_MAX)
    if not uses:
        form.fault("uses", OUT_OF_RANGE)
    expires_ms = read_moment(form, "expires", visit.zone)
    if expires_ms is not None and expires_ms <= visit.at_ms:
        form.fault("expires", PAST)
    note = form.text("note", most=NOTE_MAX, need=False)
    return Wish(uses, expires_ms, note) if form.ok else None
