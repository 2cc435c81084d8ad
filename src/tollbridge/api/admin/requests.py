"""Owns /api/admin/requests: calls as operators see them, settled ones and those that run.

Lists come from the index that the worker fills, a moment late; a single call from the books. Must
not know how a charge is worked out.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from sqlalchemy import RowMapping

from tollbridge.api.admin.call_filters import CallFilters
from tollbridge.api.admin.fields import (
    TID_PATTERN,
    Answer,
    GivenId,
    Id,
    Margin,
    Moment,
    OwnCost,
    Usd,
)
from tollbridge.api.admin.paging import Page, Paging, next_link
from tollbridge.api.admin.principal import Principal, require
from tollbridge.api.admin.problems import not_found
from tollbridge.api.answers import services_of
from tollbridge.billing.explain import OpenHold, Settled, Story, explain
from tollbridge.billing.receipt_fields import receipt_fields
from tollbridge.core.clock import now_ms
from tollbridge.identity.scopes import Scope
from tollbridge.storage.call_search import SPAN, Wanted, find_calls
from tollbridge.storage.unit_of_work import reading

router = APIRouter(prefix="/requests", tags=["requests"])

_ERROR_MAX = 64
_SUMMED = (
    "tid", "user_id", "key_id", "key_name", "channel_id", "account_id", "platform", "model_asked",
    "model_sent", "model_answered", "surface", "stream", "status", "end_state", "client",
    "list_cost", "loss", "first_token_ms", "total_ms",
)  # fmt: skip
_OWNED = (
    "user_id", "key_id", "wallet_id", "channel_id", "account_id", "account", "platform", "client",
    "loss", "held",
)  # fmt: skip


class CallSummary(Answer):
    """One settled call in a list."""

    tid: str
    time: Moment
    user_id: Id
    key_id: Id
    key_name: str
    channel_id: Id
    channel: str
    account_id: Id | None
    account: str | None
    platform: str | None
    model_asked: str
    model_sent: str | None
    model_answered: str | None
    surface: str
    stream: bool
    status: int
    error: str | None
    end_state: str
    flags: list[str]
    client: str | None
    charge: Usd
    list_cost: Usd
    own_cost: OwnCost
    loss: Usd
    margin: Margin
    first_token_ms: int | None
    total_ms: int


class ReceiptLine(Answer):
    """One counted item of a receipt."""

    item: str
    count: int
    unit: str
    rate: str
    amount: str


class ReceiptAdjustment(Answer):
    """What the charge differs by from the priced counts, and why."""

    item: str
    amount: str
    reason: str


class ReceiptFactor(Answer):
    """One part of a receipt's multiplier: what it is of, and how much."""

    of: str
    factor: str


class CallReceipt(Answer):
    """What the user sees of the call, word for word; amounts are exact decimals in dollars."""

    object: Literal["receipt"]
    tid: str
    time: str
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
    why: str | None
    flags: list[str]
    counts: dict[str, int]
    currency: str
    lines: list[ReceiptLine]
    tier_above_tokens: int | None
    service_tier: str | None
    subtotal: str
    multiplier: str
    multipliers: list[ReceiptFactor]
    cost: str
    adjustments: list[ReceiptAdjustment]
    charge: str
    given_back: str
    list_cost: str
    how: str
    first_token_ms: int | None
    total_ms: int


class CallAttempt(Answer):
    """One try of an account; `account` is null when it was removed since."""

    account_id: Id
    account: str | None
    outcome: str
    took_ms: int


class CallHold(Answer):
    """What a running call holds, and the process that runs it (null when that is gone)."""

    amount: Usd
    charged_if_lost: Usd
    since: Moment
    node: str | None
    node_id: Id
    node_over: bool
    model: str | None
    key_name: str | None


class Owned(Answer):
    """What only operators see of a settled call."""

    user_id: Id
    key_id: Id
    wallet_id: Id
    channel_id: Id
    account_id: Id | None
    account: str | None
    platform: str | None
    client: str | None
    own_cost: OwnCost
    loss: Usd
    held: Usd
    margin: Margin
    attempts: list[CallAttempt]


class Call(Answer):
    """One call: `hold` while it runs; `receipt` and `operator` when it is settled."""

    tid: str
    state: Literal["running", "settled"]
    hold: CallHold | None
    receipt: CallReceipt | None
    operator: Owned | None
    verdict: str = Field(description="Whether the books fit together for this call.")


class CallQuery(CallFilters, Paging):
    """Which calls; all filters hold together."""

    user: GivenId | None = None
    key: GivenId | None = None
    channel: GivenId | None = None
    account: GivenId | None = Field(None, description="The account that answered last.")
    error: str | None = Field(
        None, min_length=1, max_length=_ERROR_MAX, pattern=r"^[a-z_]+$", description="Its kind."
    )


@router.get(
    "",
    description=f"List settled calls, the newest first. A page looks at no more than {SPAN:,} calls:"
    " it may have few items or none, and a `next` all the same.",
)
async def list_calls(
    request: Request,
    asked: Annotated[CallQuery, Query()],
    principal: Annotated[Principal, require(Scope.REQUESTS_READ)],
) -> Page[CallSummary]:
    """List settled calls."""
    async with reading(services_of(request).engine) as connection:
        found = await find_calls(
            connection, _wanted(asked), limit=asked.limit, after=asked.after_tid()
        )
    items = [_summary(row, principal) for row in found.rows]
    return Page(items=items, next=next_link(request, found.on) if found.on else None)


@router.get("/{tid}")
async def show_call(
    request: Request,
    tid: Annotated[str, Path(pattern=TID_PATTERN)],
    principal: Annotated[Principal, require(Scope.REQUESTS_READ)],
) -> Call:
    """Show one call, settled or still running."""
    async with reading(services_of(request).engine) as connection:
        story = await explain(connection, tid, now_ms())
    if story is None:
        raise not_found("such call, or it cost nothing to refuse it and was not written down")
    return _call(story, principal)


def _wanted(asked: CallQuery) -> Wanted:
    return Wanted(
        user_id=asked.user,
        key_id=asked.key,
        channel_id=asked.channel,
        account_id=asked.account,
        error_kind=asked.error,
        **asked.narrowed(),
    )


def _summary(row: RowMapping, principal: Principal) -> CallSummary:
    # What was given back was not paid: the same as on the receipt and in statistics.
    charge = row["charge"] - row["reversed"]
    return CallSummary(
        **{name: row[name] for name in _SUMMED},
        time=row["at_ms"],
        channel=row["channel_name"],
        account=row["account_name"],
        error=row["error_kind"],
        flags=list(filter(None, row["flags"].split(","))),
        charge=charge,
        **principal.earnings(charge, row["own_cost"]),
    )


def _call(story: Story, principal: Principal) -> Call:
    settled = story.settled
    return Call(
        tid=story.tid,
        state="settled" if settled else "running",
        hold=_hold(story.hold) if story.hold else None,
        receipt=CallReceipt(**receipt_fields(settled.receipt)) if settled else None,
        operator=_owned(settled, principal) if settled else None,
        verdict=story.verdict,
    )


def _hold(hold: OpenHold) -> CallHold:
    return CallHold(
        amount=hold.amount,
        charged_if_lost=hold.covered,
        since=hold.at_ms,
        node=hold.node,
        node_id=hold.node_id,
        node_over=hold.over,
        model=hold.bill.model_asked if hold.bill else None,
        key_name=hold.bill.key_name if hold.bill else None,
    )


def _owned(settled: Settled, principal: Principal) -> Owned:
    return Owned(
        **{name: getattr(settled, name) for name in _OWNED},
        **principal.earnings(settled.receipt.charge, settled.own_cost),
        attempts=[
            CallAttempt(
                account_id=one.account_id,
                account=one.account,
                outcome=one.outcome,
                took_ms=one.took_ms,
            )
            for one in settled.attempts
        ],
    )
