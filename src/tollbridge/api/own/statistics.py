"""Owns /api/user/statistics: what one's own calls came to, without the operator's costs."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request

from tollbridge.api.admin.principal import Principal, require
from tollbridge.api.admin.statistics import (
    OwnRow,
    OwnStatisticsQuery,
    StatisticsHead,
    figures,
    head_values,
)
from tollbridge.api.statistics import row_fields
from tollbridge.billing.statistics import (
    Statistics,
)
from tollbridge.identity.scopes import Scope

router = APIRouter(prefix="/statistics", tags=["statistics"])

_GROUPS = ("key", "channel", "model", "status")


class OwnStatistics(StatisticsHead):
    """Rows in order of time and group; spans without a call have none."""

    rows: list[OwnRow]


@router.get("", response_model_exclude_unset=True)
async def show_statistics(
    request: Request,
    asked: Annotated[OwnStatisticsQuery, Query()],
    principal: Annotated[Principal, require(Scope.OWN_READ)],
) -> OwnStatistics:
    """Show what one's calls came to, by day or hour of a named time zone."""
    only = {**asked.only(), "user": principal.user_id}
    found = await figures(request, asked, only, _GROUPS)
    # Thousands of rows must not keep the calls of this process waiting.
    return await asyncio.to_thread(_shown, found)


def _shown(found: Statistics) -> OwnStatistics:
    rows = [OwnRow(**row_fields(row, found)) for row in found.rows]
    return OwnStatistics(**head_values(found), rows=rows)
