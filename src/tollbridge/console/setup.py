"""Owns the first page of a new site: the first admin and the site's name, behind a link that works once.

As soon as there is an admin it does not exist any more.
"""

from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.catalog.site_fields import BY_NAME
from tollbridge.console.reset import NO_ADDRESS, WEAK
from tollbridge.console.setup_channel import CHANNEL
from tollbridge.console.sign_in import EMAIL_MAX, browser_of, let_in
from tollbridge.core.money import format_usd
from tollbridge.identity.doors import Door
from tollbridge.notify.mail import is_address
from tollbridge.people.passwords import hashed, weakness
from tollbridge.people.setting_up import Admin, LinkOver, SetUpAlready, set_up
from tollbridge.people.setup_link import PATH, has_admin, opens
from tollbridge.people.signing_in import Entry, enter
from tollbridge.storage.unit_of_work import reading, writing
from tollbridge.web.forms import N_, Form
from tollbridge.web.pages import ANYBODY, Pages
from tollbridge.web.visit import Visit

pages = Pages()
DOOR: Final = Door("setup", 20)
MODES: Final = (
    ("open", N_("Everybody")),
    ("invite", N_("Who has an invite")),
    ("closed", N_("Nobody")),
)
_NAME_MAX: Final = BY_NAME["name"].most


@pages.get(PATH, ANYBODY)
async def show_setup(visit: Visit) -> Response:
    """Show the form to who has the link."""
    await visit.knock(DOOR, visit.address)
    token = visit.query("token")
    if not await _opens(visit, token):
        return visit.show("console/setup_closed.html", 403)
    form = Form(
        {
            "site": [visit.services.snapshot().site.name],
            "sign_up": [visit.services.snapshot().site.sign_up],
            "bonus": [format_usd(visit.services.snapshot().site.sign_up_bonus)],
        }
    )
    return _page(visit, form, token)


@pages.post(PATH, ANYBODY)
async def take_setup(visit: Visit) -> Response:
    """Make the admin, name the site, and sign the admin in."""
    await visit.knock(DOOR, visit.address)
    form = await visit.form()
    token = form.raw("token")
    if not await _opens(visit, token):
        return visit.show("console/setup_closed.html", 403)
    email, password, site = _read(form)
    if not form.ok:
        return _page(visit, form, token, 422)
    admin = Admin(email, await hashed(password), visit.language)
    try:
        entry = await _made(visit, token, admin, site)
    except SetUpAlready:
        raise HTTPException(404) from None
    except LinkOver:
        return visit.show("console/setup_closed.html", 403)
    return let_in(visit, entry, CHANNEL)


async def _opens(visit: Visit, token: str) -> bool:
    """Tell whether the link is good; HTTPException 404 when there is nothing to set up."""
    services = visit.services
    async with reading(services.engine) as connection:
        if await has_admin(connection):
            raise HTTPException(404)
        return await opens(connection, services.secrets, token, visit.at_ms)


def _read(form: Form) -> tuple[str, str, dict[str, Any]]:
    email, password = form.text("email", most=EMAIL_MAX), form.secret("password")
    if email and not is_address(email):
        form.fault("email", NO_ADDRESS)
    if password and (weak := weakness(password, email)):
        form.fault("password", WEAK[weak])
    bonus = form.amount("bonus") or 0
    site = {
        "name": form.text("site", most=_NAME_MAX),
        "sign_up": form.choice("sign_up", [mode for mode, _ in MODES]),
        "sign_up_bonus": format_usd(bonus),
    }
    return email, password, site


async def _made(visit: Visit, token: str, admin: Admin, site: dict[str, Any]) -> Entry:
    services, at_ms = visit.services, visit.at_ms
    async with writing(services.engine) as connection:
        made = await set_up(connection, services.secrets, token, admin, site, visit.address, at_ms)
        return await enter(connection, services.secrets, made.user_id, browser_of(visit), at_ms)


def _page(visit: Visit, form: Form, token: str, status: int = 200) -> Response:
    # Choosing a language or a theme leads back here, to the link.
    path = f"{PATH}?token={token}" if token.isascii() else PATH
    return visit.show("console/setup.html", status, form=form, token=token, modes=MODES, here=path)
