"""Owns the page on which somebody who is signed in shows to be the owner again.

By password, else by a code of the second factor. Who has neither came from another site and signs in
there once more: every new session counts as a proof.
"""

from typing import Final, Literal

from sqlalchemy import select
from starlette.responses import Response

from tollbridge.console.sign_in import BY_USER, CODE_MAX, HOME, WRONG_CODE
from tollbridge.identity.doors import Door
from tollbridge.identity.sessions import note_proof
from tollbridge.people.second_factor import WrongCode, take_code
from tollbridge.people.signing_in import prove
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.web.forms import N_, Form
from tollbridge.web.pages import PROVE, SIGNED_IN, Pages
from tollbridge.web.visit import Visit, own_path

pages = Pages()
DOOR: Final = Door("prove", 5, 50)
WRONG_PASSWORD: Final = N_("The password is not right.")
Kind = Literal["password", "code", "again"]


@pages.get(PROVE, SIGNED_IN)
async def show_prove(visit: Visit) -> Response:
    """Ask for what this user has."""
    return await _page(visit, Form({}), own_path(visit.query("next"), HOME))


@pages.post(PROVE, SIGNED_IN)
async def take_proof(visit: Visit) -> Response:
    """Take the password or a code, and go on."""
    form = await visit.form()
    wish = own_path(form.raw("next"), HOME)
    kind = await _kind(visit)
    if kind == "password":
        await _take_password(visit, form)
    elif kind == "code":
        await _take_code(visit, form)
    if kind == "again" or not form.ok:
        return await _page(visit, form, wish, 422)
    async with working(visit.services.engine) as connection:
        await note_proof(connection, visit.user.id, visit.at_ms)
    return visit.go(wish)


async def _take_password(visit: Visit, form: Form) -> None:
    user, password = visit.user.user_id, form.secret("password")
    if not form.ok:
        return
    await visit.knock(DOOR, str(user))
    if await prove(visit.services.engine, user, password):
        await visit.services.doors.forgive(DOOR, str(user))
    else:
        form.fault("password", WRONG_PASSWORD)


async def _take_code(visit: Visit, form: Form) -> None:
    user, code, services = visit.user.user_id, form.text("code", most=CODE_MAX), visit.services
    if not form.ok:
        return
    await visit.knock(BY_USER, str(user))
    try:
        async with working(services.engine) as connection:
            await take_code(connection, services.secrets, user, code, visit.at_ms)
    except WrongCode:
        form.fault("code", WRONG_CODE)
    else:
        await services.doors.forgive(BY_USER, str(user))


async def _kind(visit: Visit) -> Kind:
    query = select(users.c.password_hash).where(users.c.id == visit.user.user_id)
    async with reading(visit.services.engine) as connection:
        if (await connection.execute(query)).scalar_one() is not None:
            return "password"
    return "code" if visit.user.second_factor else "again"


async def _page(visit: Visit, form: Form, wish: str, status: int = 200) -> Response:
    kind = await _kind(visit)
    return visit.show("console/prove.html", status, form=form, next=wish, kind=kind)
