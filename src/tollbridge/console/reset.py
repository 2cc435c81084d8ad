"""Owns the pages of a forgotten password: asking for a link, and setting a new one with it.

Asking is answered the same whether or not somebody has the address. Looking at a link does nothing:
programs that read mail look at links too.
"""

from typing import Final

from starlette.responses import Response

from tollbridge.console.sign_in import EMAIL_MAX, HOME, browser_of, let_in, voice_of
from tollbridge.identity.doors import Door
from tollbridge.identity.users import normalised_email
from tollbridge.notify.mail import is_address
from tollbridge.people.passwords import (
    RESET_MINUTES,
    LinkOver,
    Weakness,
    ask_reset,
    hashed,
    reset_for,
    reset_password,
    weakness,
)
from tollbridge.people.signing_in import Entry, enter
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.web.forms import N_, Form
from tollbridge.web.pages import ANYBODY, Pages
from tollbridge.web.visit import SIGN_IN, Visit

pages = Pages()
BY_ADDRESS: Final = Door("reset", 5, 50)
BY_EMAIL: Final = Door("reset mail", 2, 6)
BY_LINK: Final = Door("reset link", 10, 200)
NO_ADDRESS: Final = N_("Enter an e-mail address, such as ann@example.com.")
WEAK: Final[dict[Weakness, str]] = {
    "short": N_("Choose a password of at least 10 characters."),
    "long": N_("A password has at most 200 characters."),
    "plain": N_("This password is too easy to guess."),
}


@pages.get("/reset", ANYBODY)
async def show_reset(visit: Visit) -> Response:
    """Ask for the address."""
    return visit.show("console/reset.html", form=Form({}), sent="")


@pages.post("/reset", ANYBODY)
async def ask(visit: Visit) -> Response:
    """Send a link to the address, if it is somebody's; the answer does not tell."""
    await visit.knock(BY_ADDRESS, visit.address)
    form = await visit.form()
    email = form.text("email", most=EMAIL_MAX)
    if email and not is_address(email):
        form.fault("email", NO_ADDRESS)
    if not form.ok:
        return visit.show("console/reset.html", 422, form=form, sent="")
    await visit.knock(BY_EMAIL, normalised_email(email))
    services = visit.services
    async with working(services.engine) as connection:
        await ask_reset(
            connection,
            services.secrets,
            email,
            services.site_url(),
            voice_of(visit),
            visit.at_ms,
        )
    return visit.show("console/reset.html", form=form, sent=email, minutes=RESET_MINUTES)


@pages.get("/reset/new", ANYBODY)
async def show_new(visit: Visit) -> Response:
    """Show the form of a link and leave the link good."""
    word = visit.query("token")
    try:
        email = await _email(visit, word)
    except LinkOver:
        return _over(visit)
    return _form(visit, Form({}), word, email)


@pages.post("/reset/new", ANYBODY)
async def set_new(visit: Visit) -> Response:
    """Use the link up and set the password; without a second factor its owner is signed in."""
    await visit.knock(BY_LINK, visit.address)
    form = await visit.form()
    word, password = form.raw("token"), form.secret("password")
    try:
        # Hashing is dear: not for who has no link.
        email = await _email(visit, word)
        if form.ok and (weak := weakness(password, email)):
            form.fault("password", WEAK[weak])
        if not form.ok:
            return _form(visit, form, word, email, 422)
        entry = await _changed(visit, word, await hashed(password))
    except LinkOver:
        return _over(visit)
    return visit.go(SIGN_IN, "password_changed") if entry is None else let_in(visit, entry, HOME)


async def _changed(visit: Visit, word: str, password_hash: str) -> Entry | None:
    """Return the session that begins; None when a second factor is due first."""
    secrets, at_ms = visit.services.secrets, visit.at_ms
    async with working(visit.services.engine) as connection:
        voice = voice_of(visit)
        user = await reset_password(connection, secrets, word, password_hash, voice, at_ms)
        if user["totp_secret"] is not None:
            return None
        return await enter(connection, secrets, user["id"], browser_of(visit), at_ms)


async def _email(visit: Visit, word: str) -> str:
    services = visit.services
    async with reading(services.engine) as connection:
        user = await reset_for(connection, services.secrets, word, visit.at_ms)
    email: str = user["email"]
    return email


def _form(visit: Visit, form: Form, word: str, email: str, status: int = 200) -> Response:
    values = {"token": word, "email": email, "over": False}
    return visit.show("console/reset_new.html", status, form=form, **values)


def _over(visit: Visit) -> Response:
    values = {"token": "", "email": "", "over": True}
    return visit.show("console/reset_new.html", 422, form=Form({}), **values)
