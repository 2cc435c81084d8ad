"""Owns the list of somebody's calls: filters, pages that join, one line a call."""

from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.billing.usage_page import Asked, UnknownName, UsagePage, read_page
from tollbridge.catalog.visibility import open_channels
from tollbridge.console.tokens import tokens_in, tokens_out
from tollbridge.console.usage_filters import read_filters
from tollbridge.core.clock import is_tid
from tollbridge.core.faults import NO_SUCH_NAME
from tollbridge.identity.own_keys import key_names
from tollbridge.storage.unit_of_work import reading
from tollbridge.web.call_filters import Filters
from tollbridge.web.pages import SIGNED_IN, Pages
from tollbridge.web.receipt_words import ENDED, ENDS, tone_of
from tollbridge.web.visit import Visit

pages = Pages()

PATH: Final = "/console/usage"
_LIMIT: Final = 50
_NOTHING: Final = UsagePage((), None, None)


@pages.get(PATH, SIGNED_IN)
async def usage(visit: Visit) -> Response:
    """Show a page of calls, the newest first."""
    filters = read_filters(visit.request.query_params, visit.zone)
    async with reading(visit.services.engine) as connection:
        page = await _page(visit, connection, filters) if filters.form.ok else _NOTHING
        keys = await key_names(connection, visit.user.user_id)
    status = 200 if filters.form.ok else 422
    return visit.show("console/usage.html", status, **_values(visit, filters, page, keys))


async def _page(visit: Visit, connection: AsyncConnection, filters: Filters[Asked]) -> UsagePage:
    after, before = visit.query("after"), visit.query("before")
    if not all(is_tid(tid) for tid in (after, before) if tid):
        raise HTTPException(404)
    try:
        return await read_page(
            connection,
            visit.user.user_id,
            filters.asked,
            limit=_LIMIT,
            after=after or None,
            before=None if after else before or None,
        )
    except UnknownName as unknown:
        filters.form.fault(unknown.field, NO_SUCH_NAME)
        return _NOTHING


def _values(
    visit: Visit, filters: Filters[Asked], page: UsagePage, keys: list[str]
) -> dict[str, Any]:
    user = visit.user
    channels = [one.name for one in open_channels(visit.services.snapshot(), None, user.group)]
    return {
        "filters": filters,
        "given": filters.given,
        "errors": filters.form.errors,
        "page": page,
        "keys": _choice(keys, filters.given.get("key")),
        "channels": _choice(sorted(channels), filters.given.get("channel")),
        "statuses": [(value, visit.text(label)) for value, label in ENDED.items()],
        "newer": page.newer and filters.address(PATH, before=page.newer),
        "older": page.older and filters.address(PATH, after=page.older),
        "csv": filters.address(f"{PATH}.csv"),
        "tone_of": tone_of,
        "ends": ENDS,
        "tokens_in": tokens_in,
        "tokens_out": tokens_out,
    }


def _choice(names: list[str], one: str | None) -> list[tuple[str, str]]:
    """Return names as options, with the one that is asked for: it may be gone by now."""
    those = [*names, one] if one and one not in names else names
    return [(name, name) for name in those]
