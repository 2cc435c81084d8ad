"""Owns the page of one call in the back office, and the form that gives back what it was charged.

What a call cost us is shown to admins only. Must not know how money moves.
"""

from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.backoffice.audit import readable
from tollbridge.backoffice.requests import PATH
from tollbridge.billing.explain import Settled, Story, explain
from tollbridge.billing.reversals import NotReversible, WhyNot
from tollbridge.core.language import N_
from tollbridge.identity.scopes import Scope, sees_own_cost
from tollbridge.people.reversing import REASON_MAX, notes_of, reverse_call
from tollbridge.storage.ledger_audit import REVERSAL_KIND
from tollbridge.storage.rollup_reads import read_names
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.web.forms import Form
from tollbridge.web.pages import Pages, operator
from tollbridge.web.receipt_words import RECEIPT_WORDS
from tollbridge.web.visit import Visit

pages = Pages()

WHY_NOT: Final = {
    WhyNot.RUNNING: N_("The call is still running. Give it back when it has ended."),
    WhyNot.CLOSED: N_("The call's day is kept no longer. Give credit to its user instead."),
    WhyNot.NOTHING_CHARGED: N_("The call was charged nothing, so there is nothing to give back."),
}


@pages.get(f"{PATH}/{{tid}}", operator(Scope.REQUESTS_READ))
async def request(visit: Visit) -> Response:
    """Show all that the books know of a call."""
    return await _page(visit)


@pages.post(f"{PATH}/{{tid}}/reverse", operator(Scope.REQUESTS_REVERSE))
async def reverse(visit: Visit) -> Response:
    """Give back what the call was charged, once however often the form is sent."""
    tid, form = visit.call_tid, await visit.form()
    reason = form.text("reason", most=REASON_MAX)
    if form.ok:
        try:
            async with working(visit.services.engine) as connection:
                done = await reverse_call(connection, visit.actor, tid, reason, visit.at_ms)
        except NotReversible as refused:
            if refused.why is WhyNot.UNKNOWN:
                raise HTTPException(404) from None
            form.fault("reason", WHY_NOT[refused.why])
        else:
            said = "call_reversed_before" if done.repeated else "call_reversed"
            return visit.go(f"{PATH}/{tid}", said=said)
    return await _page(visit, form)


async def _page(visit: Visit, form: Form | None = None) -> Response:
    tid = visit.call_tid
    async with reading(visit.services.engine) as connection:
        story = await explain(connection, tid, visit.at_ms)
        if story is None:
            raise HTTPException(404)
        values = await _values(connection, story)
    settled = story.settled
    return visit.show(
        "backoffice/request.html",
        422 if form else 200,
        story=story,
        settled=settled,
        receipt=settled.receipt if settled else None,
        reversible=_is_reversible(settled),
        whole=sees_own_cost(visit.user.role),
        reason=form.raw("reason") if form else "",
        errors=form.errors if form else {},
        **values,
        **RECEIPT_WORDS,
    )


async def _values(connection: AsyncConnection, story: Story) -> dict[str, Any]:
    """Return what stands beside the books: the user's address, who gave the call back."""
    users = {story.settled.user_id} if story.settled else set()
    emails = await read_names(connection, "user_id", users)
    backs = [line.at_ms for line in story.lines if line.kind == REVERSAL_KIND]
    notes = await notes_of(connection, story.tid, backs[0]) if backs else []
    return {"email": next(iter(emails.values()), None), "audit": readable(notes)}


def _is_reversible(settled: Settled | None) -> bool:
    return settled is not None and settled.receipt.charge > 0 and not settled.receipt.given_back
