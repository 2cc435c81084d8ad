"""Owns the pages of signing in and out: e-mail and password, the second factor, sign-out.

What they answer is the same for an address that has no account. Others that let somebody in give the
browser its cookie with `let_in`.
"""

from typing import Final

from starlette.responses import Response

from tollbridge.identity.doors import Door, DoorShut
from tollbridge.identity.sessions import Session
from tollbridge.identity.users import normalised_email
from tollbridge.people.second_factor import WrongCode
from tollbridge.people.signing_in import (
    Browser,
    Entry,
    NotRecognised,
    SignedOut,
    Suspended,
    end_half,
    enter,
    finish,
    half_of,
    leave,
    recognise,
)
from tollbridge.people.telling import Voice
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.web import cookies
from tollbridge.web.forms import N_, Form
from tollbridge.web.pages import ANYBODY, Pages
from tollbridge.web.visit import SIGN_IN, Visit, own_path

pages = Pages()
HOME: Final = "/console"
SECOND: Final = "/sign-in/second"
BY_ADDRESS: Final = Door("sign-in address", 20, 500)
BY_PAIR: Final = Door("sign-in", 5, 50)
BY_EMAIL: Final = Door("sign-in email", 20, 1_000)
BY_USER: Final = Door("second factor", 5, 30)
WRONG_CODES: Final = 5
"""With so many wrong codes a half session ends."""
_BY_HALF: Final = Door("second factor of a session", 2 * WRONG_CODES, WRONG_CODES - 1)
EMAIL_MAX: Final = 254
CODE_MAX: Final = 32

NOT_RECOGNISED: Final = N_("The e-mail address or the password is not right.")
SUSPENDED: Final = N_("This account is suspended. Please write to support.")
WRONG_CODE: Final = N_("This code is not right, or it was used already.")


@pages.get("/sign-in", ANYBODY)
async def show_sign_in(visit: Visit) -> Response:
    """Show the form; who is signed in already goes on."""
    wish = own_path(visit.query("next"), HOME)
    if visit.session is not None:
        return visit.go(wish)
    return _sign_in(visit, Form({}), wish)


@pages.post("/sign-in", ANYBODY)
async def sign_in(visit: Visit) -> Response:
    """Take address and password, and begin a session."""
    await visit.knock(BY_ADDRESS, visit.address)
    form = await visit.form()
    wish = own_path(form.raw("next"), HOME)
    email, password = form.text("email", most=EMAIL_MAX), form.secret("password")
    if not form.ok:
        return _sign_in(visit, form, wish, 422)
    name = normalised_email(email)
    pair = f"{name} {visit.address}"
    await visit.knock(BY_PAIR, pair)
    await visit.knock(BY_EMAIL, name)
    try:
        entry = await _entered(visit, name, password)
    except (NotRecognised, Suspended) as error:
        form.fault("", SUSPENDED if isinstance(error, Suspended) else NOT_RECOGNISED)
        return _sign_in(visit, form, wish, 422)
    await visit.services.doors.forgive(BY_PAIR, pair)
    await visit.services.doors.forgive(BY_EMAIL, name)
    return let_in(visit, entry, wish)


@pages.get(SECOND, ANYBODY)
async def show_second(visit: Visit) -> Response:
    """Ask for a code, if a password was right a moment ago."""
    wish = own_path(visit.query("next"), HOME)
    if await _half(visit) is None:
        return visit.go(SIGN_IN, next=wish)
    return visit.show("console/second.html", form=Form({}), next=wish)


@pages.post(SECOND, ANYBODY)
async def second(visit: Visit) -> Response:
    """Take a code of the app, or a recovery code, and begin the full session."""
    form = await visit.form()
    wish = own_path(form.raw("next"), HOME)
    half = await _half(visit)
    if half is None:
        return visit.go(SIGN_IN, "sign_in_again", next=wish)
    code = form.text("code", most=CODE_MAX)
    if not form.ok:
        return visit.show("console/second.html", 422, form=form, next=wish)
    await visit.knock(BY_USER, str(half.user_id))
    services = visit.services
    try:
        async with working(services.engine) as connection:
            browser = browser_of(visit)
            entry = await finish(connection, services.secrets, half, code, browser, visit.at_ms)
    except SignedOut:
        return visit.go(SIGN_IN, "sign_in_again", next=wish)
    except WrongCode:
        return await _wrong(visit, half, form, wish)
    await services.doors.forgive(BY_USER, str(half.user_id))
    return let_in(visit, entry, wish)


@pages.post("/sign-out", ANYBODY)
async def sign_out(visit: Visit) -> Response:
    """End the session; `next` is where to go after signing in again."""
    form = await visit.form()
    services = visit.services
    async with working(services.engine) as connection:
        await leave(connection, services.secrets, visit.cookie(cookies.SESSION), visit.at_ms)
    wish = own_path(form.raw("next"), "")
    response = visit.go(SIGN_IN, next=wish) if wish else visit.go(SIGN_IN, "signed_out")
    visit.forget(response, cookies.SESSION)
    return response


def let_in(visit: Visit, entry: Entry, wish: str) -> Response:
    """Give the browser its new session and send it on: to the second factor if one is due."""
    due = entry.stage == "second"
    response = visit.go(SECOND, next=wish) if due else visit.go(wish)
    visit.keep(response, cookies.SESSION, entry.token)
    return response


def browser_of(visit: Visit) -> Browser:
    """Return what signing in needs to know of the browser."""
    return Browser(visit.address, visit.agent, visit.cookie(cookies.SESSION))


def voice_of(visit: Visit) -> Voice:
    """Return how mail that comes of this visit speaks."""
    return Voice(visit.services.snapshot().site.name, visit.language)


async def _entered(visit: Visit, email: str, password: str) -> Entry:
    services = visit.services
    found = await recognise(services.engine, email, password)
    async with working(services.engine) as connection:
        return await enter(
            connection,
            services.secrets,
            found.user_id,
            browser_of(visit),
            visit.at_ms,
            password_hash=found.password_hash,
        )


async def _half(visit: Visit) -> Session | None:
    services = visit.services
    async with reading(services.engine) as connection:
        cookie = visit.cookie(cookies.SESSION)
        return await half_of(connection, services.secrets, cookie, visit.at_ms)


async def _wrong(visit: Visit, half: Session, form: Form, wish: str) -> Response:
    """Show the form again; after too many wrong codes the password has to be given again."""
    try:
        await visit.services.doors.knock(_BY_HALF, str(half.id), visit.at_ms)
    except DoorShut:
        async with working(visit.services.engine) as connection:
            await end_half(connection, half, voice_of(visit))
        response = visit.go(SIGN_IN, "too_many_codes", next=wish)
        visit.forget(response, cookies.SESSION)
        return response
    form.fault("code", WRONG_CODE)
    return visit.show("console/second.html", 422, form=form, next=wish)


def _sign_in(visit: Visit, form: Form, wish: str, status: int = 200) -> Response:
    open_to_all = visit.services.snapshot().site.sign_up != "closed"
    return visit.show(
        "console/sign_in.html", status, form=form, next=wish, sign_up=open_to_all, home=HOME
    )
