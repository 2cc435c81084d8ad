"""Owns the billing endpoints that balance widgets ask: a limit in dollars, usage in cents, credit.

Widgets compute `hard_limit_usd - total_usage / 100` and show it as the balance, so that holds here
exactly: the limit is balance + all spending, and the usage is all spending, whatever dates are asked
for (a window would break the sum). Dates choose the days of `daily_costs` alone. Numbers carry all
their decimals. A key with a spending limit or a budget sees the smallest of the wallet's balance and
what is left of them, and the key's own spending (with a budget alone: of the period).
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.api.answers import answer, number, services_of
from tollbridge.api.caller import Caller
from tollbridge.api.database import asking
from tollbridge.billing.funds import Allowance, read_allowance
from tollbridge.billing.lots import Lot, lots_of
from tollbridge.core.clock import now_ms
from tollbridge.core.errors import ApiError, Kind
from tollbridge.identity.keys import KeyRecord
from tollbridge.storage.spending_reads import DAY_MS, Spending, spent_by_model

router = APIRouter()

DAYS_MAX: Final = 366
"""Days of `daily_costs` at most: the last ones of a longer window."""

_DAYS_USUAL: Final = 30
_CENTS = 100
_METHODS = ["GET", "HEAD"]


@router.api_route("/v1/dashboard/billing/subscription", methods=_METHODS)
@router.api_route("/dashboard/billing/subscription", methods=_METHODS)
async def subscription(request: Request, key: Caller) -> Response:
    """Show what the key could ever spend, as the account's status. `access_until` 0 is never."""
    async with asking(services_of(request).engine) as connection:
        allowance = await _allowance(connection, key)
    limit = number(allowance.granted)
    return answer(
        {
            "object": "billing_subscription",
            "has_payment_method": True,
            "canceled": False,
            "canceled_at": None,
            "delinquent": False,
            "access_until": 0 if key.expires_ms is None else key.expires_ms // 1000,
            "soft_limit_usd": limit,
            "hard_limit_usd": limit,
            "system_hard_limit_usd": limit,
            "plan": {"title": "Prepaid", "id": "prepaid"},
        }
    )


@router.api_route("/v1/dashboard/billing/usage", methods=_METHODS)
@router.api_route("/dashboard/billing/usage", methods=_METHODS)
async def usage(request: Request, key: Caller) -> Response:
    """Show all that was spent, and what each model cost on each day asked for, all in cents."""
    now = now_ms()
    days = _days(request, now)
    async with asking(services_of(request).engine) as connection:
        allowance = await _allowance(connection, key)
        own = key.id if allowance.own else None
        costs = await spent_by_model(connection, key.user_id, own, days, now)
    return answer(
        {
            "object": "list",
            "total_usage": number(allowance.spent * _CENTS),
            "daily_costs": _daily(days, costs),
        }
    )


@router.api_route("/v1/dashboard/billing/credit_grants", methods=_METHODS)
@router.api_route("/dashboard/billing/credit_grants", methods=_METHODS)
async def credit_grants(request: Request, key: Caller) -> Response:
    """Show the same as a credit that is used up, and the credits that it is made of.

    A key with a limit or a budget of its own is shown none of them: they are the wallet's.
    """
    async with asking(services_of(request).engine) as connection:
        allowance = await _allowance(connection, key)
        lots = [] if allowance.own else await lots_of(connection, key.wallet_id)
    return answer(
        {
            "object": "credit_summary",
            "total_granted": number(allowance.granted),
            "total_used": number(allowance.spent),
            "total_available": number(allowance.left),
            "grants": {"object": "list", "data": _grants(lots, allowance.left)},
        }
    )


async def _allowance(connection: AsyncConnection, key: KeyRecord) -> Allowance:
    return await read_allowance(connection, key.wallet_id, key.id, key.limit_purse_id, now_ms())


def _days(request: Request, now: int) -> range:
    """Return the starts of the days asked for, `end_date` excluded; ApiError for what is no date."""
    end = _date(request, "end_date")
    if end is None:
        end = now - now % DAY_MS + DAY_MS
    start = _date(request, "start_date")
    if start is None:
        start = end - _DAYS_USUAL * DAY_MS
    return range(max(start, end - DAYS_MAX * DAY_MS), end, DAY_MS)


def _date(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        message = f"Invalid '{name}': expected a date like 2026-01-31."
        raise ApiError(Kind.INVALID_REQUEST, message, code="invalid_value", param=name) from None
    return int(day.timestamp()) * 1000


def _daily(days: range, costs: Iterable[Spending]) -> list[dict[str, Any]]:
    lines: dict[int, list[dict[str, Any]]] = {day: [] for day in days}
    for one in costs:
        cost = number(one.amount * _CENTS)
        lines[one.day_ms].append({"name": one.model, "cost": cost})
    return [{"timestamp": day // 1000, "line_items": items} for day, items in lines.items()]


def _grants(lots: Sequence[Lot], available: int) -> list[dict[str, Any]]:
    """Show lots, oldest first. What was spent since they were last attributed is taken here too."""
    missing = sum(one.remaining for one in lots) - available
    shown = []
    for one in lots:
        taken = min(max(missing, 0), one.remaining)
        missing -= taken
        used = one.amount - one.remaining + taken
        shown.append((one.created_ms, one.id, _grant(one, used)))
    return [grant for _, _, grant in sorted(shown, key=lambda each: each[:2])]


def _grant(one: Lot, used: int) -> dict[str, Any]:
    return {
        "object": "credit_grant",
        "id": str(one.id),
        "grant_amount": number(one.amount),
        "used_amount": number(used),
        "effective_at": one.created_ms // 1000,
        "expires_at": None if one.expires_ms is None else one.expires_ms // 1000,
    }
