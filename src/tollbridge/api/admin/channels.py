"""Owns /api/admin/channels: what users may choose, listed, shown, made, changed and switched.

What is wrong with a channel is the configuration file's reader to say, so that file and API take the
same. Proxies are sealed and never read here.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field
from sqlalchemy import RowMapping, Select, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.api.admin.editing import blamed
from tollbridge.api.admin.fields import Answer, Body, Id, Moment, PathId, PlainText
from tollbridge.api.admin.paging import Page, Paging, page
from tollbridge.api.admin.principal import Principal, actor_of, require
from tollbridge.api.admin.problems import conflict, not_found
from tollbridge.api.answers import services_of
from tollbridge.catalog.channel_editing import (
    NeedsClearing,
    channel_row,
    channel_table,
    save_channel,
    switch_channel,
)
from tollbridge.catalog.edits import NoSuchRow
from tollbridge.catalog.fields import FileError
from tollbridge.core.clock import now_ms
from tollbridge.core.money import Multiplier
from tollbridge.identity.scopes import Scope
from tollbridge.people.edits import note_edit
from tollbridge.storage.rows import names_from_json, texts_from_json
from tollbridge.storage.tables import accounts, channels
from tollbridge.storage.unit_of_work import reading, writing

router = APIRouter(prefix="/channels", tags=["channels"])

_PLAIN = (
    "id", "name", "platform", "client_policy", "rpm", "tpm", "concurrency", "enabled",
    "requires_telegram",
)  # fmt: skip
_LISTS = ("surfaces", "models", "capabilities", "groups")
_NUMBERS = ("multiplier_num", "multiplier_den", "mapping", "created_ms")


Writes = Annotated[Principal, require(Scope.CHANNELS_WRITE)]
_LIST_MAX, _MAPPING_MAX = 1_000, 1_000
_Texts = Annotated[
    list[Annotated[PlainText, Field(min_length=1, max_length=256)]], Field(max_length=_LIST_MAX)
]


class Channel(Answer):
    """A channel. Limits of 0 are none."""

    id: Id
    name: str
    platform: str
    surfaces: list[str]
    models: list[str]
    mapping: dict[str, str]
    multiplier: str = Field(description="An exact decimal.")
    capabilities: list[str]
    client_policy: str
    groups: list[str]
    requires_telegram: bool
    has_proxy: bool
    rpm: int
    tpm: int
    concurrency: int
    enabled: bool
    accounts: int = Field(description="How many accounts it has, switched off or not.")
    created_at: Moment


class ChannelQuery(Paging):
    """Which channels."""

    name: PlainText | None = Field(None, max_length=64, description="A part of the name.")
    platform: Literal["openai", "anthropic", "gemini"] | None = None
    enabled: bool | None = None


class PeakHours(Body):
    """Hours of the day with a factor of their own; an end before the beginning is on the next day."""

    from_: str = Field(alias="from", max_length=5, description="Like 08:00.")
    to: str = Field(max_length=5)
    zone: PlainText = Field(max_length=64, description="An IANA name.")
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field([], max_length=7)
    factor: str = Field(max_length=32, description="An exact decimal.")


class ChannelChange(Body):
    """What is to be changed of a channel; what is left out stays. Lists may hold "*" for all."""

    enabled: bool = True
    name: PlainText = Field("", min_length=1, max_length=64)
    surfaces: _Texts = Field([])
    models: _Texts = Field([])
    mapping: dict[str, PlainText] = Field({}, max_length=_MAPPING_MAX)
    multiplier: str = Field("1.0", max_length=32, description="An exact decimal, 1 to 100 at most.")
    capabilities: _Texts = Field([])
    client_policy: PlainText = Field("any", max_length=32)
    groups: _Texts = Field([])
    requires_telegram: bool = False
    proxy: str = Field("", max_length=2_048, repr=False, description='Never shown again; "": none.')
    peak: PeakHours | None = None
    rpm: int = Field(0, ge=0)
    tpm: int = Field(0, ge=0)
    concurrency: int = Field(0, ge=0)
    clear_secrets: bool = Field(
        default=False,
        description="Agree that another proxy takes away the secrets of accounts that use it.",
    )


class NewChannel(ChannelChange):
    """What a new channel is to be. Accounts are made afterwards."""

    name: PlainText = Field(min_length=1, max_length=64)
    platform: Literal["openai", "anthropic", "gemini"]


@router.get("")
async def list_channels(
    request: Request,
    asked: Annotated[ChannelQuery, Query()],
    _principal: Annotated[Principal, require(Scope.CHANNELS_READ)],
) -> Page[Channel]:
    """List channels in the order in which they were made."""
    query = _narrowed(asked).order_by(channels.c.id).limit(asked.limit + 1)
    async with reading(services_of(request).engine) as connection:
        rows = (await connection.execute(query)).mappings().all()
    return page(request, asked, [_channel(row) for row in rows])


@router.get("/{channel_id}")
async def show_channel(
    request: Request,
    channel_id: PathId,
    _principal: Annotated[Principal, require(Scope.CHANNELS_READ)],
) -> Channel:
    """Show one channel."""
    return await _shown(services_of(request).engine, channel_id)


@router.post("", status_code=201)
async def make_channel(request: Request, body: NewChannel, principal: Writes) -> Channel:
    """Make a channel."""
    services, actor, at_ms = services_of(request), actor_of(request, principal), now_ms()
    async with _refusals(), writing(services.engine) as connection:
        table = {"platform": body.platform, **_table(body)}
        edit = await save_channel(connection, services.secrets, None, table, at_ms)
        await note_edit(connection, actor, edit, at_ms)
        if not body.enabled:
            await switch_channel(connection, edit.id, enabled=False)
    return await _shown(services.engine, edit.id)


@router.patch("/{channel_id}")
async def change_channel(
    request: Request, channel_id: PathId, body: ChannelChange, principal: Writes
) -> Channel:
    """Change a channel, or switch it on or off; calls feel it in less than a second."""
    services, actor, given = (
        services_of(request),
        actor_of(request, principal),
        body.model_fields_set,
    )
    at_ms, edits = now_ms(), []
    async with _refusals(), writing(services.engine) as connection:
        row = await channel_row(connection, channel_id)
        if given - {"enabled", "clear_secrets"}:
            edits.append(
                await save_channel(
                    connection,
                    services.secrets,
                    channel_id,
                    _without_none({**channel_table(row), **_table(body)}),
                    at_ms,
                    keep=() if "proxy" in given else ("proxy",),
                    clear=body.clear_secrets,
                )
            )
        if "enabled" in given:
            edits.append(await switch_channel(connection, channel_id, enabled=body.enabled))
        for edit in edits:
            await note_edit(connection, actor, edit, at_ms)
        if not any(edit.after for edit in edits):
            await connection.rollback()
    return await _shown(services.engine, channel_id)


@asynccontextmanager
async def _refusals() -> AsyncIterator[None]:
    try:
        yield
    except NoSuchRow:
        raise not_found("such channel") from None
    except FileError as error:
        raise blamed(error, {}) from None
    except NeedsClearing as error:
        raise conflict(
            f"{error.accounts} accounts send their secrets through this proxy; agree to take them away"
            " by clear_secrets."
        ) from None


def _table(body: ChannelChange) -> dict[str, Any]:
    """Return what a request says, as the file's [[channel]] does."""
    apart = {"enabled", "clear_secrets", "platform"}
    table: dict[str, Any] = body.model_dump(exclude_unset=True, exclude=apart, by_alias=True)
    if not table.get("proxy"):
        table.pop("proxy", None)
    return table


def _without_none(table: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is null: a null peak is none."""
    return {name: value for name, value in table.items() if value is not None}


async def _shown(engine: AsyncEngine, channel_id: int) -> Channel:
    async with reading(engine) as connection:
        found = await connection.execute(_QUERY.where(channels.c.id == channel_id))
        return _channel(_found(found.mappings().one_or_none()))


def _narrowed(asked: ChannelQuery) -> Select[tuple[Any, ...]]:
    query = _QUERY
    after = asked.after_id()
    if after is not None:
        query = query.where(channels.c.id > after)
    if asked.name is not None:
        part = func.lower(channels.c.name).contains(asked.name.lower(), autoescape=True)
        query = query.where(part)
    if asked.platform is not None:
        query = query.where(channels.c.platform == asked.platform)
    if asked.enabled is not None:
        query = query.where(channels.c.enabled == asked.enabled)
    return query


def _found(row: RowMapping | None) -> RowMapping:
    if row is None:
        raise not_found("such channel")
    return row


_QUERY: Select[tuple[Any, ...]] = select(
    *(channels.c[name] for name in (*_PLAIN, *_LISTS, *_NUMBERS)),
    (channels.c.proxy != "").label("has_proxy"),
    select(func.count())
    .where(accounts.c.channel_id == channels.c.id)
    .scalar_subquery()
    .label("accounts"),
)


def _channel(row: RowMapping) -> Channel:
    lists: dict[str, Any] = {name: list(names_from_json(row[name])) for name in _LISTS}
    return Channel(
        **{name: row[name] for name in _PLAIN},
        **lists,
        mapping=texts_from_json(row["mapping"]),
        multiplier=Multiplier(row["multiplier_num"], row["multiplier_den"]).text(),
        has_proxy=row["has_proxy"],
        accounts=row["accounts"],
        created_at=row["created_ms"],
    )
