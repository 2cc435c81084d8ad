"""Owns the first page of the back office: what came in, what it cost, what fails, what needs somebody.

Any operator may see it. Must not know how figures are added up.
"""

from typing import Any, Final

from starlette.responses import Response

from tollbridge.core.language import N_
from tollbridge.identity.scopes import Scope, sees_own_cost
from tollbridge.people.checklist import read_checklist
from tollbridge.people.office_figures import Channel, OfficeFigures, read_figures
from tollbridge.storage.unit_of_work import reading
from tollbridge.web import filters
from tollbridge.web.charges_chart import charges_chart
from tollbridge.web.charts import OTHER, Series
from tollbridge.web.pages import Pages, operator
from tollbridge.web.visit import Visit

pages = Pages()

PERIODS: Final = (1, 7, 30)
KINDS: Final = {
    "grant": N_("Grants"),
    "code": N_("Redeem codes"),
    "adjustment": N_("Adjustments by hand"),
    "order": N_("Orders"),
    "refund": N_("Refunds"),
    "expiry": N_("Expired credit"),
}
STATES: Final = {
    "active": N_("live"),
    "parked": N_("parked"),
    "disabled": N_("disabled"),
    "no_credential": N_("without a credential"),
}


@pages.get("/backoffice", operator(Scope.REQUESTS_READ))
async def overview(visit: Visit) -> Response:
    """Show the figures of a period, and what is amiss now."""
    days = visit.query("days")
    count = int(days) if days in {str(period) for period in PERIODS} else 7
    services = visit.services
    async with reading(services.engine) as connection:
        figures = await read_figures(connection, count, visit.zone.key, visit.at_ms)
        checklist = await read_checklist(
            connection, services.snapshot(), visit.at_ms, services.settings
        )
    total = figures.total
    return visit.show(
        "backoffice/overview.html",
        figures=figures,
        total=total,
        whole=sees_own_cost(visit.user.role),
        tried=total.calls - total.client_faults,
        channels=_coloured(figures.channels or ()),
        chart=_chart(visit, figures),
        days=count,
        periods=PERIODS,
        kinds=KINDS,
        live=figures.accounts.get("active", 0),
        accounts=sum(figures.accounts.values()),
        others=_others(visit, figures),
        percent=_percent,
        checklist=checklist,
    )


def _others(visit: Visit, figures: OfficeFigures) -> str:
    """Return in words how many accounts are in which state, other than live."""
    words = [
        f"{visit.text(STATES[state])}: {count}"
        for state, count in sorted(figures.accounts.items())
        if state != "active"
    ]
    return ", ".join(words)


def _percent(part: int, whole: int) -> str:
    """Return a share of the charges, which for a margin may be below zero."""
    return f"-{filters.share(-part, whole)}" if part < 0 and whole else filters.share(part, whole)


def _coloured(channels: Any) -> list[tuple[int, Channel]]:
    return [(min(place, OTHER), one) for place, one in enumerate(channels)]


def _chart(visit: Visit, figures: OfficeFigures) -> str:
    """Return the charges by day; nothing of a single day, whose sum stands above."""
    if len(figures.days) == 1 or not figures.total.calls or figures.channels is None:
        return ""
    charged = [Series(one.name, one.charges, colour) for colour, one in _coloured(figures.channels)]
    called = ("charges", visit.text(N_("Charges by day and channel")))
    return charges_chart(visit, called, figures.days, figures.total.charge, charged)
