"""Owns the pages of another e-mail address: asking for the link, and the button behind it."""

from typing import Final

from starlette.responses import Response

from tollbridge.console.profile import PATH
from tollbridge.console.reset import NO_ADDRESS
from tollbridge.console.sign_in import EMAIL_MAX, voice_of
from tollbridge.console.sign_up import BY_EMAIL, REFUSALS, place_of
from tollbridge.identity.addresses import Rules, folded, refusal
from tollbridge.identity.doors import Door
from tollbridge.notify.mail import is_address
from tollbridge.people.email_change import (
    LINK_HOURS,
    LINK_PATH,
    AddressTaken,
    LinkOver,
    SameAddress,
    ask_new_email,
    change_email,
    new_email_of,
)
from tollbridge.storage.unit_of_work import reading, working, writing
from tollbridge.web.forms import N_, Form
from tollbridge.web.pages import PROVED, SIGNED_IN, Pages
from tollbridge.web.visit import Visit

pages = Pages()
BY_USER: Final = Door("new e-mail", 3, 10)
BY_LINK: Final = Door("new e-mail link", 10, 100)
SAME: Final = N_("This is the address that you have.")


@pages.get("/console/profile/email", PROVED)
async def show_form(visit: Visit) -> Response:
    """Ask for the new address."""
    return visit.show("console/profile_email.html", form=Form({}), sent="")


@pages.post("/console/profile/email", PROVED)
async def ask(visit: Visit) -> Response:
    """Write to the new address, whatever there is of it already."""
    form, services = await visit.form(), visit.services
    email = form.text("email", most=EMAIL_MAX)
    if email:
        _check(visit, form, email)
    if not form.ok:
        return visit.show("console/profile_email.html", 422, form=form, sent="")
    await visit.knock(BY_USER, str(visit.user.user_id))
    await visit.knock(BY_EMAIL, folded(email))
    try:
        async with working(services.engine) as connection:
            await ask_new_email(
                connection,
                services.secrets,
                visit.user.user_id,
                email,
                place_of(visit),
                voice_of(visit),
                visit.at_ms,
            )
    except SameAddress:
        form.fault("email", SAME)
        return visit.show("console/profile_email.html", 422, form=form, sent="")
    return visit.show("console/profile_email.html", form=form, sent=email, hours=LINK_HOURS)


@pages.get(LINK_PATH, SIGNED_IN)
async def show_button(visit: Visit) -> Response:
    """Show what the link will do; nothing is done."""
    await visit.knock(BY_LINK, str(visit.user.user_id))
    word, services = visit.query("token"), visit.services
    try:
        async with reading(services.engine) as connection:
            email = await new_email_of(
                connection, services.secrets, visit.user.user_id, word, visit.at_ms
            )
    except LinkOver:
        return _refused(visit, "over", 410)
    return visit.show("console/profile_email_confirm.html", email=email, token=word, refused="")


@pages.post(LINK_PATH, SIGNED_IN)
async def confirm(visit: Visit) -> Response:
    """Move the account to the new address."""
    await visit.knock(BY_LINK, str(visit.user.user_id))
    form, services = await visit.form(), visit.services
    try:
        async with writing(services.engine) as connection:
            await change_email(
                connection,
                services.secrets,
                visit.user.user_id,
                visit.user.id,
                form.raw("token"),
                place_of(visit),
                voice_of(visit),
                visit.at_ms,
            )
    except LinkOver:
        return _refused(visit, "over", 410)
    except AddressTaken:
        return _refused(visit, "taken", 409)
    return visit.go(PATH, "email_changed")


def _check(visit: Visit, form: Form, email: str) -> None:
    site = visit.services.snapshot().site
    rules = Rules(site.email_allowed, site.email_blocked, site.email_aliases)
    if not is_address(email):
        form.fault("email", NO_ADDRESS)
    elif refused := refusal(email, rules):
        form.fault("email", REFUSALS[refused])


def _refused(visit: Visit, reason: str, status: int) -> Response:
    return visit.show(
        "console/profile_email_confirm.html", status, email="", token="", refused=reason
    )
