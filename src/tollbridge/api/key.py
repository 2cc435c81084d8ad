"""Owns GET /v1/key: what a key is, what it may do and what it has spent. Never the secret.

Wrapped in `data`, with the field names that clients of OpenRouter's read, and our own beside them.
Amounts are numbers of dollars with all their decimals.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.api.answers import answer, number, services_of
from tollbridge.api.caller import Caller
from tollbridge.api.database import asking
from tollbridge.billing.funds import Balance, read_balance
from tollbridge.core.clock import now_ms
from tollbridge.core.periods import period_at
from tollbridge.identity.keys import KeyRecord
from tollbridge.storage.spending_reads import spent_since

router = APIRouter()

_RESETS: Final[Mapping[str, str]] = MappingProxyType(
    {"day": "daily", "week": "weekly", "month": "monthly"}
)
_NOTHING: Final = msgspec.Raw(b"0.00")


@router.api_route("/v1/key", methods=["GET", "HEAD"])
async def show_key(request: Request, key: Caller) -> Response:
    """Show the key that asks."""
    services, now = services_of(request), now_ms()
    async with asking(services.engine) as connection:
        funds = await read_balance(connection, key.wallet_id, key.id, key.limit_purse_id, now)
        usage = await _usage(connection, key, funds, now)
    bound = services.snapshot().channels.get(key.channel_id) if key.channel_id else None
    return answer(
        {
            "data": {
                "object": "key",
                "name": key.name,
                "label": f"...{key.last6}",
                "last6": key.last6,
                "channel": "auto" if key.channel_id is None else bound.name if bound else None,
                "models": sorted(key.models) or None,
                "may_pin": key.may_pin,
                "expires_at": None if key.expires_ms is None else _time(key.expires_ms),
                "remaining": number(_remaining(funds)),
                **usage,
                **_limit(funds),
                "budget": _budget(funds),
                "rate_limits": _rates(key),
                **_foreign(key),
            }
        }
    )


async def _usage(
    connection: AsyncConnection, key: KeyRecord, funds: Balance, now: int
) -> dict[str, Any]:
    """Return what the key spent; all of it from its limit where it has one, else from roll-ups."""
    spent = {
        f"usage_{name}": number(
            await spent_since(connection, key.user_id, key.id, period_at(period, now).start_ms, now)
        )
        for period, name in _RESETS.items()
    }
    if funds.limit is None:
        every = await spent_since(connection, key.user_id, key.id, 0, now)
    else:
        every = funds.limit.spent
    return {"usage": number(every), **spent}


def _remaining(funds: Balance) -> int:
    guards = [guard.remaining for guard in (funds.limit, funds.budget) if guard is not None]
    return min(funds.balance, *guards) if guards else funds.balance


def _limit(funds: Balance) -> dict[str, Any]:
    """Return the limit; for a key with a budget alone the budget, which is a limit that resets."""
    guard: tuple[Any, Any, Any]
    if funds.limit is not None:
        guard = (number(funds.limit.limit), number(funds.limit.remaining), None)
    elif funds.budget is not None:
        budget = funds.budget
        guard = (number(budget.budget), number(budget.remaining), _RESETS[budget.period])
    else:
        guard = (None, None, None)
    return dict(zip(("limit", "limit_remaining", "limit_reset"), guard, strict=True))


def _budget(funds: Balance) -> dict[str, Any] | None:
    budget = funds.budget
    if budget is None:
        return None
    return {
        "amount": number(budget.budget),
        "period": budget.period,
        "spent": number(budget.spent),
        "remaining": number(budget.remaining),
        "resets_at": _time(budget.resets_ms),
    }


def _rates(key: KeyRecord) -> dict[str, int | None]:
    """Return the limits a minute and at a time; those of the user hold for all keys together."""
    names = ("rpm", "tpm", "concurrency", "user_rpm", "user_tpm", "user_concurrency")
    return {name: getattr(key, name) or None for name in names}


def _foreign(key: KeyRecord) -> dict[str, Any]:
    """Return what clients of others expect to be there. -1 is no limit."""
    return {
        "is_free_tier": False,
        "is_management_key": False,
        "is_provisioning_key": False,
        "include_byok_in_limit": False,
        "byok_usage": _NOTHING,
        "rate_limit": {"requests": key.rpm or -1, "interval": "1m"},
    }


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
