"""Owns the first page of the console: balance, spending, failures, speed; for somebody new, the way in."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from tollbridge.billing.levels import days_left
from tollbridge.console.sheet import sheet
from tollbridge.console.spend import Spend, read_spend
from tollbridge.core.money import format_usd
from tollbridge.people.first_steps import read_first_steps
from tollbridge.people.news import news_of_now
from tollbridge.storage.first_call import first_call
from tollbridge.storage.purse_reads import figures_of
from tollbridge.storage.unit_of_work import reading
from tollbridge.web import charts, filters
from tollbridge.web.charges_chart import charges_chart
from tollbridge.web.charts import Named, Series
from tollbridge.web.forms import N_
from tollbridge.web.pages import SIGNED_IN, Pages
from tollbridge.web.visit import Visit

pages = Pages()

PERIODS: Final = (7, 30, 90)
GROUPS: Final = {"model": N_("By model"), "key": N_("By key")}
_TEMPLATE: Final = "console/overview.html"
_ROWS_SHOWN: Final = 50
_COLUMNS: Final = (
    "day", "requests", "failed", "client_faults", "tokens_in", "tokens_out", "charge_usd",
)  # fmt: skip


@pages.get("/console", SIGNED_IN)
async def overview(visit: Visit) -> Response:
    """Show how things stand; the first steps to somebody who has made no call yet."""
    user = visit.user
    async with reading(visit.services.engine) as connection:
        if await first_call(connection, user.user_id) is None:
            steps = await read_first_steps(connection, user.user_id, user.wallet_id)
            news = await news_of_now(connection, visit.language, visit.at_ms)
            return visit.show("console/first_steps.html", steps=steps, news=news)
        values = await _values(visit, connection)
        if visit.partial:
            return visit.show_part(_TEMPLATE, "spend", **values)
        money = await _money(visit, connection)
        news = await news_of_now(connection, visit.language, visit.at_ms)
    return visit.show(_TEMPLATE, **values, **money, news=news)


@pages.get("/console/first-call", SIGNED_IN)
async def waiting(visit: Visit) -> Response:
    """Tell a page that waits whether the first call is there; nothing (204) while it is not."""
    if not visit.partial:
        return visit.go("/console")
    async with reading(visit.services.engine) as connection:
        tid = await first_call(connection, visit.user.user_id)
    if tid is None:
        return Response(status_code=204)
    return visit.show_part("console/first_steps.html", "arrived", tid=tid)


@pages.get("/console/overview.csv", SIGNED_IN)
async def overview_csv(visit: Visit) -> Response:
    """Hand out what is shown as a file: a line for each day and model or key."""
    days, by = _chosen(visit)
    async with reading(visit.services.engine) as connection:
        spend = await _spend(visit, connection, days, by)
    name = f"spending-{spend.days[0]}-{spend.days[-1]}-{by}.csv"
    header = (_COLUMNS[0], by, *_COLUMNS[1:])
    return sheet(name, header, _rows(spend, visit))


def _rows(spend: Spend, visit: Visit) -> Iterator[Sequence[str | int]]:
    for cell in spend.cells:
        one = cell.sum
        yield (
            cell.day, cell.name or visit.text(N_("All")), one.calls, one.failed, one.client_faults,
            one.tokens_in, one.tokens_out, format_usd(one.charge),
        )  # fmt: skip


def _chosen(visit: Visit) -> tuple[int, str]:
    """Return the period in days and what is grouped by; what is not offered is the usual."""
    days, by = visit.query("days"), visit.query("by")
    return (
        int(days) if days in {str(period) for period in PERIODS} else 30,
        by if by in GROUPS else "model",
    )


async def _spend(visit: Visit, connection: AsyncConnection, days: int, by: str) -> Spend:
    zone = visit.zone.key
    return await read_spend(connection, visit.user.user_id, days, by, zone, visit.at_ms)


async def _values(visit: Visit, connection: AsyncConnection) -> dict[str, Any]:
    days, by = _chosen(visit)
    spend = await _spend(visit, connection, days, by)
    return {
        "spend": spend,
        "days": days,
        "by": by,
        "periods": PERIODS,
        "groups": GROUPS,
        "shown": spend.groups[:_ROWS_SHOWN],
        "spending_chart": _spending_chart(visit, spend),
        "speed_chart": _speed_chart(visit, spend),
    }


async def _money(visit: Visit, connection: AsyncConnection) -> dict[str, Any]:
    user = visit.user
    purses = await figures_of(connection, [user.wallet_id])
    purse = purses.get(user.wallet_id)
    available = purse.available if purse else 0
    left = await days_left(connection, user.user_id, available, visit.at_ms)
    return {"balance": available, "reserved": purse.held if purse else 0, "left": left}


def _spending_chart(visit: Visit, spend: Spend) -> str:
    charged = [
        Series(one.name or visit.text(N_("All")), one.charges, one.colour) for one in spend.groups
    ]
    called = ("spending", visit.text(N_("Spending by day")))
    return charges_chart(visit, called, spend.days, spend.total.charge, charged)


def _speed_chart(visit: Visit, spend: Spend) -> str:
    words = (N_("half of the calls"), N_("95 of 100 calls"))
    series = [
        Series(visit.text(word), [day[place] for day in spend.by_day], place)
        for place, word in enumerate(words)
    ]
    text = visit.text(
        N_("In all, half of the calls began to answer within %(p50)s, 95 of 100 within %(p95)s."),
        p50=visit.text(filters.duration(spend.first_token[0])),
        p95=visit.text(filters.duration(spend.first_token[1])),
    )
    named = Named("speed", visit.text(N_("Time to the first token by day")), text)
    return charts.lines(
        named, spend.days, series, lambda value: visit.text(filters.duration(value))
    )
