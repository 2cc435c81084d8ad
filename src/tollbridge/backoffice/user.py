"""Owns the page of one user in the back office and what operators do there.

What fails is shown on the page again, what was done is told after a redirect. Must not know how
anything is done.
"""

import re
from collections.abc import Awaitable, Callable
from secrets import token_urlsafe
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.backoffice.audit import readable
from tollbridge.billing.adjustments import AMOUNT_MAX, NotEnough, ReferenceTaken, TooMuch
from tollbridge.core.language import N_
from tollbridge.identity.scopes import Scope
from tollbridge.people import credit, suspension, user_changes
from tollbridge.people.dossier import DAYS, Dossier, read_dossier
from tollbridge.people.suspension import NotOneself
from tollbridge.people.telling import Voice
from tollbridge.people.user_changes import LastAdmin, Limits, NoSuchUser
from tollbridge.storage.unit_of_work import reading, working, writing
from tollbridge.web.filters import usd
from tollbridge.web.forms import OUT_OF_RANGE, UNREADABLE, Form
from tollbridge.web.pages import Pages, operator
from tollbridge.web.visit import Visit
from tollbridge.web.wallet_words import text_of

pages = Pages()
_READ, _WRITE = operator(Scope.USERS_READ), operator(Scope.USERS_WRITE)
_PROVED = operator(Scope.USERS_WRITE, proved=True)
_FORM_ID: Final = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
_Change = Callable[[AsyncConnection, int], Awaitable[Any]]

NO_AMOUNT: Final = N_("Enter an amount other than zero.")
NOT_ENOUGH: Final = N_(
    "At most %(free)s can be taken: the rest is spent, or held by running calls."
)
TOO_MUCH: Final = N_("The balance would be larger than can be booked.")
USED_FORM: Final = N_("This form was sent before with another amount. Load the page again.")
NOT_ONESELF: Final = N_("You cannot suspend your own account.")
LAST_ADMIN: Final = N_("This is the last active admin. Make somebody else an admin first.")


@pages.get("/backoffice/users/{id}", _READ)
async def show_user(visit: Visit) -> Response:
    """Show what there is of a user."""
    return await _page(visit)


@pages.post("/backoffice/users/{id}/group", _WRITE)
async def set_group(visit: Visit) -> Response:
    """Put the user into a group."""
    form = await visit.form()
    group = form.text("group", most=user_changes.GROUP_MAX)

    async def change(connection: AsyncConnection, user_id: int) -> None:
        await user_changes.change_group(connection, visit.actor, user_id, group, visit.at_ms)

    return await _changed(visit, form, change)


@pages.post("/backoffice/users/{id}/limits", _WRITE)
async def set_limits(visit: Visit) -> Response:
    """Limit what the user's keys may do together."""
    form = await visit.form()
    limits = Limits(
        rpm=form.integer("rpm", most=user_changes.RPM_MAX),
        tpm=form.integer("tpm", most=user_changes.TPM_MAX),
        concurrency=form.integer("concurrency", most=user_changes.CONCURRENCY_MAX),
    )

    async def change(connection: AsyncConnection, user_id: int) -> None:
        await user_changes.change_limits(connection, visit.actor, user_id, limits, visit.at_ms)

    return await _changed(visit, form, change)


@pages.get("/backoffice/users/{id}/role", _PROVED)
async def show_role(visit: Visit) -> Response:
    """Ask for another role, of an admin who has just shown the password."""
    return await _role_page(visit)


@pages.post("/backoffice/users/{id}/role", _PROVED)
async def set_role(visit: Visit) -> Response:
    """Give the user another role."""
    form, user_id = await visit.form(), visit.id
    role = form.choice("role", user_changes.ROLES)
    if form.ok:
        try:
            async with writing(visit.services.engine) as connection:
                await user_changes.change_role(connection, visit.actor, user_id, role, visit.at_ms)
        except NoSuchUser:
            raise HTTPException(404) from None
        except LastAdmin:
            form.fault("role", LAST_ADMIN)
    if form.ok:
        return visit.go(f"/backoffice/users/{user_id}", said="saved")
    return await _role_page(visit, form)


@pages.post("/backoffice/users/{id}/credit", _WRITE)
async def adjust_credit(visit: Visit) -> Response:
    """Give or take credit, once a form however often it is sent."""
    form, user_id = await visit.form(), visit.id
    amount = form.amount("amount", signed=True)
    reason = form.text("credit_reason", most=credit.REASON_MAX)
    form_id = form.raw("form_id")
    if not _FORM_ID.fullmatch(form_id):
        form.fault("amount", UNREADABLE)
    if amount == 0:
        form.fault("amount", NO_AMOUNT)
    elif amount is not None and abs(amount) > AMOUNT_MAX:
        form.fault("amount", OUT_OF_RANGE)
    if not form.ok or amount is None:
        return await _page(visit, form)
    try:
        async with working(visit.services.engine) as connection:
            await credit.adjust(
                connection, visit.actor, user_id, amount, reason, f"form:{form_id}", visit.at_ms
            )
    except NoSuchUser:
        raise HTTPException(404) from None
    except (NotEnough, TooMuch, ReferenceTaken) as error:
        form.fault("amount", _credit_fault(visit, error))
        return await _page(visit, form)
    return visit.go(f"/backoffice/users/{user_id}", said="credit_adjusted")


@pages.post("/backoffice/users/{id}/suspend", _WRITE)
async def suspend(visit: Visit) -> Response:
    """Keep the user out."""
    form = await visit.form()
    reason = form.text("suspend_reason", most=suspension.REASON_MAX)

    async def change(connection: AsyncConnection, user_id: int) -> None:
        await suspension.suspend(
            connection, visit.actor, user_id, reason, visit.at_ms, site_name=_voice(visit).site_name
        )

    return await _changed(visit, form, change, "suspended", field="suspend_reason")


@pages.post("/backoffice/users/{id}/unsuspend", _WRITE)
async def unsuspend(visit: Visit) -> Response:
    """Let the user in again."""
    form = await visit.form()
    reason = form.text("suspend_reason", most=suspension.REASON_MAX)

    async def change(connection: AsyncConnection, user_id: int) -> None:
        await suspension.unsuspend(connection, visit.actor, user_id, reason, visit.at_ms)

    return await _changed(visit, form, change, "unsuspended")


@pages.post("/backoffice/users/{id}/sign-out", _WRITE)
async def sign_out_everywhere(visit: Visit) -> Response:
    """End all sessions of the user."""

    async def change(connection: AsyncConnection, user_id: int) -> None:
        await suspension.sign_out_everywhere(connection, visit.actor, user_id, visit.at_ms)

    return await _changed(visit, Form({}), change, "sessions_ended")


@pages.post("/backoffice/users/{id}/reset", _WRITE)
async def mail_reset(visit: Visit) -> Response:
    """Send the user a link to set a new password."""
    services = visit.services

    async def change(connection: AsyncConnection, user_id: int) -> None:
        url, voice = services.site_url(), _voice(visit)
        await user_changes.mail_reset(
            connection, services.secrets, visit.actor, user_id, url, voice, visit.at_ms
        )

    return await _changed(visit, Form({}), change, "reset_mailed")


async def _changed(
    visit: Visit, form: Form, change: _Change, said: str = "saved", *, field: str = ""
) -> Response:
    """Do it in one transaction that servers notice; what refuses it is told beside `field`."""
    user_id = visit.id
    if form.ok:
        try:
            async with writing(visit.services.engine) as connection:
                await change(connection, user_id)
        except NoSuchUser:
            raise HTTPException(404) from None
        except NotOneself:
            form.fault(field, NOT_ONESELF)
        except LastAdmin:
            form.fault(field, LAST_ADMIN)
    if form.ok:
        return visit.go(f"/backoffice/users/{user_id}", said=said)
    return await _page(visit, form)


async def _page(visit: Visit, form: Form | None = None) -> Response:
    dossier = await _dossier(visit)
    row = dossier.row
    values: dict[str, object] = {
        name: row[column]
        for name, column in (
            ("group", "group_name"), ("rpm", "rpm"), ("tpm", "tpm"), ("concurrency", "concurrency"),
        )
    }  # fmt: skip
    values |= {"amount": "", "credit_reason": "", "suspend_reason": ""}
    values |= {"form_id": token_urlsafe(18)} | (form.given() if form else {})
    return visit.show(
        "backoffice/user.html",
        422 if form else 200,
        dossier=dossier,
        row=row,
        audit=readable(dossier.audit),
        values=values,
        errors=form.errors if form else {},
        spent_days=DAYS,
        groups=_known_groups(visit),
        oneself=row["id"] == visit.user.user_id,
        text_of=text_of,
    )


def _known_groups(visit: Visit) -> list[str]:
    """Return the groups that channels or factors name; any other name is a group too."""
    snapshot = visit.services.snapshot()
    named = {name for channel in snapshot.channels.values() for name in channel.groups}
    return sorted((named | {"default", *snapshot.groups}) - {"*"})


async def _role_page(visit: Visit, form: Form | None = None) -> Response:
    dossier = await _dossier(visit)
    if dossier.deleted:
        raise HTTPException(404)
    errors = form.errors if form else {}
    status = 422 if form else 200
    return visit.show("backoffice/user_role.html", status, row=dossier.row, errors=errors)


async def _dossier(visit: Visit) -> Dossier:
    async with reading(visit.services.engine) as connection:
        dossier = await read_dossier(connection, visit.id, visit.at_ms)
    if dossier is None:
        raise HTTPException(404)
    return dossier


def _credit_fault(visit: Visit, error: Exception) -> str:
    if isinstance(error, NotEnough):
        return visit.text(NOT_ENOUGH, free=usd(error.free))
    return TOO_MUCH if isinstance(error, TooMuch) else USED_FORM


def _voice(visit: Visit) -> Voice:
    return Voice(visit.services.snapshot().site.name, visit.language)
