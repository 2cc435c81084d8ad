"""Owns /api/admin/ledger: how the books stand, and letting them be proved further while that is quick.

Must not know how anything is proved.
"""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field

from tollbridge.api.admin.fields import Answer, Moment, Usd
from tollbridge.api.admin.principal import Principal, actor_of, require
from tollbridge.api.admin.problems import conflict
from tollbridge.api.answers import services_of
from tollbridge.core.clock import now_ms
from tollbridge.identity.scopes import Scope
from tollbridge.people.ledger_health import TooMuchToProve, check_now, read_health
from tollbridge.storage.unit_of_work import reading

router = APIRouter(prefix="/ledger", tags=["ledger"])

Reads = Annotated[Principal, require(Scope.LEDGER_READ)]


class Proof(Answer):
    """When the books were proved last, in full and at all; lines before `closed_until` are done."""

    at: Moment
    full_at: Moment
    closed_until: Moment


class Moved(Answer):
    """Journal lines of a kind on a day of UTC; of the last 30 days."""

    day: Moment
    kind: str
    lines: int
    amount: Usd


class Ledger(Answer):
    """How the books stand. `off` are sentences by invariant, empty when all is right."""

    proof: Proof | None = Field(description="Null until they were proved once.")
    checked_at: Moment | None
    off: dict[str, str]
    invariants: list[str]
    wallets: int
    balance: Usd
    reserved: Usd
    running_calls: int
    reserved_by_calls: Usd
    oldest_call_at: Moment | None
    losses: Usd
    moved: list[Moved]


class Finding(Answer):
    """One thing that is off; `fatal` when it breaks an invariant."""

    invariant: str
    sentence: str
    fatal: bool


class Verdict(Answer):
    """What a proof found, and how much it looked at."""

    right: bool
    findings: list[Finding]
    calls: int
    lines: int


@router.get("")
async def ledger(request: Request, _principal: Reads) -> Ledger:
    """Show how the books stand, as the last proofs said."""
    async with reading(services_of(request).engine) as connection:
        found = await read_health(connection, now_ms())
    marks = found.marks
    return Ledger(
        proof=Proof(at=marks.at_ms, full_at=marks.full_ms, closed_until=marks.since_ms)
        if marks
        else None,
        checked_at=found.checked_ms,
        off=dict(found.off),
        invariants=list(found.invariants),
        wallets=found.wallets,
        balance=found.available,
        reserved=found.held,
        running_calls=found.holds,
        reserved_by_calls=found.held_by_calls,
        oldest_call_at=found.oldest_hold_ms,
        losses=found.losses,
        moved=[
            Moved(day=one.day_ms, kind=one.kind, lines=one.lines, amount=one.amount)
            for one in found.kinds
        ],
    )


@router.post("/check", responses={409: {"description": "There is too much to prove here."}})
async def check(request: Request, principal: Reads) -> Verdict:
    """Prove the books from where the last proof ended; it changes none of them."""
    try:
        found = await check_now(services_of(request).engine, actor_of(request, principal), now_ms())
    except TooMuchToProve:
        raise conflict("There is too much to prove: run `tollbridge ledger verify`.") from None
    return Verdict(
        right=found.right,
        findings=[
            Finding(invariant=one.invariant, sentence=one.sentence, fatal=one.fatal)
            for one in found.findings
        ],
        calls=found.calls,
        lines=found.lines,
    )
