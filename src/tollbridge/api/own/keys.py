"""Owns /api/user/keys: one's own keys, listed, made, changed, rotated and deleted.

A secret is in the answer that made it and nowhere else. Must not know what is wrong with a wish.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.api.admin.fields import (
    Answer,
    Body,
    GivenId,
    GivenMoment,
    GivenUsd,
    Id,
    Moment,
    PathId,
    PlainText,
    Usd,
)
from tollbridge.api.admin.idempotency import MayName, once
from tollbridge.api.admin.paging import Page, Paging, page
from tollbridge.api.admin.principal import Principal, require
from tollbridge.api.admin.problems import invalid_all, not_found
from tollbridge.api.answers import services_of
from tollbridge.api.own.services import knock
from tollbridge.catalog.limit_fields import CONCURRENCY_MAX, RPM_MAX, TPM_MAX
from tollbridge.core.clock import now_ms
from tollbridge.identity.scopes import Scope
from tollbridge.people.key_totals import KeyTotals, read_totals
from tollbridge.people.key_wish import IPS_MAX, MODELS_MAX, NAME_MAX, KeyRefused, KeyWish
from tollbridge.people.keys import (
    MINTING,
    KeyGone,
    OwnKey,
    State,
    budget_spent,
    change_own_key,
    create_key,
    delete_key,
    find_key,
    list_keys,
    rotate_key,
    switch_key,
)
from tollbridge.storage.unit_of_work import reading, writing

router = APIRouter(prefix="/keys", tags=["keys"])

Reads = Annotated[Principal, require(Scope.OWN_READ)]
Writes = Annotated[Principal, require(Scope.OWN_WRITE)]
"""The same door as the console's: making secrets is counted wherever it is done."""

_TOO_MANY: Final[dict[int | str, dict[str, Any]]] = {429: {"description": "Tried too often."}}
_Name = Annotated[PlainText, Field(min_length=1, max_length=NAME_MAX)]
_Rpm = Annotated[int, Field(ge=0, le=RPM_MAX, description="0: no limit of the key's own.")]
_Tpm = Annotated[int, Field(ge=0, le=TPM_MAX, description="0: no limit of the key's own.")]
_AtOnce = Annotated[int, Field(ge=0, le=CONCURRENCY_MAX, description="0: no limit.")]
# Fields of a wish whose names here are others.
_HERE: Final = {"channel": "channel_id", "expires": "expires_at", "grace": "grace_s"}


class Key(Answer):
    """A key. A null channel is auto; null and 0 are no limit; `calls` and `charge` are of 30 days."""

    id: Id
    name: str
    last6: str
    state: State
    enabled: bool
    channel_id: Id | None
    limit: Usd | None
    spent: Usd | None = Field(description="Of the limit, running calls not counted.")
    budget: Usd | None
    budget_period: str | None
    expires_at: Moment | None
    ips: list[str]
    models: list[str]
    rpm: int
    tpm: int
    concurrency: int
    created_at: Moment
    old_last6: str | None = Field(description="Of the secret before, while it is still taken.")
    old_until: Moment | None
    calls: int
    charge: Usd
    last_call_at: Moment | None


class OneKey(Key):
    """One key, with what of its budget is spent in the period that runs."""

    budget_spent: Usd | None


class SecretKey(OneKey):
    """A key with its secret, shown this once."""

    secret: str


class NewKey(Body):
    """What a new key is to be."""

    name: _Name
    channel_id: GivenId | None = Field(None, description="Null: auto.")
    limit: GivenUsd | None = None
    budget: GivenUsd | None = None
    budget_period: Literal["day", "week", "month"] | None = None
    expires_at: GivenMoment | None = None
    ips: list[PlainText] = Field([], max_length=IPS_MAX, description="Empty: from anywhere.")
    models: list[PlainText] = Field([], max_length=MODELS_MAX, description="Empty: all.")
    rpm: _Rpm = 0
    tpm: _Tpm = 0
    concurrency: _AtOnce = 0


class KeyChange(NewKey):
    """What is to be changed; what is left out stays."""

    name: _Name = "unchanged"
    enabled: bool = True


class Rotation(Body):
    """For how many seconds the old secret is still taken."""

    grace_s: Literal[0, 3_600, 86_400, 604_800] = 0


@router.get("")
async def keys(request: Request, asked: Annotated[Paging, Query()], principal: Reads) -> Page[Key]:
    """List keys, the newest first."""
    at_ms, after = now_ms(), asked.after_id()
    async with reading(services_of(request).engine) as connection:
        found = await list_keys(connection, principal.user_id)
        totals = await read_totals(connection, principal.user_id, at_ms)
    rows = [one for one in found if after is None or one.id < after]
    shown = [Key(**_fields(one, totals.get(one.id, KeyTotals()), at_ms)) for one in rows]
    return page(request, asked, shown)


@router.get("/{key_id}")
async def show_key(request: Request, key_id: PathId, principal: Reads) -> OneKey:
    """Show one key."""
    async with reading(services_of(request).engine) as connection, _refusals():
        return OneKey(**await _one(connection, principal.user_id, key_id))


@router.post("", status_code=201, response_model=SecretKey, responses=_TOO_MANY)
async def make_key(
    request: Request, body: NewKey, principal: Writes, name: MayName = None
) -> Response:
    """Make a key. The answer is the only one that shows its secret."""
    services = services_of(request)
    await knock(request, MINTING, str(principal.user_id))

    async def work(connection: AsyncConnection) -> SecretKey:
        user_id, wish = principal.user_id, KeyWish(**_wished(body, set(NewKey.model_fields)))
        key_id, secret = await create_key(
            connection, services.secrets, services.snapshot(), user_id, wish, now_ms()
        )
        return SecretKey(**await _one(connection, user_id, key_id), secret=secret)

    async with _refusals():
        return await once(
            request, principal, name, body, writing, work, status=201, shown_once=True
        )


@router.patch("/{key_id}")
async def change(request: Request, key_id: PathId, body: KeyChange, principal: Writes) -> OneKey:
    """Change a key, or let it be used or not; calls feel it in less than a second."""
    services, user_id, given = services_of(request), principal.user_id, body.model_fields_set
    async with _refusals(), writing(services.engine) as connection:
        wished = _wished(body, given - {"enabled"})
        if wished:
            wish = replace((await find_key(connection, user_id, key_id)).wish, **wished)
            snapshot = services.snapshot()
            await change_own_key(connection, snapshot, user_id, key_id, wish, now_ms())
        if "enabled" in given:
            await switch_key(connection, user_id, key_id, enabled=body.enabled)
        return OneKey(**await _one(connection, user_id, key_id))


@router.post("/{key_id}/rotate", responses=_TOO_MANY)
async def rotate(request: Request, key_id: PathId, body: Rotation, principal: Writes) -> SecretKey:
    """Give a key another secret, and show it this once."""
    services, user_id = services_of(request), principal.user_id
    await knock(request, MINTING, str(user_id))
    async with _refusals(), writing(services.engine) as connection:
        secret = await rotate_key(
            connection, services.secrets, user_id, key_id, body.grace_s, now_ms()
        )
        return SecretKey(**await _one(connection, user_id, key_id), secret=secret)


@router.delete("/{key_id}", status_code=204)
async def delete(request: Request, key_id: PathId, principal: Writes) -> None:
    """Delete a key for ever."""
    async with _refusals(), writing(services_of(request).engine) as connection:
        await delete_key(connection, principal.user_id, key_id, now_ms())


@asynccontextmanager
async def _refusals() -> AsyncIterator[None]:
    """Say as problems what the use cases refuse."""
    try:
        yield
    except KeyGone:
        raise not_found("such key") from None
    except KeyRefused as refused:
        named = {_HERE.get(name, name): text for name, text in refused.faults.items()}
        raise invalid_all({f"body.{name}": text for name, text in named.items()}) from None


def _wished(body: NewKey, names: set[str]) -> dict[str, Any]:
    """Return these fields of a request as fields of a wish."""
    wished = {name: getattr(body, name) for name in names}
    if "expires_at" in wished:
        wished["expires_ms"] = wished.pop("expires_at")
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in wished.items()
    }


async def _one(connection: AsyncConnection, user_id: int, key_id: int) -> dict[str, Any]:
    at_ms = now_ms()
    key = await find_key(connection, user_id, key_id)
    totals = await read_totals(connection, user_id, at_ms, key_id)
    spent = await budget_spent(connection, key, at_ms)
    fields = _fields(key, totals.get(key_id, KeyTotals()), at_ms)
    return {**fields, "budget_spent": None if key.wish.budget is None else spent}


def _fields(key: OwnKey, totals: KeyTotals, at_ms: int) -> dict[str, Any]:
    wish = asdict(key.wish)
    grace = key.old_until_ms is not None and key.old_until_ms > at_ms
    return {
        **wish,
        "ips": list(key.wish.ips),
        "models": list(key.wish.models),
        "expires_at": wish.pop("expires_ms"),
        "id": key.id,
        "last6": key.last6,
        "state": key.state(at_ms),
        "enabled": key.enabled,
        "spent": None if key.wish.limit is None else key.spent,
        "created_at": key.created_ms,
        "old_last6": key.old_last6 if grace else None,
        "old_until": key.old_until_ms if grace else None,
        "calls": totals.calls,
        "charge": totals.charge,
        "last_call_at": totals.last_ms,
    }
