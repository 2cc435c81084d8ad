"""Owns GET /v1/balance: the wallet in exact decimal strings, as the key that asks sees it."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from tollbridge.api.answers import answer, services_of
from tollbridge.api.caller import Caller
from tollbridge.api.database import asking
from tollbridge.billing.funds import KeyBudget, KeyLimit, read_balance
from tollbridge.core.clock import now_ms
from tollbridge.core.money import format_usd

router = APIRouter()


@router.api_route("/v1/balance", methods=["GET", "HEAD"])
async def balance(request: Request, key: Caller) -> Response:
    """Show what is not yet charged, what running calls hold of it, and the key's limit and budget."""
    async with asking(services_of(request).engine) as connection:
        now = await read_balance(connection, key.wallet_id, key.id, key.limit_purse_id, now_ms())
    return answer(
        {
            "object": "balance",
            "currency": "USD",
            "balance": format_usd(now.balance),
            "reserved": format_usd(now.reserved),
            **(_limit(now.limit) if now.limit else {}),
            **(_budget(now.budget) if now.budget else {}),
        }
    )


def _limit(limit: KeyLimit) -> dict[str, str]:
    return {
        "key_limit": format_usd(limit.limit),
        "key_remaining": format_usd(limit.remaining),
        "key_reserved": format_usd(limit.reserved),
    }


def _budget(budget: KeyBudget) -> dict[str, str]:
    resets_at = datetime.fromtimestamp(budget.resets_ms // 1000, UTC)
    return {
        "key_budget": format_usd(budget.budget),
        "key_budget_period": budget.period,
        "key_budget_remaining": format_usd(budget.remaining),
        "key_budget_reserved": format_usd(budget.reserved),
        "key_budget_resets_at": f"{resets_at:%Y-%m-%dT%H:%M:%SZ}",
    }
