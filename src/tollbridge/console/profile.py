"""Owns the profile: who one is here, language and zone, what one is told of, where one is signed in.

What is dangerous has pages of its own, which ask for the password first. Links to it come from here.
"""

import asyncio
from functools import cache
from typing import Any, Final
from zoneinfo import available_timezones

from sqlalchemy import select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.core.language import LANGUAGES
from tollbridge.core.money import format_usd, parse_usd
from tollbridge.core.zones import zone_of
from tollbridge.identity.recovery import codes_left
from tollbridge.identity.sessions import end_session, end_sessions, sessions_of
from tollbridge.people.external import identities_of
from tollbridge.people.preferences import (
    ALERT_MAX,
    PERIODS,
    Alerts,
    choose_alerts,
    choose_place,
)
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.web import cookies
from tollbridge.web.forms import N_, OUT_OF_RANGE, Form
from tollbridge.web.pages import SIGNED_IN, Pages
from tollbridge.web.visit import Visit

pages = Pages()
PATH: Final = "/console/profile"
NO_ZONE: Final = N_("Enter a time zone such as Europe/Berlin or UTC.")
PERIOD_TEXTS: Final = {"day": N_("Day"), "week": N_("Week"), "month": N_("Month")}
_ZONE_MAX: Final = 64


@pages.get(PATH, SIGNED_IN)
async def profile(visit: Visit) -> Response:
    """Show the profile."""
    return await _page(visit, Form({}))


@pages.post("/console/profile/place", SIGNED_IN)
async def save_place(visit: Visit) -> Response:
    """Set language and time zone; the browser's own choice of a language yields to it."""
    form = await visit.form()
    language = form.choice("language", ("", *LANGUAGES), blank="")
    zone = form.text("zone", most=_ZONE_MAX, need=False)
    try:
        zone_of(zone or "UTC")
    except ValueError:
        form.fault("zone", NO_ZONE)
    if not form.ok:
        return await _page(visit, form, 422)
    async with working(visit.services.engine) as connection:
        await choose_place(connection, visit.user.user_id, language or None, zone or None)
    response = visit.go(PATH, "saved")
    visit.forget(response, cookies.LANGUAGE)
    return response


@pages.post("/console/profile/alerts", SIGNED_IN)
async def save_alerts(visit: Visit) -> Response:
    """Set what the user is told of."""
    form = await visit.form()
    budget, low = form.amount("budget", need=False), form.amount("low", need=False)
    period = form.choice("period", PERIODS, blank="month")
    for name, amount, least in (("budget", budget, 1), ("low", low, 0)):
        if amount is not None and not least <= amount <= ALERT_MAX:
            form.fault(name, OUT_OF_RANGE)
    if not form.ok:
        return await _page(visit, form, 422)
    alerts = Alerts(budget, None if budget is None else period, low)
    async with working(visit.services.engine) as connection:
        await choose_alerts(connection, visit.user.user_id, alerts)
    return visit.go(PATH, "alerts_saved")


@pages.post("/console/profile/sessions/{id}/end", SIGNED_IN)
async def end_one(visit: Visit) -> Response:
    """End a session of the user, perhaps this one."""
    session_id = visit.id
    async with working(visit.services.engine) as connection:
        if not await end_session(connection, visit.user.user_id, session_id):
            raise HTTPException(404)
    if session_id != visit.user.id:
        return visit.go(PATH, "own_session_ended")
    response = visit.go("/sign-in", "signed_out")
    visit.forget(response, cookies.SESSION)
    return response


@pages.post("/console/profile/sessions/end", SIGNED_IN)
async def end_others(visit: Visit) -> Response:
    """End all sessions of the user but this one."""
    async with working(visit.services.engine) as connection:
        await end_sessions(connection, visit.user.user_id, but=visit.user.id)
    return visit.go(PATH, "others_ended")


@cache
def zone_names() -> list[str]:
    """Return the time zones to choose from."""
    return sorted(name for name in available_timezones() if "/" in name or name == "UTC")


async def _page(visit: Visit, form: Form, status: int = 200) -> Response:
    user, sites = visit.user, visit.services.settings.sign_in_providers
    async with reading(visit.services.engine) as connection:
        query = select(users).where(users.c.id == user.user_id)
        row = (await connection.execute(query)).mappings().one()
        values: dict[str, Any] = {
            "sessions": await sessions_of(connection, user.user_id, visit.at_ms),
            "identities": await identities_of(connection, user.user_id),
            "codes_left": await codes_left(connection, user.user_id),
        }
    stored = {
        "language": row["language"] or "",
        "zone": row["zone"] or "",
        "budget": _amount(row["budget_nano"]),
        "period": row["budget_period"] or "month",
        "low": _amount(row["low_balance_nano"]),
    }
    return visit.show(
        "console/profile.html",
        status,
        **values,
        row=row,
        errors=form.errors,
        given={**stored, **form.given()},
        sites=sites,
        names={site.name: site.shown for site in sites},
        zones=await asyncio.to_thread(zone_names),
        periods=[(name, visit.text(text)) for name, text in PERIOD_TEXTS.items()],
        proved=user.proved(visit.at_ms),
        default_low=parse_usd(visit.services.settings.low_balance_usd),
    )


def _amount(nano: int | None) -> str:
    return "" if nano is None else format_usd(nano)
