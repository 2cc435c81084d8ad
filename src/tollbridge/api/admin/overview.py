"""Owns GET /api/admin/overview: what the last days came to. Must not know how figures are added up."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BeforeValidator, Field

from tollbridge.api.admin.fields import (
    Answer,
    Id,
    Margin,
    Moment,
    OwnCost,
    Parameters,
    PlainText,
    Usd,
)
from tollbridge.api.admin.principal import Principal, require
from tollbridge.api.admin.problems import invalid
from tollbridge.api.answers import services_of
from tollbridge.core.clock import now_ms
from tollbridge.core.zones import zone_of
from tollbridge.identity.scopes import Scope
from tollbridge.people.office_figures import OfficeFigures, Sum, Top, read_figures
from tollbridge.storage.unit_of_work import reading

router = APIRouter(prefix="/overview", tags=["statistics"])


class Totals(Answer):
    """What some calls came to. `failed`: neither answered nor the client's fault."""

    calls: int
    failed: int
    client_faults: int
    charge: Usd
    list_cost: Usd
    own_cost: OwnCost
    margin: Margin


class ChannelTotals(Answer):
    """A channel, with what its calls were charged on each day."""

    name: str
    total: Totals
    charges: list[Usd]


class Payer(Answer):
    """A user or a model that paid most; `id` of a user."""

    id: Id | None
    name: str
    calls: int
    charge: Usd


class Overview(Answer):
    """Figures of some days, the last is today. `channels` null: too many to tell apart."""

    days: list[str]
    zone: str
    total: Totals
    channels: list[ChannelTotals] | None
    money_in: dict[str, Usd] = Field(description="By kind of journal line.")
    first_token_p50_ms: int | None
    first_token_p95_ms: int | None
    users: list[Payer]
    models: list[Payer]
    accounts: dict[str, int] = Field(description="How many accounts are in which state.")
    alerts: int
    dead_jobs: int
    complete_until: Moment


class OverviewQuery(Parameters):
    """How many days, and whose."""

    days: Annotated[Literal[1, 7, 30], BeforeValidator(lambda text: _NUMBERS.get(text, text))] = 7
    zone: PlainText = Field("UTC", max_length=64, description="An IANA name.")


_NUMBERS = {"1": 1, "7": 7, "30": 30}


@router.get("")
async def overview(
    request: Request,
    asked: Annotated[OverviewQuery, Query()],
    principal: Annotated[Principal, require(Scope.STATISTICS_READ)],
) -> Overview:
    """Show what the last days came to."""
    try:
        zone_of(asked.zone)
    except ValueError:
        raise invalid("query.zone", "A zone is an IANA name such as Europe/Berlin.") from None
    async with reading(services_of(request).engine) as connection:
        found = await read_figures(connection, asked.days, asked.zone, now_ms())
    return _shown(found, principal)


def _shown(found: OfficeFigures, principal: Principal) -> Overview:
    channels = found.channels
    return Overview(
        days=list(found.days),
        zone=found.zone,
        total=_totals(found.total, principal),
        channels=None
        if channels is None
        else [
            ChannelTotals(
                name=one.name, total=_totals(one.sum, principal), charges=list(one.charges)
            )
            for one in channels
        ],
        money_in=dict(found.money_in),
        first_token_p50_ms=found.first_token[0],
        first_token_p95_ms=found.first_token[1],
        users=[_payer(one) for one in found.users],
        models=[_payer(one) for one in found.models],
        accounts=dict(found.accounts),
        alerts=len(found.alerts),
        dead_jobs=found.dead_jobs,
        complete_until=found.complete_until_ms,
    )


def _totals(one: Sum, principal: Principal) -> Totals:
    return Totals(
        calls=one.calls,
        failed=one.failed,
        client_faults=one.client_faults,
        charge=one.charge,
        list_cost=one.list_cost,
        **principal.earnings(one.charge, one.own_cost),
    )


def _payer(one: Top) -> Payer:
    return Payer(id=one.id, name=one.name, calls=one.calls, charge=one.charge)
