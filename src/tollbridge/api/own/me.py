"""Owns /api/user/me: who asks, and what they choose for themselves."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.api.admin.fields import Answer, Body, GivenUsd, Id, Moment, PlainText, Usd
from tollbridge.api.admin.principal import Principal, require
from tollbridge.api.admin.problems import invalid, not_found
from tollbridge.api.answers import services_of
from tollbridge.core.zones import zone_of
from tollbridge.identity.scopes import Scope
from tollbridge.people.preferences import Alerts, choose_alerts, choose_place
from tollbridge.people.user_changes import NoSuchUser
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading, working

router = APIRouter(prefix="/me", tags=["me"])

Reads = Annotated[Principal, require(Scope.OWN_READ)]
Writes = Annotated[Principal, require(Scope.OWN_WRITE)]
Language = Literal["en", "zh_Hans"]
Period = Literal["day", "week", "month"]
_ZONE_MAX = 64


class Told(Answer):
    """When letters are written: at 80 and 100 % of `budget` in each `period`, and below `low_balance`.

    Null: no budget; the site's own mark of a low balance. A low balance of 0: never.
    """

    budget: Usd | None
    period: Period | None
    low_balance: Usd | None


class Me(Answer):
    """The user who asks. `scopes` are what the token is good for now."""

    id: Id
    email: str
    role: str
    group: str
    language: str | None = Field(description="Null: the browser's.")
    zone: str | None = Field(description="An IANA name; null: UTC.")
    verified_at: Moment | None
    created_at: Moment
    has_second_factor: bool
    alerts: Told
    token_id: Id
    scopes: list[Scope]


class MeChange(Body):
    """What is to be changed; what is left out stays."""

    language: Language | None = None
    zone: PlainText | None = Field(None, max_length=_ZONE_MAX)


class WantedAlerts(Body):
    """When to write; null as in the answer. A budget and its period come together."""

    budget: GivenUsd | None = None
    period: Period | None = None
    low_balance: GivenUsd | None = None


@router.get("")
async def me(request: Request, principal: Reads) -> Me:
    """Show who asks."""
    return await _shown(services_of(request).engine, principal)


@router.patch("")
async def change_me(request: Request, body: MeChange, principal: Writes) -> Me:
    """Choose language and time zone."""
    engine = services_of(request).engine
    if body.zone is not None:
        _check_zone(body.zone)
    async with working(engine) as connection:
        row = await _row(connection, principal.user_id)
        language = body.language if "language" in body.model_fields_set else row["language"]
        zone = body.zone if "zone" in body.model_fields_set else row["zone"]
        await choose_place(connection, principal.user_id, language, zone)
    return await _shown(engine, principal)


@router.put("/alerts")
async def set_alerts(request: Request, body: WantedAlerts, principal: Writes) -> Me:
    """Say when letters about spending are to be written."""
    engine = services_of(request).engine
    try:
        alerts = Alerts(body.budget, body.period, body.low_balance)
    except ValueError as error:
        raise invalid("body", f"{error}.".capitalize()) from None
    try:
        async with working(engine) as connection:
            await choose_alerts(connection, principal.user_id, alerts)
    except NoSuchUser:
        raise not_found("such user") from None
    return await _shown(engine, principal)


def _check_zone(name: str) -> None:
    try:
        zone_of(name)
    except ValueError:
        raise invalid("body.zone", "A zone is an IANA name such as Europe/Berlin.") from None


async def _row(connection: AsyncConnection, user_id: int) -> RowMapping:
    query = select(users).where(users.c.id == user_id, users.c.deleted_ms.is_(None))
    row: RowMapping | None = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise not_found("such user")
    return row


async def _shown(engine: AsyncEngine, principal: Principal) -> Me:
    async with reading(engine) as connection:
        row = await _row(connection, principal.user_id)
    return Me(
        id=row["id"],
        email=row["email"],
        role=row["role"],
        group=row["group_name"],
        language=row["language"],
        zone=row["zone"],
        verified_at=row["verified_ms"],
        created_at=row["created_ms"],
        has_second_factor=row["totp_secret"] is not None,
        alerts=Told(
            budget=row["budget_nano"],
            period=row["budget_period"],
            low_balance=row["low_balance_nano"],
        ),
        token_id=principal.token.id,
        scopes=sorted(principal.scopes),
    )
