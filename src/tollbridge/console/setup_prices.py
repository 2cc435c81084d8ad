"""Owns the last page of a new site: what the first channel's models cost, seen and confirmed."""

from typing import Final

from starlette.responses import Response

from tollbridge.console.setup_channel import HOME
from tollbridge.identity.scopes import Scope
from tollbridge.people.first_channel import FirstRunOver, end_first_run, read_first_run
from tollbridge.people.first_prices import (
    ChangedMeanwhile,
    Offer,
    Size,
    offered,
    price_rows,
    take_offer,
)
from tollbridge.storage.unit_of_work import reading, writing
from tollbridge.web.forms import N_, Form
from tollbridge.web.pages import Pages, operator
from tollbridge.web.visit import Visit

pages = Pages()
PRICES: Final = "/setup/prices"
CONTEXT: Final = 128_000
OUTPUT: Final = 16_384
_TOKENS_MAX: Final = 100_000_000
CHANGED: Final = N_("The models or their prices have changed meanwhile. Look again, then confirm.")


@pages.get(PRICES, operator(Scope.PRICES_WRITE))
async def show_prices(visit: Visit) -> Response:
    """Show what would be written."""
    return await _page(visit, Form({}))


@pages.post(PRICES, operator(Scope.PRICES_WRITE))
async def take_prices(visit: Visit) -> Response:
    """Write what was shown, and end the first run."""
    form = await visit.form()
    try:
        async with writing(visit.services.engine) as connection:
            run = await read_first_run(connection)
            sizes = _sizes(form, await offered(connection, run.channel_id, visit.at_ms))
            if form.ok:
                await end_first_run(connection)
                mark = form.raw("mark")
                await take_offer(connection, visit.actor, run.channel_id, mark, sizes, visit.at_ms)
            else:
                await connection.rollback()
    except FirstRunOver:
        return visit.go(HOME)
    except ChangedMeanwhile:
        form.fault("", CHANGED)
    if not form.ok:
        return await _page(visit, form, 422)
    return visit.go(HOME)


@pages.post("/setup/end", operator(Scope.PRICES_WRITE))
async def end(visit: Visit) -> Response:
    """End the first run; what was left out waits in the back office."""
    try:
        async with writing(visit.services.engine) as connection:
            await end_first_run(connection)
    except FirstRunOver:
        pass
    return visit.go(HOME)


def _sizes(form: Form, offer: Offer) -> dict[str, Size]:
    """Return the sizes of the models that are new, faults noted in the form."""
    return {
        one.name: Size(
            form.integer(f"context:{one.name}", least=1, most=_TOKENS_MAX, blank=1),
            form.integer(f"output:{one.name}", least=1, most=_TOKENS_MAX, blank=1),
        )
        for one in offer.changes
        if one.sold.id is None
    }


async def _page(visit: Visit, form: Form, status: int = 200) -> Response:
    async with reading(visit.services.engine) as connection:
        run = await read_first_run(connection)
        offer = await offered(connection, run.channel_id, visit.at_ms)
    if run.over:
        return visit.go(HOME)
    shown = [
        {
            "name": one.name,
            "provider": one.provider,
            "new": one.sold.id is None,
            "rows": price_rows(one),
            "notes": one.notes,
            "later": [later.from_ms for later in one.later],
            "context": form.raw(f"context:{one.name}") or one.context or CONTEXT,
            "output": form.raw(f"output:{one.name}") or min(OUTPUT, one.context or OUTPUT),
        }
        for one in offer.differing()
    ]
    values = {"shown": shown, "left": offer.left, "mark": offer.mark(), "form": form}
    return visit.show("console/setup_prices.html", status, **values)
