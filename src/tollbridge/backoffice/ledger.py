"""Owns the page of the books' health, and the button that has them proved now.

Must not know what is proved.
"""

from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import Response

from tollbridge.billing.verify import Finding
from tollbridge.core.language import N_
from tollbridge.identity.scopes import Scope
from tollbridge.people.ledger_health import DAYS, Health, TooMuchToProve, check_now, read_health
from tollbridge.storage.unit_of_work import reading
from tollbridge.web.pages import Pages, operator
from tollbridge.web.visit import Visit

pages = Pages()

PATH: Final = "/backoffice/ledger"
INVARIANTS: Final = {
    "I1 available": N_("What a wallet has is the sum of its journal lines"),
    "I1 journal": N_("The journal names only wallets that there are"),
    "I1 held": N_("What a wallet or limit has held is the sum of its open holds"),
    "I1 range": N_("Nothing is below zero, nothing holds more than it has"),
    "I2 balance": N_("Every journal line moves an amount between two accounts"),
    "I3 charge": N_("What a call is charged is in the journal"),
    "I3 journal": N_("Journal lines of calls have their call"),
    "I3 loss": N_("What no wallet covered is in the journal"),
    "I3 reversal": N_("What was given back is in the journal"),
    "I3 beyond": N_("No more is given back than was charged"),
    "I3 wallet": N_("A call is charged to its own wallet"),
    "I3 once": N_("No call both runs and is settled"),
    "I4 dead": N_("Holds of processes that are over are posted"),
}


@pages.get(PATH, operator(Scope.LEDGER_READ))
async def ledger(visit: Visit) -> Response:
    """Show how the books are."""
    return await _page(visit)


@pages.post(f"{PATH}/check", operator(Scope.SETTINGS_WRITE))
async def check(visit: Visit) -> Response:
    """Have what is new in the books proved, where that is little; only admins may."""
    try:
        verdict = await check_now(visit.services.engine, visit.actor, visit.at_ms)
    except TooMuchToProve:
        return await _page(visit, too_much=True)
    if verdict.right:
        return visit.go(PATH, said="books_checked")
    return await _page(visit, findings=[one for one in verdict.findings if one.fatal])


async def _page(
    visit: Visit, *, too_much: bool = False, findings: Sequence[Finding] = ()
) -> Response:
    async with reading(visit.services.engine) as connection:
        health = await read_health(connection, visit.at_ms)
    off = {**health.off, **{one.invariant: one.sentence for one in findings}}
    return visit.show(
        "backoffice/ledger.html",
        health=health,
        off=off,
        names=INVARIANTS,
        findings=findings,
        too_much=too_much,
        window=DAYS,
        rows=_rows(health),
        oldest_ms=_age(health, visit.at_ms),
    )


def _age(health: Health, at_ms: int) -> int | None:
    return None if health.oldest_hold_ms is None else max(at_ms - health.oldest_hold_ms, 0)


def _rows(health: Health) -> list[dict[str, Any]]:
    """Return a line for each kind and day, charges from the roll-ups among them, the newest first."""
    lines: list[dict[str, Any]] = [
        {"day_ms": one.day_ms, "kind": one.kind, "lines": one.lines, "amount": one.amount}
        for one in health.kinds
    ]
    lines += [
        {"day_ms": day_ms, "kind": "charge", "lines": None, "amount": -charge}
        for day_ms, charge in health.charges.items()
        if charge
    ]
    return sorted(lines, key=lambda one: (-one["day_ms"], one["kind"]))
