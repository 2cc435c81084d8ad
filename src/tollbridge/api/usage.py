"""Owns GET /v1/usage: the calls of the user whose key asks, newest first, a page at a time.

Amounts are exact decimal strings in dollars. Which calls are found is decided in
`billing.usage_page`; a key that has nothing left to spend may read. One call's arithmetic is its
receipt.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from tollbridge.api.admin.call_filters import UsageFilters
from tollbridge.api.admin.fields import TID_PATTERN
from tollbridge.api.answers import answer, services_of
from tollbridge.api.caller import Caller
from tollbridge.api.database import asking
from tollbridge.billing.receipt_fields import call_fields
from tollbridge.billing.usage_page import UnknownName, UsageLine, UsagePage, read_page
from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.money import format_usd

router = APIRouter()

LIMIT_MAX = 200
_Tid = Annotated[str, Field(pattern=TID_PATTERN)]


class UsageQuery(UsageFilters):
    """Which calls, all filters together, and which page: `next` goes into `after`, `previous` into `before`."""

    limit: int = Field(50, ge=1, le=LIMIT_MAX)
    after: _Tid | None = None
    before: _Tid | None = None


@router.api_route("/v1/usage", methods=["GET", "HEAD"])
async def usage(request: Request, asked: Annotated[UsageQuery, Query()], key: Caller) -> Response:
    """List the user's settled calls, those of all their keys unless one is named."""
    if asked.after is not None and asked.before is not None:
        raise ApiError(Kind.INVALID_REQUEST, "Give 'after' or 'before', not both.", param="before")
    async with asking(services_of(request).engine) as connection:
        try:
            page = await read_page(
                connection,
                key.user_id,
                asked.asked(),
                limit=asked.limit,
                after=asked.after,
                before=asked.before,
            )
        except UnknownName as error:
            words = f"There is no such {error.field}."
            raise ApiError(Kind.INVALID_REQUEST, words, param=error.field) from None
    return answer(page_fields(page))


def page_fields(page: UsagePage) -> dict[str, Any]:
    """Return all that a page shows, as plain values: amounts are texts, in dollars."""
    return {
        "object": "list",
        "currency": "USD",
        "data": [_line_fields(line) for line in page.lines],
        "next": page.older,
        "previous": page.newer,
    }


def _line_fields(one: UsageLine) -> dict[str, Any]:
    return {
        "object": "usage",
        **call_fields(one),
        "flags": one.flags,
        "service_tier": one.service_tier,
        "counts": one.counts,
        "charge": format_usd(one.charge),
        "reversed": format_usd(one.reversed),
        "list_cost": format_usd(one.list_cost),
        "first_token_ms": one.first_token_ms,
        "total_ms": one.total_ms,
    }
