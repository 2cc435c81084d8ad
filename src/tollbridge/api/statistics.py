"""Owns GET /v1/statistics: what a user's own calls came to, by day or hour of a named time zone.

What calls cost us is not in it. Amounts are exact decimal strings in dollars, counts are integers.
"""

import asyncio
import re
from typing import Any

from fastapi import APIRouter, Request, Response

from tollbridge.api.answers import answer, services_of
from tollbridge.api.caller import Caller
from tollbridge.api.database import asking
from tollbridge.billing.receipt_fields import time_text
from tollbridge.billing.statistics import (
    Figures,
    Latency,
    Question,
    Statistics,
    Unanswerable,
    question_of,
    read_statistics,
)
from tollbridge.core.clock import now_ms
from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.money import format_usd
from tollbridge.protocols.usage import TOKEN_BUCKETS

router = APIRouter()

_GROUPS = ("key", "channel", "model", "status")
_RATE_DECIMALS = 4
_ID = re.compile(r"[0-9]{1,18}", re.ASCII)
_MODEL_MAX = 256
# `key` is a credential in addresses of one family of clients.
_FILTERS = {"key_id": "key", "channel_id": "channel", "model": "model", "status_class": "status"}
_PARAMETERS = frozenset({"from", "to", "by", "zone", "group", "key"} | _FILTERS.keys())


@router.api_route("/v1/statistics", methods=["GET", "HEAD"])
async def statistics(request: Request, key: Caller) -> Response:
    """Show what the user's calls came to; a key with nothing left to spend may ask."""
    now = now_ms()
    try:
        question = _question(request, key.user_id)
        async with asking(services_of(request).engine) as connection:
            found = await read_statistics(connection, question, now)
    except Unanswerable as error:
        raise refused(error) from None
    # Thousands of rows must not keep the calls of this process waiting.
    return answer(await asyncio.to_thread(_content, found))


def _content(found: Statistics) -> dict[str, Any]:
    return {
        "object": "statistics",
        **head_fields(found),
        "rows": [row_fields(row, found) for row in found.rows],
    }


def refused(error: Unanswerable) -> ApiError:
    """Return the error of a question that cannot be answered."""
    return ApiError(Kind.INVALID_REQUEST, f"{error.field}: {error.message}.", param=error.field)


def _question(request: Request, user_id: int) -> Question:
    asked = request.query_params
    strange = asked.keys() - _PARAMETERS
    if strange:
        known = ", ".join(sorted(_PARAMETERS - {"key"}))
        raise Unanswerable("query", f"there are no other parameters than {known}")
    only: dict[str, int | str] = {"user": user_id}
    for name, group in _FILTERS.items():
        if name in asked:
            only[group] = _model(asked[name]) if name == "model" else _number(name, asked[name])
    return question_of(
        first=asked.get("from", ""),
        until=asked.get("to", ""),
        by=asked.get("by", "day"),
        zone=asked.get("zone", ""),
        group=asked.get("group", ""),
        only=only,
        groups=_GROUPS,
    )


def _number(name: str, text: str) -> int:
    if not _ID.fullmatch(text):
        raise Unanswerable(name, "must be a number")
    return int(text)


def _model(text: str) -> str:
    if not text.isprintable() or not 0 < len(text) <= _MODEL_MAX:
        raise Unanswerable("model", "must be the name of a model")
    return text


def head_fields(found: Statistics) -> dict[str, Any]:
    """Return what an answer says of all its rows."""
    question = found.question
    return {
        "currency": "USD",
        "by": question.by,
        "zone": question.zone,
        "from": question.first.isoformat(),
        "to": question.until.isoformat(),
        "group": list(question.group),
        "complete_until": time_text(found.complete_until_ms),
    }


def row_fields(row: Figures, found: Statistics) -> dict[str, Any]:
    """Return what a user may see of a row: amounts are texts, in dollars."""
    numbers = row.numbers
    return {
        "start": row.span.text(),
        "seconds": (row.span.end_ms - row.span.start_ms) // 1000,
        **_group(row, found),
        "calls": numbers["calls"],
        "answered": numbers["answered"],
        "client_faults": numbers["client_faults"],
        "success_rate": rate_text(numbers["answered"], row.counted),
        "tokens": {name: numbers[name] for name in (*TOKEN_BUCKETS, "reasoning")},
        "items": row.items,
        "charge": format_usd(numbers["charge"]),
        "list_cost": format_usd(numbers["list_cost"]),
        "first_token_ms": _latency(row.first_token),
        "total_ms": _latency(row.total),
    }


def rate_text(part: int, whole: int) -> str | None:
    """Return part / whole with four decimals, rounded down; None when there is no whole."""
    if not whole:
        return None
    scale = 10**_RATE_DECIMALS
    above, below = divmod(part * scale // whole, scale)
    return f"{above}.{below:0{_RATE_DECIMALS}d}"


def _group(row: Figures, found: Statistics) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in row.group.items():
        if name in found.names:
            shown[name] = {"id": str(value), "name": found.names[name].get(value)}
        else:
            shown["status_class" if name == "status" else name] = value
    return shown


def _latency(latency: Latency) -> dict[str, int | None]:
    return {
        "calls": latency.calls,
        "sum": latency.sum_ms,
        "p50": latency.p50_ms,
        "p95": latency.p95_ms,
    }
