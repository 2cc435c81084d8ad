"""Owns /api/admin/statistics: what all calls came to, with our own cost and margin.

Must not know how figures are added up.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field

from tollbridge.api.admin.fields import Answer, GivenId, Margin, OwnCost, Parameters, PlainText, Usd
from tollbridge.api.admin.principal import Principal, require
from tollbridge.api.admin.problems import Problem, invalid
from tollbridge.api.answers import services_of
from tollbridge.api.statistics import head_fields, row_fields
from tollbridge.billing.statistics import (
    GROUPS,
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


class OwnRow(Answer):
    """What the calls of a span and a group came to. Of the group only what was asked for is set."""

    start: str = Field(description="As the zone's clocks show it, with the offset.")
    seconds: int = Field(description="How long the span is: a day may have 23 or 25 hours.")
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
    first_token_ms: LatencyFigures
    total_ms: LatencyFigures


class StatisticsRow(OwnRow):
    """The same as operators see it."""

    user: Named | None = None
    own_cost: OwnCost
    loss: Usd = Field(description="What nobody could be charged.")
    margin: Margin


class StatisticsHead(Answer):
    """What an answer says of all its rows."""

    currency: str
    by: str
    zone: str
    from_: str = Field(serialization_alias="from")
    to: str
    group: list[str]
    complete_until: str = Field(
        description="Calls that had ended and began before are all in; of later ones some may not be."
    )


class StatisticsAnswer(StatisticsHead):
    """Rows in order of time and group; spans without a call have none."""

    rows: list[StatisticsRow]


class OwnStatisticsQuery(Parameters):
    """Which figures; all filters hold together. Unknown parameters are refused."""

    from_: str = Field(alias="from", max_length=10, description="The first day, like 2026-03-29.")
    to: str = Field(max_length=10, description="The first day not asked for.")
    by: str = Field("day", max_length=4, description="day (at most 400) or hour (62 days).")
    zone: PlainText = Field(max_length=64, description="An IANA name: UTC, Europe/Berlin.")
    group: str = Field(
        "", max_length=64, description="Of key, channel, model, status, with commas."
    )
    key: GivenId | None = None
    channel: GivenId | None = None
    model: PlainText | None = Field(None, min_length=1, max_length=_MODEL_MAX)
    status_class: int | None = Field(None, ge=1, le=9)

    def only(self) -> dict[str, int | str]:
        """Return the filters that are set, by what they are of."""
        given = (("user", "user"), ("key", "key"), ("channel", "channel"), ("model", "model"))
        named = (
            (of, getattr(self, name, None)) for of, name in (*given, ("status", "status_class"))
        )
        return {of: value for of, value in named if value is not None}


class StatisticsQuery(OwnStatisticsQuery):
    """The same over all users."""

    group: str = Field(
        "", max_length=64, description="Of user, key, channel, model, status, with commas."
    )
    user: GivenId | None = None


@router.get("", response_model_exclude_unset=True)
async def show_statistics(
    request: Request,
    asked: Annotated[StatisticsQuery, Query()],
    principal: Annotated[Principal, require(Scope.STATISTICS_READ)],
) -> StatisticsAnswer:
    """Show what calls came to, by day or hour of a named time zone."""
    found = await figures(request, asked, asked.only())
    # Thousands of rows must not keep the calls of this process waiting.
    return await asyncio.to_thread(_shown, found, principal)


async def figures(
    request: Request,
    asked: OwnStatisticsQuery,
    only: Mapping[str, int | str],
    groups: Sequence[str] = tuple(GROUPS),
) -> Statistics:
    """Return what calls came to of which `only` is true, grouped by no others than `groups`; Problem."""
    try:
        question = question_of(
            first=asked.from_,
            until=asked.to,
            by=asked.by,
            zone=asked.zone,
            group=asked.group,
            only=only,
            groups=groups,
        )
        async with reading(services_of(request).engine) as connection:
            return await read_statistics(connection, question, now_ms())
    except Unanswerable as error:
        raise refused(error, "query") from None


def _shown(found: Statistics, principal: Principal) -> StatisticsAnswer:
    rows = [_row(row, found, principal) for row in found.rows]
    return StatisticsAnswer(**head_values(found), rows=rows)


def head_values(found: Statistics) -> dict[str, Any]:
    """Return the fields of StatisticsHead."""
    head = head_fields(found)
    return {("from_" if name == "from" else name): value for name, value in head.items()}


def refused(error: Unanswerable, where: str) -> Problem:
    """Return the problem of a question that cannot be answered."""
    return invalid(f"{where}.{error.field}", f"{error.message[:1].upper()}{error.message[1:]}.")


def _row(row: Figures, found: Statistics, principal: Principal) -> StatisticsRow:
    numbers = row.numbers
    return StatisticsRow(
        **row_fields(row, found),
        loss=numbers["loss"],
        **principal.earnings(numbers["charge"], numbers["own_cost"]),
    )
