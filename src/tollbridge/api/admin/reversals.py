"""Owns POST /api/admin/requests/{tid}/reverse: staff give back what a call was charged.

Asking again is harmless: a call is given back once. Must not know what is moved for it, nor what is
written down.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.api.admin.fields import TID_PATTERN, Answer, Body, Id, PlainText, Usd
from tollbridge.api.admin.idempotency import MayName, once
from tollbridge.api.admin.principal import Principal, actor_of, require
from tollbridge.api.admin.problems import Problem, conflict, not_found
from tollbridge.billing.reversals import NotReversible, WhyNot
from tollbridge.core.clock import now_ms
from tollbridge.identity.scopes import Scope
from tollbridge.people import reversing
from tollbridge.storage.unit_of_work import working

router = APIRouter(prefix="/requests", tags=["requests"])


class Reason(Body):
    """Why a call is given back; it goes to the log, with who asked."""

    reason: PlainText = Field(min_length=1, max_length=reversing.REASON_MAX, pattern=r"\S")


class GivenBack(Answer):
    """What was given back; `repeated` when it had been before, and nothing was moved now."""

    tid: str
    state: Literal["reversed"]
    amount: Usd
    user_id: Id
    wallet_id: Id
    repeated: bool


@router.post("/{tid}/reverse", response_model=GivenBack)
async def reverse_call(
    request: Request,
    tid: Annotated[str, Path(pattern=TID_PATTERN)],
    body: Reason,
    principal: Annotated[Principal, require(Scope.REQUESTS_REVERSE)],
    name: MayName = None,
) -> Response:
    """Give back all that a settled call was charged, once."""
    actor = actor_of(request, principal)

    async def work(connection: AsyncConnection) -> GivenBack:
        done = await reversing.reverse_call(connection, actor, tid, body.reason, now_ms())
        return GivenBack(
            tid=done.tid,
            state="reversed",
            amount=done.amount,
            user_id=done.user_id,
            wallet_id=done.wallet_id,
            repeated=done.repeated,
        )

    try:
        return await once(request, principal, name, body, working, work)
    except NotReversible as error:
        raise _refused(error.why) from None


def _refused(why: WhyNot) -> Problem:
    if why is WhyNot.UNKNOWN:
        return not_found("such call")
    if why is WhyNot.RUNNING:
        return conflict("The call is still running; ask again when it is settled.")
    if why is WhyNot.CLOSED:
        return conflict("The call's day is kept no longer; give credit to its user instead.")
    return conflict("The call was charged nothing, so there is nothing to give back.")
