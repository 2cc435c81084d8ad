"""Owns how a channel's ninety days are drawn, and in which word it is now. Must not know pages."""

from typing import Final

from markupsafe import Markup

from tollbridge.catalog.snapshot import Channel
from tollbridge.console.channel_health import Health, health_of
from tollbridge.support.uptime import Tally, Uptime
from tollbridge.web import charts
from tollbridge.web.charts import Day, Named, State
from tollbridge.web.forms import N_
from tollbridge.web.visit import Visit

_STATES: Final[dict[Health, State]] = {
    "good": "up",
    "shaky": "shaky",
    "failing": "down",
    "quiet": "none",
    "unstaffed": "none",
}
_ALL_DAYS: Final = N_("%(percent)s %% of the calls of %(count)s days were answered.")
_NO_DAYS: Final = N_("There were no calls in %(count)s days.")
_DAY: Final = N_("%(day)s: %(percent)s %% answered")
_NO_CALLS: Final = N_("%(day)s: no calls")


def now_of(channel: Channel, uptime: Uptime) -> Health:
    """Return how a channel is doing in one word."""
    return health_of(*uptime.now_of(channel.id)) if channel.accounts else "unstaffed"


def strip_of(visit: Visit, channel: Channel, uptime: Uptime) -> Markup:
    """Return a channel's days as a picture."""
    whole = uptime.whole_of(channel.id).percent()
    named = Named(
        f"strip-{channel.id}",
        visit.text(N_("Uptime of %(channel)s by day"), channel=channel.name),
        visit.text(_ALL_DAYS if whole else _NO_DAYS, percent=whole, count=len(uptime.days)),
    )
    pairs = zip(uptime.days, uptime.days_of(channel.id), strict=True)
    return charts.strip(named, [_day(visit, day.isoformat(), tally) for day, tally in pairs])


def _day(visit: Visit, day: str, tally: Tally) -> Day:
    percent = tally.percent()
    label = visit.text(_DAY if percent else _NO_CALLS, day=day, percent=percent)
    return Day(label, _STATES[health_of(*tally)])
