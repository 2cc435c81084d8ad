"""Owns somebody's calls as a file: the filters of the page, a line a call, exact amounts.

Calls are read a chunk at a time, each in a transaction of its own, while the file is sent.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from starlette.responses import Response

from tollbridge.billing.usage_page import Asked, UnknownName, UsageLine, UsagePage, read_page
from tollbridge.console.sheet import Row, long_sheet
from tollbridge.console.usage import PATH
from tollbridge.console.usage_filters import read_filters
from tollbridge.core.money import format_usd
from tollbridge.core.zones import day_at, exact_at
from tollbridge.identity.doors import Door
from tollbridge.protocols.usage import TOKEN_BUCKETS
from tollbridge.storage.unit_of_work import reading
from tollbridge.web.forms import N_
from tollbridge.web.pages import SIGNED_IN, Pages
from tollbridge.web.visit import Visit

pages = Pages()

ROWS_MAX: Final = 100_000
"""A file has no more calls than these; its last line says so."""

CHUNK: Final = 500
_DOOR: Final = Door("usage_csv", per_minute=20, per_day=500)
_COUNTS: Final = (*TOKEN_BUCKETS, "reasoning")
HEADER: Final = (
    "time", "trace_id", "key", "model_asked", "model_answered", "channel", "surface", "status",
    "end_state", "error", *(f"{name}_tokens" for name in _COUNTS), "first_token_ms", "total_ms",
    "charge_usd", "given_back_usd", "list_cost_usd", "key_id", "model_sent", "platform", "stream",
    "client", "service_tier", "flags",
)  # fmt: skip
_CLIPPED: Final = N_("This file ends here, at %(count)s calls. Choose fewer days for the others.")


@pages.get(f"{PATH}.csv", SIGNED_IN)
async def usage_csv(visit: Visit) -> Response:
    """Hand out the calls that the page would list, all of its pages."""
    filters = read_filters(visit.request.query_params, visit.zone)
    if not filters.form.ok:
        return visit.go(PATH, **filters.given)
    await visit.knock(_DOOR, str(visit.user.user_id))
    try:
        first = await _read(visit, filters.asked, CHUNK, None)
    except UnknownName:
        return visit.go(PATH, **filters.given)
    name = f"usage-{day_at(visit.zone, visit.at_ms).isoformat()}.csv"
    return long_sheet(name, HEADER, chunks(visit, filters.asked, first))


async def chunks(
    visit: Visit, asked: Asked, page: UsagePage, most: int = ROWS_MAX, chunk: int = CHUNK
) -> AsyncIterator[Sequence[Row]]:
    """Yield the rows of a page and of all older ones, `most` in all, then a line if there are more."""
    left = most
    while True:
        lines = page.lines[:left]
        yield [_row(visit, line) for line in lines]
        left -= len(lines)
        if page.older is None and len(lines) == len(page.lines):
            return
        if not left:
            yield [(visit.text(_CLIPPED, count=most),)]
            return
        page = await _read(visit, asked, min(chunk, left), page.older)


async def _read(visit: Visit, asked: Asked, limit: int, after: str | None) -> UsagePage:
    async with reading(visit.services.engine) as connection:
        return await read_page(connection, visit.user.user_id, asked, limit=limit, after=after)


def _row(visit: Visit, line: UsageLine) -> Row:
    return (
        exact_at(visit.zone, line.at_ms), line.tid, line.key_name, line.model_asked,
        line.model_answered, line.channel, line.surface, line.status, line.end_state, line.error,
        *(line.counts.get(name, 0) for name in _COUNTS), line.first_token_ms, line.total_ms,
        format_usd(line.charge), format_usd(line.reversed), format_usd(line.list_cost),
        line.key_id, line.model_sent, line.platform, "true" if line.stream else "false",
        line.client, line.service_tier, ",".join(line.flags),
    )  # fmt: skip
