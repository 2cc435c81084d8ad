"""Owns the pages of accounts: all with their states, one, making and changing one."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, get_args
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.backoffice import account_form, typed
from tollbridge.backoffice.account_page import account_page
from tollbridge.backoffice.account_states import STATES, TROUBLES, hosts_of, troubles_in
from tollbridge.backoffice.editing import Thing, declare, written
from tollbridge.catalog.account_editing import account_row, save_account
from tollbridge.catalog.channel_editing import channel_row
from tollbridge.catalog.channel_rows import channel_names
from tollbridge.catalog.edits import Edit, NoSuchRow
from tollbridge.catalog.fields import FileError
from tollbridge.core.storable import id_in
from tollbridge.identity.scopes import Scope
from tollbridge.storage.account_states import State, some_accounts
from tollbridge.storage.unit_of_work import reading
from tollbridge.upstreams.oauth import STYLES
from tollbridge.web.forms import Form
from tollbridge.web.pages import Pages, operator
from tollbridge.web.visit import Visit

pages = Pages()
_READ, _WRITE = operator(Scope.ACCOUNTS_READ), operator(Scope.ACCOUNTS_WRITE)
_PAGE: Final = 100
_NAME_MAX: Final = 64


@pages.get("/backoffice/accounts", _READ)
async def list_accounts(visit: Visit) -> Response:
    """Show the accounts that the filters ask for, in the order in which they were made."""
    channel = visit.query("channel").strip()[:_NAME_MAX]
    state: State | None = next(
        (one for one in get_args(State) if one == visit.query("state")), None
    )
    after = id_in(visit.query("after")) or 0
    async with reading(visit.services.engine) as connection:
        found = await some_accounts(
            connection, channel=channel or None, state=state, after_id=after, limit=_PAGE + 1
        )
        names = await channel_names(connection)
        troubles = await troubles_in(connection, found)
    asked = {"channel": channel, "state": state or ""}
    last = {"after": str(found[_PAGE - 1]["id"])} if len(found) > _PAGE else {}
    return visit.show(
        "backoffice/accounts.html",
        accounts=found[:_PAGE],
        hosts=hosts_of(found),
        troubles=troubles,
        troubles_named=TROUBLES,
        channels=[(name, name) for name in sorted(names)],
        states=[(one, visit.text(text)) for one, text in STATES.items()],
        asked=asked,
        first=_address(asked) if after else None,
        further=_address({**asked, **last}) if last else None,
    )


def _address(asked: Mapping[str, str]) -> str:
    given = {name: text for name, text in asked.items() if text}
    return "/backoffice/accounts?" + urlencode(given)


async def _save(visit: Visit, form: Form, account_id: int | None) -> Edit | None:
    """Save what a form says; return None with the faults noted in the form."""
    channel_id = await _channel_of(visit, form, account_id)
    table = account_form.table_of(form)
    if not form.ok:
        return None
    save = partial(
        save_account,
        secrets=visit.services.secrets,
        account_id=account_id,
        channel_id=channel_id,
        table=table,
        at_ms=visit.at_ms,
        keep=account_form.kept(form),
        refresh_token=form.raw("refresh_token").strip(),
    )
    try:
        return await written(visit, save)
    except FileError as error:
        typed.blame(form, unnested(error), account_form.FIELDS)
    return None


async def _channel_of(visit: Visit, form: Form, account_id: int | None) -> int:
    """Return the channel of an account; of a new one the form's. HTTPException 404 for none."""
    if account_id is None:
        return _channel_id(form.raw("channel"))
    try:
        async with reading(visit.services.engine) as connection:
            row = await account_row(connection, account_id)
    except NoSuchRow:
        raise HTTPException(404) from None
    return int(row["channel_id"])


def unnested(error: FileError) -> FileError:
    """Return a fault of a table within an account's as one of the fields that the form has for it."""
    return FileError(error.line, error.reason, error.field.removeprefix("oauth."))


async def _new_page(visit: Visit, form: Form | None) -> Response:
    channel_id = _channel_id(visit.query("channel") if form is None else form.raw("channel"))
    try:
        async with reading(visit.services.engine) as connection:
            channel = await channel_row(connection, channel_id)
    except NoSuchRow:
        raise HTTPException(404) from None
    values: dict[str, Any] = (
        account_form.shown(account_form.blank())
        if form is None
        else account_form.typed_values(form)
    )
    return visit.show(
        "backoffice/account_new.html",
        200 if form is None else 422,
        channel=channel,
        platform=channel["platform"],
        values=values,
        errors=form.errors if form else {},
        styles=[(one, one) for one in STYLES],
        row=None,
    )


def _channel_id(text: str) -> int:
    channel_id = id_in(text)
    if channel_id is None:
        raise HTTPException(404)
    return channel_id


declare(pages, _READ, _WRITE, Thing("/backoffice/accounts", _new_page, account_page, _save))
