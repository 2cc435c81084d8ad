"""Owns a receipt as plain values, exact and complete: what the API answers and pages offer as JSON.

Amounts are exact decimal strings in dollars. What is on a receipt is decided in `billing.receipts`.
Pure; must not know who asks.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from tollbridge.billing.pricing import MILLION, Line
from tollbridge.billing.receipts import Adjustment, Receipt
from tollbridge.billing.usage_page import UsageLine
from tollbridge.core.money import NANO, format_usd

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOW = (
    "amount = count x rate (/ 1000000 for tokens); subtotal = sum of amounts;"
    " cost = subtotal x multiplier, rounded up to nine decimals;"
    " charge = cost + sum of adjustments"
)


def call_fields(one: Receipt | UsageLine) -> dict[str, Any]:
    """Return what a receipt and a line of a list begin with: which call it was and how it ended."""
    return {
        "tid": one.tid,
        "time": time_text(one.at_ms),
        "key_id": str(one.key_id),
        "key": one.key_name,
        "model_asked": one.model_asked,
        "model_sent": one.model_sent,
        "model_answered": one.model_answered,
        "channel": one.channel,
        "surface": one.surface,
        "platform": one.platform,
        "stream": one.stream,
        "client": one.client,
        "status": one.status,
        "end_state": one.end_state,
        "error": one.error,
    }


def receipt_fields(one: Receipt) -> dict[str, Any]:
    """Return all that a receipt shows, as plain values: amounts are texts, in dollars."""
    return {
        "object": "receipt",
        **call_fields(one),
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
