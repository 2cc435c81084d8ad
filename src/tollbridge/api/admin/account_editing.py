"""Owns making and changing accounts by /api/admin/accounts. Secrets come in and never go out.

What is wrong with an account is the configuration file's reader to say, so that file and API take
the same.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request
from pydantic import Field

from tollbridge.api.admin.accounts import OneAccount, Writes, shown_account
from tollbridge.api.admin.editing import blamed
from tollbridge.api.admin.fields import Body, GivenId, PathId, PlainText
from tollbridge.api.admin.principal import actor_of
from tollbridge.api.admin.problems import invalid, not_found
from tollbridge.api.answers import services_of
from tollbridge.catalog.account_editing import (
    account_row,
    account_table,
    save_account,
    switch_account,
)
from tollbridge.catalog.edits import NoSuchRow
from tollbridge.catalog.fields import FileError
from tollbridge.core.clock import now_ms
from tollbridge.people.edits import note_edit
from tollbridge.storage.unit_of_work import writing

router = APIRouter(prefix="/accounts", tags=["accounts"])

_SEALED: Final = ("proxy", "headers")
_APART: Final = {"enabled", "channel_id", "refresh_token"}
_SECRET_MAX, _URL_MAX, _RULES_MAX = 4_096, 2_048, 100
_Rules = Annotated[dict[str, PlainText], Field(max_length=_RULES_MAX)]


class AccountChange(Body):
    """What is to be changed; what is left out stays. An account that moves needs its secret again."""

    enabled: bool = Field(default=True, description="As the configuration says.")
    name: PlainText = Field("", min_length=1, max_length=64)
    base_url: PlainText = Field("", min_length=1, max_length=_URL_MAX)
    secret: str = Field("", max_length=_SECRET_MAX, repr=False, description="Never shown again.")
    refresh_token: str = Field(
        "", max_length=16_384, repr=False, description="For one that signs in and moves."
    )
    proxy: str = Field("", max_length=_URL_MAX, repr=False, description="Empty: the channel's.")
    headers: _Rules = Field({}, repr=False, description="Sealed too.")
    weight: int = Field(1, ge=0)
    priority: int = Field(0, ge=0)
    compatible: bool = False
    cost: str = Field("1.0", max_length=32, description="Own cost over list price, exact decimal.")
    mapping: _Rules = Field({})
    params: dict[str, Any] = Field({}, max_length=_RULES_MAX)
    params_drop: list[PlainText] = Field([], max_length=_RULES_MAX)
    rpm: int = Field(0, ge=0)
    tpm: int = Field(0, ge=0)
    concurrency: int = Field(0, ge=0)


class NewAccount(AccountChange):
    """What a new account is to be. One that signs in is made so by its `oauth` afterwards."""

    channel_id: GivenId
    name: PlainText = Field(min_length=1, max_length=64)
    base_url: PlainText = Field(min_length=1, max_length=_URL_MAX)
    secret: str = Field(min_length=1, max_length=_SECRET_MAX, repr=False)


@router.post("", status_code=201)
async def make_account(request: Request, body: NewAccount, principal: Writes) -> OneAccount:
    """Make an account of a channel."""
    services, at_ms = services_of(request), now_ms()
    async with _refusals("body.channel_id"), writing(services.engine) as connection:
        secrets, table = services.secrets, _table(body)
        edit = await save_account(connection, secrets, None, body.channel_id, table, at_ms)
        await note_edit(connection, actor_of(request, principal), edit, at_ms)
        if not body.enabled:
            await switch_account(connection, edit.id, enabled=False)
    return await shown_account(services.engine, edit.id)


@router.patch("/{account_id}")
async def change_account(
    request: Request, account_id: PathId, body: AccountChange, principal: Writes
) -> OneAccount:
    """Change an account; calls feel it in less than a second."""
    services, given, at_ms, edits = services_of(request), body.model_fields_set, now_ms(), []
    async with _refusals(), writing(services.engine) as connection:
        row = await account_row(connection, account_id)
        if given - {"enabled"}:
            edits.append(
                await save_account(
                    connection,
                    services.secrets,
                    account_id,
                    row["channel_id"],
                    {**account_table(row), **_table(body)},
                    at_ms,
                    keep=[name for name in _SEALED if name not in given],
                    refresh_token=body.refresh_token,
                )
            )
        if "enabled" in given:
            edits.append(await switch_account(connection, account_id, enabled=body.enabled))
        for edit in edits:
            await note_edit(connection, actor_of(request, principal), edit, at_ms)
        if not any(edit.after for edit in edits):
            await connection.rollback()
    return await shown_account(services.engine, account_id)


@asynccontextmanager
async def _refusals(channel: str = "") -> AsyncIterator[None]:
    try:
        yield
    except NoSuchRow:
        raise (
            invalid(channel, "There is no such channel.") if channel else not_found("such account")
        ) from None
    except FileError as error:
        raise blamed(error, {}) from None


def _table(body: AccountChange) -> dict[str, Any]:
    """Return what a request says, as the file's [[channel.account]] does; "" is left out."""
    table: dict[str, Any] = body.model_dump(exclude_unset=True, exclude=_APART)
    return {name: value for name, value in table.items() if value != ""}
