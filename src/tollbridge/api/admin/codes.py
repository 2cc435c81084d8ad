"""Owns /api/admin/codes: redeem codes made, listed and revoked. A code is in one answer only."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.api.admin.fields import (
    Answer,
    Body,
    GivenMoment,
    GivenUsd,
    Id,
    Moment,
    PlainText,
    Usd,
)
from tollbridge.api.admin.idempotency import MustName, once
from tollbridge.api.admin.paging import Page, Paging, next_link, page
from tollbridge.api.admin.principal import Principal, actor_of, require
from tollbridge.api.admin.problems import conflict, invalid, not_found
from tollbridge.api.answers import services_of
from tollbridge.core.clock import now_ms
from tollbridge.identity.scopes import Scope
from tollbridge.people.code_batches import batches, codes_of
from tollbridge.people.redeeming import (
    AMOUNT_MAX,
    BATCH_MAX,
    CODES_MAX,
    CREDIT_DAYS_MAX,
    Batch,
    BatchTaken,
    make_codes,
    revoke_batch,
)
from tollbridge.storage.unit_of_work import reading, working

router = APIRouter(prefix="/codes", tags=["codes"])

Reads = Annotated[Principal, require(Scope.CODES_READ)]
Writes = Annotated[Principal, require(Scope.CODES_WRITE)]
_BatchName = Annotated[PlainText, Field(min_length=1, max_length=BATCH_MAX)]


class CodeBatch(Answer):
    """Codes that were made together: what each gives, and how many are in each state."""

    name: str
    amount: Usd
    credit_days: int | None = Field(description="How long the credit lasts; null: for ever.")
    created_at: Moment
    expires_at: Moment | None
    unused: int
    redeemed: int
    expired: int
    revoked: int


class RedeemCode(Answer):
    """A code, of which the last six characters are known."""

    id: Id
    last6: str
    state: Literal["unused", "redeemed", "expired", "revoked"]
    redeemed_by: Id | None
    redeemed_by_email: str | None
    redeemed_at: Moment | None


class CodeQuery(Paging):
    """Of which batch."""

    batch: _BatchName


class NewCodes(Body):
    """What codes to make."""

    batch: _BatchName
    count: int = Field(ge=1, le=CODES_MAX)
    amount: GivenUsd
    expires_at: GivenMoment | None = Field(None, description="Until when they can be redeemed.")
    credit_days: int | None = Field(None, ge=1, le=CREDIT_DAYS_MAX)


class MadeCodes(Answer):
    """The codes, shown this once."""

    batch: str
    amount: Usd
    codes: list[str]


class Named(Body):
    """Which batch."""

    batch: _BatchName


class Revoked(Answer):
    """How many codes nobody can redeem any more."""

    revoked: int


@router.get("")
async def codes(
    request: Request, asked: Annotated[CodeQuery, Query()], _principal: Reads
) -> Page[RedeemCode]:
    """List the codes of a batch, the newest first."""
    async with reading(services_of(request).engine) as connection:
        rows = await codes_of(
            connection, asked.batch, now_ms(), before=asked.after_id(), limit=asked.limit + 1
        )
    shown = [
        RedeemCode(
            id=row["id"],
            last6=row["last6"],
            state=row["state"],
            redeemed_by=row["redeemed_by"],
            redeemed_by_email=row["email"],
            redeemed_at=row["redeemed_ms"],
        )
        for row in rows
    ]
    return page(request, asked, shown)


@router.get("/batches")
async def list_batches(
    request: Request, asked: Annotated[Paging, Query()], _principal: Reads
) -> Page[CodeBatch]:
    """List batches, the newest first."""
    async with reading(services_of(request).engine) as connection:
        found = await batches(connection, now_ms(), before=asked.after_id(), limit=asked.limit + 1)
    shown = [
        CodeBatch(
            name=one.name,
            amount=one.amount,
            credit_days=one.credit_days,
            created_at=one.created_ms,
            expires_at=one.expires_ms,
            unused=one.unused,
            redeemed=one.redeemed,
            expired=one.expired,
            revoked=one.revoked,
        )
        for one in found[: asked.limit]
    ]
    more = len(found) > asked.limit
    link = next_link(request, found[asked.limit - 1].last_id) if more else None
    return Page(items=shown, next=link)


@router.post("", status_code=201, response_model=MadeCodes)
async def make(request: Request, body: NewCodes, principal: Writes, name: MustName) -> Response:
    """Make codes. The answer is the only one that shows them."""
    if not 0 < body.amount <= AMOUNT_MAX:
        raise invalid("body.amount", "A code gives something, and at most 100,000.00.")
    if body.expires_at is not None and body.expires_at <= now_ms():
        raise invalid("body.expires_at", "This moment is over.")
    batch = Batch(body.batch, body.count, body.amount, body.expires_at, body.credit_days)
    secrets, actor = services_of(request).secrets, actor_of(request, principal)

    async def work(connection: AsyncConnection) -> MadeCodes:
        made = await make_codes(connection, secrets, actor, batch, now_ms())
        return MadeCodes(batch=batch.name, amount=batch.amount, codes=made)

    try:
        return await once(
            request, principal, name, body, working, work, status=201, shown_once=True
        )
    except BatchTaken:
        raise conflict("There is a batch of this name already.") from None


@router.post("/revoke", responses={404: {"description": "There is no such batch."}})
async def revoke(request: Request, body: Named, principal: Writes) -> Revoked:
    """Make the codes of a batch worthless that nobody has redeemed."""
    actor = actor_of(request, principal)
    try:
        async with working(services_of(request).engine) as connection:
            return Revoked(revoked=await revoke_batch(connection, actor, body.batch, now_ms()))
    except LookupError:
        raise not_found("such batch") from None
