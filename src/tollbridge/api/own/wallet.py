"""Owns /api/user/wallet: what is there, where it came from, what came and went, and redeeming codes.

Charges of calls are no lines here: they are in usage and statements. Must not know how money moves.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, Literal, TypeVar

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.api.admin.fields import Answer, Body, Id, Moment, PlainText, Usd
from tollbridge.api.admin.idempotency import MayName, once
from tollbridge.api.admin.paging import Page, Paging, page
from tollbridge.api.admin.principal import Principal, require
from tollbridge.api.admin.problems import conflict, invalid, not_found
from tollbridge.api.answers import services_of
from tollbridge.api.own.services import account_of, knock
from tollbridge.billing.credit_kinds import kind_of
from tollbridge.billing.lots import Lot, lots_of
from tollbridge.core.clock import now_ms
from tollbridge.identity.scopes import Scope
from tollbridge.people.redeeming import (
    REASON_TEXTS,
    REDEEM_BY_ADDRESS,
    REDEEM_BY_USER,
    NotRedeemed,
    Reason,
    redeem,
)
from tollbridge.people.user_changes import NoSuchUser
from tollbridge.storage.journal_reads import WalletLine, wallet_lines
from tollbridge.storage.purse_reads import figures_of
from tollbridge.storage.unit_of_work import reading, working

router = APIRouter(prefix="/wallet", tags=["wallet"])

Reads = Annotated[Principal, require(Scope.OWN_READ)]
Writes = Annotated[Principal, require(Scope.OWN_WRITE)]
"""The same doors as the console's: a guesser gets no more tries here."""

_CODE_MAX: Final = 100
_Row = TypeVar("_Row", Lot, WalletLine)
_REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    409: {"description": "Redeemed before, by the same user."},
    429: {"description": "Tried too often."},
}


class Wallet(Answer):
    """What is not yet charged, and what running calls hold of it; `free` is the difference."""

    currency: Literal["USD"] = "USD"
    balance: Usd
    reserved: Usd
    free: Usd


class Credit(Answer):
    """Where credit came from, what is left of it, and when that ends; charges are a moment behind."""

    id: Id
    origin: str
    amount: Usd
    remaining: Usd
    created_at: Moment
    expires_at: Moment | None


class Line(Answer):
    """What came (above zero) or went besides charges of calls."""

    id: Id
    time: Moment
    kind: str
    ref: str
    amount: Usd


class Code(Body):
    """A redeem code; blanks, dashes and case do not matter."""

    code: PlainText = Field(min_length=1, max_length=_CODE_MAX)


class Redeemed(Answer):
    """What a code gave, until when it lasts, and the balance since."""

    amount: Usd
    expires_at: Moment | None
    balance: Usd


@router.get("")
async def wallet(request: Request, principal: Reads) -> Wallet:
    """Show what is there."""
    async with reading(services_of(request).engine) as connection:
        account = await account_of(connection, principal)
        figures = (await figures_of(connection, [account.wallet_id])).get(account.wallet_id)
    balance, held = (figures.available, figures.held) if figures else (0, 0)
    return Wallet(balance=balance, reserved=held, free=balance - held)


@router.get("/lots")
async def lots(
    request: Request, asked: Annotated[Paging, Query()], principal: Reads
) -> Page[Credit]:
    """List credits, the newest first."""
    async with reading(services_of(request).engine) as connection:
        account = await account_of(connection, principal)
        found = await lots_of(connection, account.wallet_id)
    return page(request, asked, [_credit(one) for one in _behind(found, asked)])


@router.get("/lines")
async def lines(
    request: Request, asked: Annotated[Paging, Query()], principal: Reads
) -> Page[Line]:
    """List what came and went besides charges of calls, the newest first."""
    async with reading(services_of(request).engine) as connection:
        account = await account_of(connection, principal)
        found = await wallet_lines(connection, account.wallet_id)
    return page(request, asked, [_line(one) for one in _behind(found, asked)])


@router.post("/redeem", response_model=Redeemed, responses=_REFUSED)
async def redeem_code(
    request: Request, body: Code, principal: Writes, name: MayName = None
) -> Response:
    """Redeem a code. Of one that is not good it is not told why."""
    if request.client is not None:
        await knock(request, REDEEM_BY_ADDRESS, request.client.host)
    await knock(request, REDEEM_BY_USER, str(principal.user_id))

    async def work(connection: AsyncConnection) -> Redeemed:
        secrets, user_id = services_of(request).secrets, principal.user_id
        done = await redeem(connection, secrets, user_id, body.code, now_ms())
        wallet_id = (await account_of(connection, principal)).wallet_id
        balance = (await figures_of(connection, [wallet_id]))[wallet_id].available
        return Redeemed(amount=done.amount, expires_at=done.expires_ms, balance=balance)

    async with _refusals():
        return await once(request, principal, name, body, working, work)


@asynccontextmanager
async def _refusals() -> AsyncIterator[None]:
    try:
        yield
    except NotRedeemed as refused:
        if refused.reason is Reason.YOURS:
            raise conflict(REASON_TEXTS[Reason.YOURS]) from None
        raise invalid("body.code", REASON_TEXTS[Reason.UNUSABLE]) from None
    except NoSuchUser:
        raise not_found("such user") from None


def _behind(rows: list[_Row], asked: Paging) -> list[_Row]:
    """Return the rows of a page and of those after it, the newest first."""
    after = asked.after_id()
    newest = sorted(rows, key=lambda one: one.id, reverse=True)
    return [one for one in newest if after is None or one.id < after]


def _credit(one: Lot) -> Credit:
    return Credit(
        id=one.id,
        origin=kind_of(one.origin, one.ref),
        amount=one.amount,
        remaining=one.remaining,
        created_at=one.created_ms,
        expires_at=one.expires_ms,
    )


def _line(one: WalletLine) -> Line:
    kind = kind_of(one.kind, one.ref)
    return Line(id=one.id, time=one.at_ms, kind=kind, ref=one.ref, amount=one.amount)
