"""Owns /api/admin/channels: what users may choose, listed, shown, and switched on or off.

All else of a channel is the configuration file's. Proxies are sealed and never read here.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field
from sqlalchemy import RowMapping, Select, func, select, update

from tollbridge.api.admin.fields import Answer, Body, Id, Moment, PathId, PlainText
from tollbridge.api.admin.paging import Page, Paging, page
from tollbridge.api.admin.principal import Principal, require
from tollbridge.api.admin.problems import not_found
from tollbridge.api.answers import services_of
from tollbridge.core.money import Multiplier
from tollbridge.identity.scopes import Scope
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


class ChannelChange(Body):
    """What may be changed of a channel."""

    enabled: bool


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
    async with reading(services_of(request).engine) as connection:
        found = await connection.execute(_QUERY.where(channels.c.id == channel_id))
        return _channel(_found(found.mappings().one_or_none()))


@router.patch("/{channel_id}")
async def change_channel(
    request: Request,
    channel_id: PathId,
    body: ChannelChange,
    _principal: Annotated[Principal, require(Scope.CHANNELS_WRITE)],
) -> Channel:
    """Switch a channel on or off; calls feel it in less than a second."""
    this = channels.c.id == channel_id
    async with writing(services_of(request).engine) as connection:
        other = this & (channels.c.enabled != body.enabled)
        changed = await connection.execute(
            update(channels).where(other).values(enabled=body.enabled)
        )
        row = (await connection.execute(_QUERY.where(this))).mappings().one_or_none()
        if not changed.rowcount:
            await connection.rollback()
    return _channel(_found(row))


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
