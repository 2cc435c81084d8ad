"""Owns the pages of channels: all of them with how they do, one with its accounts, editing, switching."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.backoffice import channel_form, typed
from tollbridge.backoffice.account_states import (
    TROUBLES,
    Staff,
    hosts_of,
    staff_by_channel,
    troubles_in,
)
from tollbridge.backoffice.editing import Thing, declare, declare_switch, written
from tollbridge.catalog.channel_editing import (
    NeedsClearing,
    channel_row,
    channel_table,
    save_channel,
    switch_channel,
)
from tollbridge.catalog.edits import Edit, NoSuchRow
from tollbridge.catalog.fields import FileError
from tollbridge.core.language import N_
from tollbridge.identity.scopes import Scope
from tollbridge.storage.account_states import some_accounts
from tollbridge.storage.rollup_cover import read_kept
from tollbridge.storage.rollup_marks import HOUR
from tollbridge.storage.rollup_reads import read_sums
from tollbridge.storage.tables import channels
from tollbridge.storage.unit_of_work import reading
from tollbridge.web.forms import Form
from tollbridge.web.pages import Pages, operator
from tollbridge.web.visit import Visit

pages = Pages()
_READ, _WRITE = operator(Scope.CHANNELS_READ), operator(Scope.CHANNELS_WRITE)
_HOUR_MS: Final = HOUR * 1_000
_HOURS: Final = 24
CLEARING: Final = N_(
    "Accounts of this channel send their secrets through its proxy. Tick that they are taken away,"
    " and give each its secret again."
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A channel with its accounts and the calls of the last day. `counted`: without clients' faults."""

    row: RowMapping
    table: Mapping[str, Any]
    staff: Staff
    calls: int = 0
    answered: int = 0
    counted: int = 0


@pages.get("/backoffice/channels", _READ)
async def list_channels(visit: Visit) -> Response:
    """Show all channels."""
    async with reading(visit.services.engine) as connection:
        query = select(channels).order_by(channels.c.enabled.desc(), channels.c.name)
        rows = (await connection.execute(query)).mappings().all()
        accounts = await some_accounts(connection)
        staff = staff_by_channel(accounts, await troubles_in(connection, accounts))
        calls = await _calls(connection, len(rows), visit.at_ms)
    listed = [
        Listed(row, channel_table(row), staff.get(row["id"], _NOBODY), **calls.get(row["id"], {}))
        for row in rows
    ]
    return visit.show("backoffice/channels.html", listed=listed)


_NOBODY: Final = Staff(0, 0, ())


async def _calls(
    connection: AsyncConnection, channels_: int, at_ms: int
) -> dict[int, dict[str, int]]:
    """Return the calls of each channel in the last 24 hours and what of this one is over."""
    until_ms = (at_ms // _HOUR_MS + 1) * _HOUR_MS
    kept = await read_kept(connection, at_ms)
    pieces = [(0, one) for one in kept.pieces(until_ms - (_HOURS + 1) * _HOUR_MS, until_ms)]
    sums = await read_sums(connection, pieces, ("channel_id",), {}, channels_ + 1_000)
    return {
        one.group[0]: {
            "calls": one.numbers["calls"],
            "answered": one.numbers["answered"],
            "counted": one.numbers["calls"] - one.numbers["client_faults"],
        }
        for one in sums
    }


async def _save(visit: Visit, form: Form, channel_id: int | None) -> Edit | None:
    """Save what a form says; return None with the faults noted in the form."""
    table = channel_form.table_of(form)
    if not form.ok:
        return None
    save = partial(
        save_channel,
        secrets=visit.services.secrets,
        channel_id=channel_id,
        table=table,
        at_ms=visit.at_ms,
        keep=channel_form.kept(form),
        clear=form.flag("clear_secrets"),
    )
    try:
        return await written(visit, save)
    except NeedsClearing:
        form.fault("clear_secrets", CLEARING)
    except FileError as error:
        typed.blame(form, error, channel_form.FIELDS)
    return None


async def _new_page(visit: Visit, form: Form | None) -> Response:
    blank = channel_form.shown(channel_form.blank())
    return visit.show(
        "backoffice/channel_new.html",
        200 if form is None else 422,
        values=blank if form is None else channel_form.typed_values(form),
        errors=form.errors if form else {},
        offered=channel_form.offered(visit),
        row=None,
    )


async def _page(visit: Visit, form: Form | None) -> Response:
    async with reading(visit.services.engine) as connection:
        try:
            row = await channel_row(connection, visit.id)
        except NoSuchRow:
            raise HTTPException(404) from None
        accounts = await some_accounts(connection, channel=row["name"])
        troubles = await troubles_in(connection, accounts)
        calls = await _calls(connection, 1_000, visit.at_ms)
    table = channel_table(row)
    values = channel_form.shown(table) if form is None else channel_form.typed_values(form)
    staff = staff_by_channel(accounts, troubles).get(row["id"], _NOBODY)
    return visit.show(
        "backoffice/channel.html",
        200 if form is None else 422,
        row=row,
        one=Listed(row, table, staff, **calls.get(row["id"], {})),
        accounts=accounts,
        hosts=hosts_of(accounts),
        troubles=troubles,
        troubles_named=TROUBLES,
        values=values,
        errors=form.errors if form else {},
        offered=channel_form.offered(visit),
    )


_CHANNEL: Final = Thing("/backoffice/channels", _new_page, _page, _save)
declare(pages, _READ, _WRITE, _CHANNEL)
declare_switch(pages, _WRITE, _CHANNEL, switch_channel)
