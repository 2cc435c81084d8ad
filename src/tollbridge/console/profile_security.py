"""Owns the pages of one's password and second factor, and the end of one's account.

All of them ask for the password first, if that was not shown a moment ago.
"""

from typing import Final

from markupsafe import Markup
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from tollbridge.console.profile import PATH
from tollbridge.console.reset import WEAK
from tollbridge.console.sign_in import CODE_MAX, EMAIL_MAX, WRONG_CODE, voice_of
from tollbridge.identity.doors import Door
from tollbridge.identity.recovery import codes_left
from tollbridge.identity.users import normalised_email
from tollbridge.people.deletion import delete_account
from tollbridge.people.passwords import change_password, hashed, weakness
from tollbridge.people.second_factor import (
    Enrolment,
    EnrolmentOver,
    WrongCode,
    begin_totp,
    confirm_totp,
    disable_totp,
    enrolment_of,
    new_recovery_codes,
)
from tollbridge.people.user_changes import LastAdmin
from tollbridge.storage.purse_reads import figures_of
from tollbridge.storage.unit_of_work import reading, working, writing
from tollbridge.web import cookies
from tollbridge.web.forms import N_, Form
from tollbridge.web.pages import PROVED, Pages
from tollbridge.web.visit import Visit

pages = Pages()
CODES: Final = Door("second factor on", 10, 100)
HASHING: Final = Door("own password", 5, 50)
NOT_THE_ADDRESS: Final = N_("This is not the address of your account.")
LAST_ADMIN: Final = N_("You are the only admin. Make somebody else one first.")
_SECOND: Final = "/console/profile/second-factor"
_DELETE: Final = "/console/profile/delete"
_PICTURE: Final = N_("A code for your authenticator app; the text below says the same")


@pages.get("/console/profile/password", PROVED)
async def show_password(visit: Visit) -> Response:
    """Ask for the new password."""
    return visit.show("console/profile_password.html", form=Form({}))


@pages.post("/console/profile/password", PROVED)
async def set_password(visit: Visit) -> Response:
    """Set the password; all other sessions end."""
    form = await visit.form()
    password = form.secret("password")
    if form.ok and (weak := weakness(password, visit.user.email)):
        form.fault("password", WEAK[weak])
    if not form.ok:
        return visit.show("console/profile_password.html", 422, form=form)
    await visit.knock(HASHING, str(visit.user.user_id))
    fresh = await hashed(password)
    async with working(visit.services.engine) as connection:
        user = visit.user
        await change_password(
            connection, user.user_id, fresh, voice_of(visit), keep_session=user.id
        )
    return visit.go(PATH, "own_password_changed")


@pages.get(_SECOND, PROVED)
async def show_second(visit: Visit) -> Response:
    """Show whether the second factor is on, and what can be done about it."""
    return await _second(visit)


@pages.post(_SECOND + "/begin", PROVED)
async def begin(visit: Visit) -> Response:
    """Make a secret and show it to the app, this once."""
    services = visit.services
    try:
        async with working(services.engine) as connection:
            enrolment = await begin_totp(
                connection,
                services.secrets,
                visit.user.user_id,
                services.snapshot().site.name,
                visit.text(_PICTURE),
                visit.at_ms,
            )
    except EnrolmentOver:
        return visit.go(_SECOND)
    return _enrol(visit, enrolment, Form({}))


@pages.post(_SECOND + "/confirm", PROVED)
async def confirm(visit: Visit) -> Response:
    """Take the first code, switch the second factor on, and show the recovery codes."""
    form, services, user = await visit.form(), visit.services, visit.user.user_id
    word, code = form.raw("word"), form.text("code", most=CODE_MAX)
    await visit.knock(CODES, str(user))
    try:
        async with working(services.engine) as connection:
            codes = await confirm_totp(
                connection, services.secrets, user, word, code, voice_of(visit), visit.at_ms
            )
    except EnrolmentOver:
        return await _second(visit, over=True)
    except WrongCode:
        form.fault("code", WRONG_CODE)
    else:
        return visit.show("console/profile_codes.html", codes=codes, fresh=True)
    try:
        async with reading(services.engine) as connection:
            enrolment = await enrolment_of(
                connection,
                services.secrets,
                user,
                word,
                services.snapshot().site.name,
                visit.text(_PICTURE),
                visit.at_ms,
            )
    except EnrolmentOver:
        return await _second(visit, over=True)
    return _enrol(visit, enrolment, form, 422)


@pages.post(_SECOND + "/off", PROVED)
async def switch_off(visit: Visit) -> Response:
    """Switch the second factor off."""
    async with working(visit.services.engine) as connection:
        await disable_totp(connection, visit.user.user_id, voice_of(visit))
    return visit.go(PATH, "second_factor_off")


@pages.post(_SECOND + "/codes", PROVED)
async def new_codes(visit: Visit) -> Response:
    """Make new recovery codes and show them, this once."""
    services = visit.services
    async with working(services.engine) as connection:
        codes = await new_recovery_codes(connection, services.secrets, visit.user.user_id)
    if not codes:
        return visit.go(_SECOND)
    return visit.show("console/profile_codes.html", codes=codes, fresh=False)


@pages.get(_DELETE, PROVED)
async def show_delete(visit: Visit) -> Response:
    """Say what is lost, and ask for the address."""
    return await _delete(visit, Form({}))


@pages.post(_DELETE, PROVED)
async def delete(visit: Visit) -> Response:
    """Delete the account, if its address was typed."""
    form = await visit.form()
    typed = form.text("email", most=EMAIL_MAX)
    if typed and normalised_email(typed) != normalised_email(visit.user.email):
        form.fault("email", NOT_THE_ADDRESS)
    if not form.ok:
        return await _delete(visit, form, 422)
    try:
        async with writing(visit.services.engine) as connection:
            user_id = visit.user.user_id
            await delete_account(connection, visit.actor, user_id, voice_of(visit), visit.at_ms)
    except LastAdmin:
        form.fault("email", LAST_ADMIN)
        return await _delete(visit, form, 409)
    visit.session = None
    response = visit.show("console/deleted.html")
    visit.forget(response, cookies.SESSION)
    return response


async def _second(visit: Visit, *, over: bool = False) -> Response:
    async with reading(visit.services.engine) as connection:
        left = await codes_left(connection, visit.user.user_id)
    status = 410 if over else 200
    return visit.show("console/profile_second.html", status, left=left, over=over)


def _enrol(visit: Visit, enrolment: Enrolment, form: Form, status: int = 200) -> Response:
    picture = Markup(enrolment.picture)  # noqa: S704 -- segno drew it, and escaped its label
    return visit.show(
        "console/profile_enrol.html", status, enrolment=enrolment, picture=picture, form=form
    )


async def _delete(visit: Visit, form: Form, status: int = 200) -> Response:
    async with reading(visit.services.engine) as connection:
        balance = await _balance(connection, visit.user.wallet_id)
    return visit.show("console/profile_delete.html", status, form=form, balance=balance)


async def _balance(connection: AsyncConnection, wallet_id: int) -> int:
    figures = (await figures_of(connection, [wallet_id])).get(wallet_id)
    return figures.available if figures else 0
