"""Owns the receipt of one call as its user sees it: a page, a part that unfolds in the list, JSON.

Figures are exact, so that a person can work the charge out again. Which account was asked is not
shown. A call of somebody else is not there.
"""

from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from tollbridge.billing.explain import Attempt, Settled, Story, explain
from tollbridge.billing.receipt_fields import receipt_fields
from tollbridge.console.usage import PATH
from tollbridge.storage.unit_of_work import reading
from tollbridge.web.pages import SIGNED_IN, Pages
from tollbridge.web.receipt_words import RECEIPT_WORDS
from tollbridge.web.visit import Visit

pages = Pages()

_TEMPLATE: Final = "console/receipt.html"


@pages.get(f"{PATH}/{{tid}}.json", SIGNED_IN)
async def receipt_json(visit: Visit) -> Response:
    """Hand out all figures of a receipt for a machine."""
    settled = (await _story(visit)).settled
    if settled is None:
        raise HTTPException(404)
    return JSONResponse(receipt_fields(settled.receipt))


@pages.get(f"{PATH}/{{tid}}", SIGNED_IN)
async def receipt(visit: Visit) -> Response:
    """Show a receipt: in the list where a script asks for it, else as a page."""
    story = await _story(visit)
    attempts: tuple[Attempt, ...] = story.settled.attempts if story.settled else ()
    values: dict[str, Any] = {
        "tid": story.tid,
        "receipt": story.settled.receipt if story.settled else None,
        "attempts": attempts,
        **RECEIPT_WORDS,
    }
    if visit.partial:
        return visit.show_part(_TEMPLATE, "receipt", **values)
    return visit.show(_TEMPLATE, **values)


async def _story(visit: Visit) -> Story:
    """Return what is known of a call of the visitor; HTTPException 404 of any other."""
    tid = visit.call_tid
    async with reading(visit.services.engine) as connection:
        story = await explain(connection, tid, visit.at_ms)
    if story is None or not _is_own(visit, story, story.settled):
        raise HTTPException(404)
    return story


def _is_own(visit: Visit, story: Story, settled: Settled | None) -> bool:
    if settled is not None:
        return settled.user_id == visit.user.user_id
    return story.hold is not None and visit.user.wallet_id in story.hold.purses
