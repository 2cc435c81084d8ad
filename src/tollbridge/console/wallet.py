"""Owns the wallet: what is there, where it came from, what came and went by month, redeeming a code.

Lines are those of the month's statement, so that page, file and API never say different things: what
calls cost is a line a day. Amounts are exact.
"""

import re
from datetime import date
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.billing.lots import lots_of
from tollbridge.billing.statement_files import statement_file
from tollbridge.billing.statements import Statement, find_account, read_statement
from tollbridge.billing.statistics import Unanswerable
from tollbridge.console.wallet_lines import FORM_OF_MONTH, Months, page_of
from tollbridge.core.money import parse_usd
from tollbridge.core.zones import day_at
from tollbridge.people.redeeming import (
    REASON_TEXTS,
    REDEEM_BY_ADDRESS,
    REDEEM_BY_USER,
    NotRedeemed,
    Reason,
    redeem,
)
from tollbridge.storage.purse_reads import figures_of
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.web.forms import Form
from tollbridge.web.pages import SIGNED_IN, Pages
from tollbridge.web.visit import Visit
from tollbridge.web.wallet_words import text_of

pages = Pages()
PATH: Final = "/console/wallet"
_CODE_MAX: Final = 100
_FILE: Final = re.compile(r"(\d{4}-\d{2})\.(html|csv|pdf)", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_LOTS_SHOWN: Final = 100


@pages.get(PATH, SIGNED_IN)
async def wallet(visit: Visit) -> Response:
    """Show the wallet and a month of it."""
    return await _page(visit, Form({}))


@pages.post("/console/wallet/redeem", SIGNED_IN)
async def redeem_code(visit: Visit) -> Response:
    """Redeem a code. Of one that is not good it is not told why."""
    form, services = await visit.form(), visit.services
    code = form.text("code", most=_CODE_MAX)
    if not form.ok:
        return await _page(visit, form, 422)
    await visit.knock(REDEEM_BY_ADDRESS, visit.address)
    await visit.knock(REDEEM_BY_USER, str(visit.user.user_id))
    try:
        async with working(services.engine) as connection:
            await redeem(connection, services.secrets, visit.user.user_id, code, visit.at_ms)
    except NotRedeemed as refused:
        mine = refused.reason is Reason.YOURS
        form.fault("code", REASON_TEXTS[Reason.YOURS if mine else Reason.UNUSABLE])
        return await _page(visit, form, 422)
    return visit.go(PATH, "redeemed")


@pages.get("/console/wallet/statement/{file}", SIGNED_IN)
async def statement(visit: Visit) -> Response:
    """Hand out a month as a file: 2026-03.pdf, .csv or .html."""
    found = _FILE.fullmatch(visit.request.path_params["file"])
    if found is None:
        raise HTTPException(404)
    async with reading(visit.services.engine) as connection:
        one = await _statement(visit, connection, found[1])
    file = await statement_file(one, found[2])
    return Response(file.body, headers=dict(file.headers))


async def _statement(visit: Visit, connection: AsyncConnection, month: str) -> Statement:
    """Return a month in the user's zone; in UTC where figures of the zone are not kept any more."""
    account = await find_account(connection, visit.user.user_id)
    if account is None:
        raise HTTPException(404)
    try:
        return await read_statement(connection, account, month, visit.zone.key, visit.at_ms)
    except Unanswerable as error:
        if error.field != "zone":
            raise HTTPException(404) from None
    try:
        return await read_statement(connection, account, month, "UTC", visit.at_ms)
    except Unanswerable:
        raise HTTPException(404) from None


async def _page(visit: Visit, form: Form, status: int = 200) -> Response:
    user = visit.user
    month = visit.query("month") or day_at(visit.zone, visit.at_ms).strftime(FORM_OF_MONTH)
    upto = visit.query("upto")
    if upto and not _NUMBER.fullmatch(upto):
        raise HTTPException(404)
    async with reading(visit.services.engine) as connection:
        figures = (await figures_of(connection, [user.wallet_id])).get(user.wallet_id)
        lots = [one for one in await lots_of(connection, user.wallet_id) if one.remaining]
        one = await _statement(visit, connection, month)
        query = select(users).where(users.c.id == user.user_id)
        row = (await connection.execute(query)).mappings().one()
    values: dict[str, Any] = {
        "balance": figures.available if figures else 0,
        "reserved": figures.held if figures else 0,
        "lots": [(each, text_of(each.origin, each.ref)) for each in lots[:_LOTS_SHOWN]],
        "more_lots": max(0, len(lots) - _LOTS_SHOWN),
        "one": one,
        "page": page_of(one, int(upto) if upto else None),
        "months": Months.around(one, _first(visit, row["created_ms"]), visit.at_ms),
        "row": row,
        "default_low": parse_usd(visit.services.settings.low_balance_usd),
        "site": visit.services.snapshot().site,
    }
    return visit.show("console/wallet.html", status, form=form, **values)


def _first(visit: Visit, created_ms: int) -> date:
    return day_at(visit.zone, created_ms).replace(day=1)
