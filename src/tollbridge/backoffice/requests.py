"""Owns the list of everybody's calls in the back office: filters, pages that join, one line a call.

What a call cost us is shown to admins only. Must not know how calls are found.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.core.clock import is_tid
from tollbridge.core.faults import NO_SUCH_NAME
from tollbridge.core.language import N_
from tollbridge.identity.scopes import Scope, sees_own_cost
from tollbridge.people.call_wish import CallWish, NotFound, wanted_of
from tollbridge.storage.call_search import find_calls
from tollbridge.storage.rollup_reads import read_names
from tollbridge.storage.unit_of_work import reading
from tollbridge.web.call_filters import Filters, given_in, narrowed
from tollbridge.web.forms import NOT_OFFERED
from tollbridge.web.moments import read_moment
from tollbridge.web.pages import Pages, operator
from tollbridge.web.receipt_words import ENDED, ENDS, tone_of
from tollbridge.web.visit import Visit

pages = Pages()

PATH: Final = "/backoffice/requests"
FIELDS: Final = (
    "user", "key", "channel", "account", "model", "status", "error", "from", "until",
)  # fmt: skip
NO_CALL: Final = N_("A trace id has 32 digits and letters a to f.")
SEVERAL: Final = N_("There are several of this name. Enter the id.")
BACKWARDS: Final = N_("This is not later than the time from which calls are shown.")

_LIMIT: Final = 50
_TEXT_MAX: Final = 320
_ERROR: Final = re.compile(r"[a-z_]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Found:
    rows: Sequence[RowMapping] = ()
    older: str | None = None
    emails: Mapping[int, str] | None = None


@pages.get(PATH, operator(Scope.REQUESTS_READ))
async def requests(visit: Visit) -> Response:
    """Show a page of calls, the newest first; a trace id leads to its call."""
    tid = visit.query("tid").strip().lower().replace("-", "")
    if is_tid(tid):
        return visit.go(f"{PATH}/{tid}")
    filters = read_filters(visit.request.query_params, visit.zone)
    if tid:
        filters.form.fault("tid", NO_CALL)
    async with reading(visit.services.engine) as connection:
        found = await _find(visit, connection, filters) if filters.form.ok else _Found()
    return visit.show(
        "backoffice/requests.html",
        200 if filters.form.ok else 422,
        rows=found.rows,
        emails=found.emails or {},
        given={"tid": visit.query("tid"), **filters.given},
        filtered=filters.any,
        errors=filters.form.errors,
        statuses=[(value, visit.text(label)) for value, label in ENDED.items()],
        newest=filters.address(PATH) if visit.query("after") else None,
        older=filters.address(PATH, after=found.older) if found.older else None,
        whole=sees_own_cost(visit.user.role),
        tone_of=tone_of,
        ends=ENDS,
    )


async def _find(visit: Visit, connection: AsyncConnection, filters: Filters[CallWish]) -> _Found:
    after = visit.query("after")
    if after and not is_tid(after):
        raise HTTPException(404)
    try:
        wanted = await wanted_of(connection, filters.asked)
    except NotFound as missing:
        filters.form.fault(missing.field, SEVERAL if missing.several else NO_SUCH_NAME)
        return _Found()
    found = await find_calls(connection, wanted, limit=_LIMIT, after=after or None)
    users = {row["user_id"] for row in found.rows}
    return _Found(found.rows, found.on, await read_names(connection, "user_id", users))


def read_filters(query: Mapping[str, str], zone: ZoneInfo) -> Filters[CallWish]:
    """Return the filters of an address; faults are in the form's errors."""
    given, form = given_in(query, FIELDS)
    error = form.text("error", need=False)
    if error and not _ERROR.fullmatch(error):
        form.fault("error", NOT_OFFERED)
    from_ms, until_ms = read_moment(form, "from", zone), read_moment(form, "until", zone)
    if from_ms is not None and until_ms is not None and until_ms <= from_ms:
        form.fault("until", BACKWARDS)
    texts: dict[str, Any] = {
        name: form.text(name, most=_TEXT_MAX, need=False)
        for name in ("user", "key", "channel", "account")
    }
    wish = CallWish(**texts, error_kind=error or None, **narrowed(form, from_ms, until_ms))
    return Filters(given, form, wish)
