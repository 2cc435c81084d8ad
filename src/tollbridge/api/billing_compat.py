"""Owns the billing endpoints that balance widgets ask: a limit in dollars, usage in cents, credit.

Widgets compute `hard_limit_usd - total_usage / 100` and show it as the balance, so that holds here
exactly: the limit is balance + all spending, and the usage is all spending, whatever dates are asked
for (a window would break the sum). Numbers carry all their decimals. A key with a spending limit or
a budget sees the smallest of the wallet's balance and what is left of them, and the key's own
spending (with a budget alone: of the period).
"""

from fastapi import APIRouter, Request, Response

from tollbridge.api.answers import answer, number, services_of
from tollbridge.api.caller import Caller
from tollbridge.api.database import asking
from tollbridge.billing.funds import Allowance, read_allowance
from tollbridge.core.clock import now_ms
from tollbridge.identity.keys import KeyRecord

router = APIRouter()

_CENTS = 100
_METHODS = ["GET", "HEAD"]


@router.api_route("/v1/dashboard/billing/subscription", methods=_METHODS)
@router.api_route("/dashboard/billing/subscription", methods=_METHODS)
async def subscription(request: Request, key: Caller) -> Response:
    """Show what the key could ever spend, as the account's status. `access_until` 0 is never."""
    allowance = await _allowance(request, key)
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
    """Show all that was spent, in cents."""
    allowance = await _allowance(request, key)
    total = number(allowance.spent * _CENTS)
    return answer({"object": "list", "total_usage": total, "daily_costs": []})


@router.api_route("/v1/dashboard/billing/credit_grants", methods=_METHODS)
@router.api_route("/dashboard/billing/credit_grants", methods=_METHODS)
async def credit_grants(request: Request, key: Caller) -> Response:
    """Show the same as a credit that is used up. What it came from is on no list here."""
    allowance = await _allowance(request, key)
    return answer(
        {
            "object": "credit_summary",
            "total_granted": number(allowance.granted),
            "total_used": number(allowance.spent),
            "total_available": number(allowance.left),
            "grants": {"object": "list", "data": []},
        }
    )


async def _allowance(request: Request, key: KeyRecord) -> Allowance:
    async with asking(services_of(request).engine) as connection:
        return await read_allowance(connection, key.wallet_id, key.id, key.limit_purse_id, now_ms())
