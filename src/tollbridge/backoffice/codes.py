"""Owns the pages of redeem codes: batches, one batch, making one, revoking what is left of it.

The codes themselves are in one answer only: that to the form that made them.
"""

import csv
import io
import re
from datetime import date, datetime, time, timedelta
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.core.language import N_
from tollbridge.core.money import format_usd
from tollbridge.core.spreadsheet import plain
from tollbridge.core.storable import id_in
from tollbridge.identity.scopes import Scope
from tollbridge.people.code_batches import batches, codes_of
from tollbridge.people.redeeming import (
    AMOUNT_MAX,
    BATCH_MAX,
    CODES_MAX,
    CREDIT_DAYS_MAX,
    Batch,
    BatchTaken,
    make_codes,
    revoke_batch,
)
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.web.forms import OUT_OF_RANGE, Form
from tollbridge.web.pages import Pages, operator
from tollbridge.web.visit import Visit

pages = Pages()
_PAGE: Final = 100
_BATCHES: Final = 25
_DAY: Final = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", re.ASCII)

TAKEN: Final = N_("There is a batch of this name already. Choose another name.")
NO_DAY: Final = N_("Enter a day such as 2026-12-31, today or later.")


@pages.get("/backoffice/codes", operator(Scope.CODES_READ))
async def list_codes(visit: Visit) -> Response:
    """Show all batches, or the codes of the one that is named."""
    name = visit.query("batch")[:BATCH_MAX]
    if name:
        return await _batch(visit, name)
    before = id_in(visit.query("before"))
    async with reading(visit.services.engine) as connection:
        found = await batches(connection, visit.at_ms, before=before, limit=_BATCHES + 1)
    return visit.show(
        "backoffice/codes.html",
        batches=found[:_BATCHES],
        newest="/backoffice/codes" if before is not None else None,
        older=(
            f"/backoffice/codes?before={found[_BATCHES - 1].last_id}"
            if len(found) > _BATCHES
            else None
        ),
    )


async def _batch(visit: Visit, name: str) -> Response:
    before = id_in(visit.query("before"))
    async with reading(visit.services.engine) as connection:
        found = await batches(connection, visit.at_ms, name=name, limit=1)
        codes = await codes_of(connection, name, visit.at_ms, before=before, limit=_PAGE + 1)
    if not found:
        raise HTTPException(404)
    home = "/backoffice/codes?" + urlencode({"batch": name})
    return visit.show(
        "backoffice/codes_batch.html",
        batch=found[0],
        codes=codes[:_PAGE],
        newest=home if before is not None else None,
        older=f"{home}&before={codes[_PAGE - 1]['id']}" if len(codes) > _PAGE else None,
    )


@pages.get("/backoffice/codes/new", operator(Scope.CODES_WRITE))
async def new_codes(visit: Visit) -> Response:
    """Ask what codes to make."""
    return visit.show("backoffice/codes_new.html", values={"count": "10"}, errors={})


@pages.post("/backoffice/codes/new", operator(Scope.CODES_WRITE))
async def make(visit: Visit) -> Response:
    """Make codes and show them, this once."""
    form = await visit.form()
    batch = _batch_of(form, visit.zone, visit.at_ms)
    if batch is not None:
        services = visit.services
        try:
            async with working(services.engine) as connection:
                codes = await make_codes(
                    connection, services.secrets, visit.actor, batch, visit.at_ms
                )
        except BatchTaken:
            form.fault("batch", TAKEN)
        else:
            table = _csv(codes, batch)
            return visit.show("backoffice/codes_made.html", batch=batch, codes=codes, table=table)
    return visit.show("backoffice/codes_new.html", 422, values=form.given(), errors=form.errors)


@pages.post("/backoffice/codes/revoke", operator(Scope.CODES_WRITE))
async def revoke(visit: Visit) -> Response:
    """Make the unused codes of a batch worthless."""
    form = await visit.form()
    name = form.text("batch", most=BATCH_MAX)
    if not form.ok:
        raise HTTPException(404)
    try:
        async with working(visit.services.engine) as connection:
            await revoke_batch(connection, visit.actor, name, visit.at_ms)
    except LookupError:
        raise HTTPException(404) from None
    return visit.go("/backoffice/codes", said="codes_revoked", batch=name)


def _batch_of(form: Form, zone: ZoneInfo, at_ms: int) -> Batch | None:
    name = form.text("batch", most=BATCH_MAX)
    count = form.integer("count", least=1, most=CODES_MAX)
    amount = form.amount("amount")
    if not count:
        form.fault("count", OUT_OF_RANGE)
    if amount is not None and not 0 < amount <= AMOUNT_MAX:
        form.fault("amount", OUT_OF_RANGE)
    days = form.integer("credit_days", least=1, most=CREDIT_DAYS_MAX)
    expires_ms = _end_of_day(form, zone, at_ms)
    if not form.ok or amount is None:
        return None
    return Batch(name, count, amount, expires_ms, days or None)


def _end_of_day(form: Form, zone: ZoneInfo, at_ms: int) -> int | None:
    """Return when the day that was typed is over where the operator is; None when none was typed."""
    text = form.text("expires", most=10, need=False)
    if not text:
        return None
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        following = date.fromisoformat(text) + timedelta(days=1)
    except ValueError:
        form.fault("expires", NO_DAY)
        return None
    end_ms = int(datetime.combine(following, time(), zone).timestamp()) * 1000
    if end_ms <= at_ms:
        form.fault("expires", NO_DAY)
    return end_ms


def _csv(codes: list[str], batch: Batch) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("code", "batch", "amount_usd"))
    writer.writerows((code, plain(batch.name), format_usd(batch.amount)) for code in codes)
    return text.getvalue()
