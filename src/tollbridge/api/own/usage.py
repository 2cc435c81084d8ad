"""Owns /api/user/usage and /api/user/receipts: one's own calls, and the arithmetic of each.

Which calls are found is decided in `billing.usage_page`, what a receipt says in `billing.receipts`.
"""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from tollbridge.api.admin.call_filters import UsageFilters
from tollbridge.api.admin.fields import TID_PATTERN, Answer, Id, Moment, Usd
from tollbridge.api.admin.paging import Page, Paging, next_link
from tollbridge.api.admin.principal import Principal, require
from tollbridge.api.admin.problems import invalid, not_found
from tollbridge.api.admin.requests import CallReceipt
from tollbridge.api.answers import services_of
from tollbridge.api.own.services import account_of
from tollbridge.billing.receipt_fields import receipt_fields
from tollbridge.billing.receipts import StillRunning, read_receipt
from tollbridge.billing.usage_page import UnknownName, UsageLine, read_page
from tollbridge.identity.scopes import Scope
from tollbridge.storage.unit_of_work import reading

router = APIRouter(tags=["usage"])

Reads = Annotated[Principal, require(Scope.OWN_READ)]


class UsageItem(Answer):
    """One settled call. `charge` is what was booked, `reversed` what of it was given back since."""

    tid: str
    time: Moment
    key_id: Id
    key: str
    model_asked: str
    model_sent: str | None
    model_answered: str | None
    channel: str
    surface: str
    platform: str | None
    stream: bool
    client: str | None
    status: int
    end_state: str
    error: str | None
    flags: list[str]
    service_tier: str | None
    counts: dict[str, int]
    charge: Usd
    reversed: Usd
    list_cost: Usd
    first_token_ms: int | None
    total_ms: int


class UsageQuery(UsageFilters, Paging):
    """Which calls; all filters hold together. Keys and channels go by their names of today."""


@router.get("/usage")
async def usage(
    request: Request, asked: Annotated[UsageQuery, Query()], principal: Reads
) -> Page[UsageItem]:
    """List settled calls, the newest first; a page may have few items and a `next` all the same."""
    async with reading(services_of(request).engine) as connection:
        try:
            found = await read_page(
                connection,
                principal.user_id,
                asked.asked(),
                limit=asked.limit,
                after=asked.after_tid(),
            )
        except UnknownName as error:
            raise invalid(f"query.{error.field}", f"There is no such {error.field}.") from None
    link = next_link(request, found.older) if found.older else None
    return Page(items=[_item(one) for one in found.lines], next=link)


@router.get("/receipts/{tid}")
async def receipt(
    request: Request, tid: Annotated[str, Path(pattern=TID_PATTERN)], principal: Reads
) -> CallReceipt:
    """Show the receipt of a settled call of one's own."""
    async with reading(services_of(request).engine) as connection:
        account = await account_of(connection, principal)
        try:
            found = await read_receipt(connection, tid, account.user_id, account.wallet_id)
        except StillRunning:
            raise not_found("receipt yet; the call is still running") from None
    if found is None:
        raise not_found("such receipt")
    return CallReceipt(**receipt_fields(found))


def _item(one: UsageLine) -> UsageItem:
    fields = asdict(one)
    return UsageItem(time=fields.pop("at_ms"), key=fields.pop("key_name"), **fields)
