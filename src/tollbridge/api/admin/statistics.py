"""Owns /api/admin/statistics: what all calls came to, with our own cost and margin.

Must not know how figures are added up.
"""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.api.admin.fields import Answer, GivenId, PlainText, Usd
from tollbridge.api.admin.principal import Principal, require
from tollbridge.api.admin.problems import Problem, invalid
from tollbridge.api.answers import services_of
from tollbridge.api.statistics import head_fields, row_fields
from tollbridge.billing.statistics import (
    Figures,
    Statistics,
    Unanswerable,
    question_of,
    read_statistics,
)
from tollbridge.core.clock import now_ms
from tollbridge.identity.scopes import Scope
from tollbridge.storage.unit_of_work import reading

router = APIRouter(prefix="/statistics", tags=["statistics"])

_MODEL_MAX = 256


class Named(Answer):
    """Something with an id; `name` is null when it was removed since."""

    id: str
    name: str | None


class LatencyFigures(Answer):
    """Milliseconds over so many calls; percentiles are within 1/32, null without a call."""

    calls: int
    sum: int
    p50: int | None
    p95: int | None


class StatisticsRow(Answer):
    """What the calls of a span and a group came to. Of the group only what was asked for is set."""

    start: str = Field(description="As the zone's clocks show it, with the offset.")
    seconds: int = Field(description="How long the span is: a day may have 23 or 25 hours.")
    user: Named | None = None
    key: Named | None = None
    channel: Named | None = None
    model: str | None = None
    status_class: int | None = Field(None, description="The first digit of the status; 9: none.")
    calls: int
    answered: int
    client_faults: int
    success_rate: str | None = Field(description="answered / (calls - client_faults), cut.")
    tokens: dict[str, int]
    items: dict[str, int]
    charge: str = Field(description="What users paid, less what was given back.")
    list_cost: str
    own_cost: Usd
    loss: Usd = Field(description="What nobody could be charged.")
    margin: Usd = Field(description="charge - own_cost.")
    first_token_ms: LatencyFigures
    total_ms: LatencyFigures


class StatisticsAnswer(Answer):
    """Rows in order of time and group; spans without a call have none."""

    currency: str
    by: str
    zone: str
    from_: str = Field(serialization_alias="from")
    to: str
    group: list[str]
    complete_until: str = Field(
        description="Calls that had ended and began before are all in; of later ones some may not be."
    )
    rows: list[StatisticsRow]


class StatisticsQuery(BaseModel):
    """Which figures; all filters hold together. Unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    from_: str = Field(alias="from", max_length=10, description="The first day, like 2026-03-29.")
    to: str = Field(max_length=10, description="The first day not asked for.")
    by: str = Field("day", max_length=4, description="day (at most 400) or hour (62 days).")
    zone: PlainText = Field(max_length=64, description="An IANA name: UTC, Europe/Berlin.")
    group: str = Field(
        "", max_length=64, description="Of user, key, channel, model, status, with commas."
    )
    user: GivenId | None = None
    key: GivenId | None = None
    channel: GivenId | None = None
    model: PlainText | None = Field(None, min_length=1, max_length=_MODEL_MAX)
    status_class: int | None = Field(None, ge=1, le=9)


@router.get("", response_model_exclude_unset=True)
async def show_statistics(
    request: Request,
    asked: Annotated[StatisticsQuery, Query()],
    _principal: Annotated[Principal, require(Scope.STATISTICS_READ)],
) -> StatisticsAnswer:
    """Show what calls came to, by day or hour of a named time zone."""
    try:
        question = question_of(
            first=asked.from_,
            until=asked.to,
            by=asked.by,
            zone=asked.zone,
            group=asked.group,
            only=_only(asked),
        )
        async with reading(services_of(request).engine) as connection:
            found = await read_statistics(connection, question, now_ms())
    except Unanswerable as error:
        raise refused(error, "query") from None
    # Thousands of rows must not keep the calls of this process waiting.
    return await asyncio.to_thread(_shown, found)


def _shown(found: Statistics) -> StatisticsAnswer:
    head = head_fields(found)
    return StatisticsAnswer(
        **{("from_" if name == "from" else name): value for name, value in head.items()},
        rows=[_row(row, found) for row in found.rows],
    )


def refused(error: Unanswerable, where: str) -> Problem:
    """Return the problem of a question that cannot be answered."""
    return invalid(f"{where}.{error.field}", f"{error.message[:1].upper()}{error.message[1:]}.")


def _only(asked: StatisticsQuery) -> dict[str, int | str]:
    given: dict[str, int | str | None] = {
        "user": asked.user,
        "key": asked.key,
        "channel": asked.channel,
        "model": asked.model,
        "status": asked.status_class,
    }
    return {name: value for name, value in given.items() if value is not None}


def _row(row: Figures, found: Statistics) -> StatisticsRow:
    numbers = row.numbers
    return StatisticsRow(
        **row_fields(row, found),
        own_cost=numbers["own_cost"],
        loss=numbers["loss"],
        margin=numbers["charge"] - numbers["own_cost"],
    )
