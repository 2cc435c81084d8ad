"""Owns GET /v1/receipts/{tid}: the arithmetic of one call, shown to its owner alone.

Amounts are exact decimal strings in dollars. What is on a receipt is decided in `billing.receipts`.
"""

import re

from fastapi import APIRouter, Request, Response

from tollbridge.api.answers import answer, services_of
from tollbridge.api.caller import Caller
from tollbridge.api.database import asking
from tollbridge.billing.receipt_fields import receipt_fields, time_text
from tollbridge.billing.receipts import StillRunning, read_receipt
from tollbridge.core.clock import now_ms, tid_ms
from tollbridge.core.errors import ApiError, Kind
from tollbridge.storage.usage_floor import usage_floor_ms

router = APIRouter()

_FRESH_MS = 10_000
_TID = re.compile(r"[0-9a-f]{32}", re.ASCII)


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
        raise _missing(f"There is no receipt {tid}{_why_none(tid_ms(tid), kept_ms, now_ms())}.")
    return answer(receipt_fields(found))


def _why_none(at_ms: int, kept_ms: int, now: int) -> str:
    """Say why a call of that moment may have no receipt."""
    if at_ms < kept_ms:
        return f"; calls before {time_text(kept_ms)} are not kept any more"
    # A failure is answered before it is written down, so a program may ask too early.
    if now - _FRESH_MS < at_ms <= now + _FRESH_MS:
        return (
            "; a call that has failed just now has one in a moment, unless it was refused outright"
        )
    return ""


def _missing(message: str) -> ApiError:
    return ApiError(Kind.NOT_FOUND, message)
