"""Owns GET /v1/receipts/{tid}: the arithmetic of one call, shown to its owner alone.

Amounts are exact decimal strings in dollars. What is on a receipt is decided in `billing.receipts`.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from tollbridge.api.answers import answer, services_of
from tollbridge.api.caller import Caller
from tollbridge.api.database import asking
from tollbridge.billing.pricing import MILLION, Line
from tollbridge.billing.receipts import Adjustment, Receipt, StillRunning, read_receipt
from tollbridge.core.clock import tid_ms
from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.money import NANO, format_usd
from tollbridge.storage.usage_floor import usage_floor_ms

router = APIRouter()

_TID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOW = (
    "amount = count x rate (/ 1000000 for tokens); subtotal = sum of amounts;"
    " cost = subtotal x multiplier, rounded up to nine decimals;"
    " charge = cost + sum of adjustments"
)


@router.api_route("/v1/receipts/{tid}", methods=["GET", "HEAD"])
async def receipt(request: Request, tid: str, key: Caller) -> Response:
    """Show the receipt of a settled call; not_found for any other, and for other users' calls."""
    if not _TID.fullmatch(tid):
        raise _missing("There is no such receipt; a trace id has 32 hexadecimal digits.")
    async with asking(services_of(request).engine) as connection:
        try:
            found = await read_receipt(connection, tid, key.user_id, key.wallet_id)
        except StillRunning:
            raise _missing(f"The call {tid} is not settled yet; ask again when it ended.") from None
        kept_ms = 0 if found else await usage_floor_ms(connection)
    if found is None:
        gone = f"; calls before {time_text(kept_ms)} are not kept any more"
        raise _missing(f"There is no receipt {tid}{gone if tid_ms(tid) < kept_ms else ''}.")
    return answer(receipt_fields(found))


def _missing(message: str) -> ApiError:
    return ApiError(Kind.NOT_FOUND, message)


def receipt_fields(one: Receipt) -> dict[str, Any]:
    """Return all that a receipt shows, as plain values: amounts are texts, in dollars."""
    return {
        "object": "receipt",
        "tid": one.tid,
        "time": time_text(one.at_ms),
        "key": one.key_name,
        "model_asked": one.model_asked,
        "model_sent": one.model_sent,
        "model_answered": one.model_answered,
        "channel": one.channel,
        "surface": one.surface,
        "stream": one.stream,
        "status": one.status,
        "end_state": one.end_state,
        "error": one.error,
        "why": one.why,
        "flags": one.flags,
        "counts": one.counts,
        "currency": "USD",
        "lines": [_line(line) for line in one.lines],
        "tier_above_tokens": one.tier_above,
        "service_tier": one.service_tier,
        "subtotal": parts_text(one.subtotal_parts),
        "multiplier": one.multiplier.text(),
        "multipliers": [{"of": name, "factor": part.text()} for name, part in one.factors],
        "cost": format_usd(one.cost),
        "adjustments": [
            {"item": _item(each), "amount": format_usd(each.amount), "reason": each.reason}
            for each in one.adjustments
        ],
        "charge": format_usd(one.charge),
        "given_back": format_usd(one.given_back),
        "list_cost": format_usd(one.list_cost),
        "how": _HOW,
        "first_token_ms": one.first_token_ms,
        "total_ms": one.total_ms,
    }  # fmt: skip


def _item(adjustment: Adjustment) -> str:
    if adjustment.given_back:
        return "given_back"
    return "not_charged" if adjustment.amount < 0 else "charged_besides"


def _line(line: Line) -> dict[str, Any]:
    return {
        "item": line.item,
        "count": line.count,
        "unit": line.unit,
        "rate": format_usd(line.rate),
        "amount": parts_text(line.parts),
    }


def parts_text(parts: int) -> str:
    """Return millionths of nano-dollars as an exact decimal string in dollars."""
    whole, rest = divmod(parts, NANO * MILLION)
    return f"{whole}.{f'{rest:015d}'.rstrip('0').ljust(2, '0')}"


def time_text(at_ms: int) -> str:
    """Return milliseconds since 1970 as ISO 8601 in UTC."""
    moment = _EPOCH + timedelta(milliseconds=at_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
