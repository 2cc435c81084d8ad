"""Owns the page of one account and what is done there beside editing: test, recover, enable, sign in."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.backoffice import account_form, typed
from tollbridge.backoffice.account_states import TROUBLES, hosts_of, troubles_in
from tollbridge.backoffice.editing import written
from tollbridge.catalog.account_editing import (
    account_row,
    account_table,
    sign_account_in,
    switch_account,
)
from tollbridge.catalog.edits import NoSuchRow
from tollbridge.catalog.fields import FileError
from tollbridge.catalog.finding import Finding, ProbeRuns
from tollbridge.catalog.oauth_fields import OAuthError
from tollbridge.core.language import N_
from tollbridge.core.phrase import reason_of
from tollbridge.identity.audit import Subject, note
from tollbridge.identity.scopes import Scope
from tollbridge.people.edits import note_edit
from tollbridge.storage import account_states
from tollbridge.storage.unit_of_work import reading, working, writing
from tollbridge.upstreams.oauth import STYLES
from tollbridge.web.forms import Form
from tollbridge.web.pages import Pages, operator
from tollbridge.web.visit import Visit

pages = Pages()
_WRITE = operator(Scope.ACCOUNTS_WRITE)
_MODEL_MAX: Final = 256
_Change = Callable[[AsyncConnection, int], Awaitable[bool]]

RUNS: Final = N_("A test of this account runs. Wait for it.")
NOTHING_TO_TEST: Final = N_("This account has no credential to be tested with.")
NOT_SOLD: Final = N_("The channel does not sell this model.")


@pages.post("/backoffice/accounts/{id}/recover", _WRITE)
async def recover(visit: Visit) -> Response:
    """Forget all that is held against the account."""
    return await _done(visit, "account.recover", account_states.recover)


@pages.post("/backoffice/accounts/{id}/enable", _WRITE)
async def enable(visit: Visit) -> Response:
    """Bring the account back into use."""
    account_id = visit.id

    async def change(connection: AsyncConnection, _: int) -> bool:
        try:
            edit = await switch_account(connection, account_id, enabled=True)
        except NoSuchRow:
            return False
        await note_edit(connection, visit.actor, edit, visit.at_ms)
        return await account_states.enable(connection, account_id)

    return await _done(visit, "account.enable", change)


@pages.post("/backoffice/accounts/{id}/disable", _WRITE)
async def disable(visit: Visit) -> Response:
    """Take the account out of use, for a reason."""
    form = await visit.form()
    reason = form.text("reason", most=account_states.REASON_MAX)
    if not form.ok:
        return await account_page(visit, form, values={"reason": form.raw("reason")})

    async def change(connection: AsyncConnection, account_id: int) -> bool:
        return await account_states.disable(connection, account_id, reason)

    return await _done(visit, "account.disable", change, reason=reason)


async def _done(visit: Visit, action: str, change: _Change, **detail: str) -> Response:
    account_id = visit.id
    async with writing(visit.services.engine) as connection:
        row = await account_states.one_account(connection, account_id)
        if row is None or not await change(connection, account_id):
            raise HTTPException(404)
        subject = subject_of(row)
        await note(connection, visit.actor, action, subject, visit.at_ms, **detail)
    return visit.go(f"/backoffice/accounts/{account_id}", said="saved")


@pages.post("/backoffice/accounts/{id}/oauth", _WRITE)
async def sign_in(visit: Visit) -> Response:
    """Let the account sign in with a refresh token."""
    form = await visit.form()
    change = partial(
        sign_account_in,
        secrets=visit.services.secrets,
        account_id=visit.id,
        plan=account_form.sign_in_of(form),
        at_ms=visit.at_ms,
    )
    try:
        await written(visit, change)
    except OAuthError as error:
        fault = FileError(1, reason_of(error), f"oauth_{error.field}")
        typed.blame(form, fault, {f"oauth_{name}" for name in account_form.OAUTH})
        given = ("token_url", "client_id", "scope", "style")
        return await account_page(
            visit, form, values={f"oauth_{name}": form.raw(name) for name in given}
        )
    return visit.go(f"/backoffice/accounts/{visit.id}", said="saved")


@pages.post("/backoffice/accounts/{id}/test", _WRITE)
async def test_account(visit: Visit) -> Response:
    """Make the smallest real call to the account and show what it came to."""
    form, account_id = await visit.form(), visit.id
    model = form.text("model", most=_MODEL_MAX, need=False)
    async with working(visit.services.engine) as connection:
        row = await account_states.one_account(connection, account_id)
        if row is None:
            raise HTTPException(404)
        await note(
            connection, visit.actor, "account.test", subject_of(row), visit.at_ms, model=model
        )
    finding, trouble = await _tested(visit, account_id, model or None)
    told: dict[str, Any] = {"finding": finding, "untested": trouble, "troubles_named": TROUBLES}
    if visit.partial:
        return visit.show("backoffice/account_finding.html", **told)
    return await account_page(visit, None, told, values={"model": model})


async def _tested(visit: Visit, account_id: int, model: str | None) -> tuple[Finding | None, str]:
    """Return what a test found, or the msgid of why there was none."""
    try:
        finding = await visit.services.test_account(account_id, model)
    except ProbeRuns:
        return None, RUNS
    except ValueError:
        return None, NOT_SOLD
    return finding, "" if finding else NOTHING_TO_TEST


async def account_page(
    visit: Visit,
    form: Form | None = None,
    told: dict[str, Any] | None = None,
    values: dict[str, Any] | None = None,
) -> Response:
    """Show an account; with a form also its faults, with `values` in place of the whole form's."""
    account_id = visit.id
    async with reading(visit.services.engine) as connection:
        row = await account_states.one_account(connection, account_id)
        if row is None:
            raise HTTPException(404)
        troubles = await troubles_in(connection, [row])
        whole = await account_row(connection, account_id)
    filled: dict[str, Any] = (
        account_form.typed_values(form)
        if form is not None and values is None
        else account_form.shown(account_table(whole))
    )
    others = {"reason": "", "model": "", **{f"oauth_{name}": "" for name in account_form.OAUTH}}
    return visit.show(
        "backoffice/account.html",
        200 if form is None else 422,
        row=row,
        host=hosts_of([row])[account_id],
        sets={name: bool(whole[name]) for name in ("secret", "proxy", "headers")},
        table=account_table(whole),
        platform=row["platform"],
        held=troubles.get(account_id, ()),
        values={**others, **filled, **(values or {})},
        errors=form.errors if form else {},
        styles=[(one, one) for one in STYLES],
        **{"finding": None, "untested": "", "troubles_named": TROUBLES, **(told or {})},
    )


def subject_of(row: RowMapping) -> Subject:
    """Return an account as the audit log names one."""
    return Subject("account", row["id"], f"{row['channel']}/{row['name']}")
