"""Owns the page of what there is to choose from: channels, their models, and what these cost now."""

from dataclasses import dataclass
from typing import Final

from markupsafe import Markup
from starlette.responses import Response

from tollbridge.catalog.peak import DAYS, Peak, clock_text
from tollbridge.catalog.visibility import open_channels
from tollbridge.console.board import Seen, board_of
from tollbridge.console.channel_health import Health
from tollbridge.console.clients import fitting
from tollbridge.console.price_table import Line, Offer, lines_of, offers_of
from tollbridge.console.uptime_strip import now_of, strip_of
from tollbridge.core.errors import Surface
from tollbridge.web.forms import N_
from tollbridge.web.pages import SIGNED_IN, Pages
from tollbridge.web.visit import Visit

pages = Pages()

SURFACES: Final = {
    Surface.CHAT: "OpenAI Chat Completions",
    Surface.RESPONSES: "OpenAI Responses",
    Surface.MESSAGES: "Anthropic Messages",
    Surface.GEMINI: "Google Gemini",
    Surface.MEDIA: N_("Images, audio, embeddings"),
}
POLICIES: Final = {
    "any": N_("Any client"),
    "claude-code": N_("Claude Code only"),
    "codex": N_("Codex only"),
}
CAPABILITIES: Final = {"images": N_("Images")}
_WISH_MAX: Final = 100
_MODELS_MAX: Final = 400
"""So many models are listed on a page; a search finds the others."""
_OPEN_MAX: Final = 3
_WEEKDAYS: Final = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))


@dataclass(frozen=True, slots=True)
class Shown:
    """One channel of the page; `left_out` are models that did not fit on it."""

    offer: Offer
    lines: list[Line]
    left_out: int
    capabilities: list[str]
    clients: list[str]
    policy: str
    surfaces: list[str]
    peak: str
    now: Health
    percent: str | None
    strip: Markup


@pages.get("/console/channels", SIGNED_IN)
async def channels(visit: Visit) -> Response:
    """Show the channels that the user may choose, each with its models and their prices."""
    snapshot, group = visit.services.snapshot(), visit.user.group
    wish = visit.query("q").strip()[:_WISH_MAX]
    offers = offers_of(snapshot, open_channels(snapshot, None, group), group, visit.at_ms, wish)
    seen = await board_of(visit).look(visit.at_ms)
    room, shown = _MODELS_MAX, []
    for offer in offers:
        shown.append(_shown(visit, offer, seen, room))
        room -= min(room, len(offer.models))
    unfolded = bool(wish) or len(offers) <= _OPEN_MAX
    return visit.show("console/channels.html", shown=shown, wish=wish, unfolded=unfolded)


def _shown(visit: Visit, offer: Offer, seen: Seen, room: int) -> Shown:
    channel, uptime = offer.channel, seen.uptime
    return Shown(
        offer=offer,
        lines=lines_of(visit.services.snapshot(), offer, room),
        left_out=max(0, len(offer.models) - room),
        capabilities=[CAPABILITIES.get(one, one) for one in sorted(channel.capabilities)],
        clients=fitting(channel),
        policy=POLICIES.get(channel.client_policy, channel.client_policy),
        surfaces=[SURFACES[one] for one in Surface if one in channel.surfaces],
        peak="" if channel.peak is None else _peak(visit, channel.peak),
        now=now_of(channel, uptime),
        percent=uptime.whole_of(channel.id).percent(),
        strip=strip_of(visit, channel, uptime),
    )


def _peak(visit: Visit, peak: Peak) -> str:
    every = len(peak.days) == len(DAYS)
    days = [visit.text(_WEEKDAYS[day]) for day in sorted(peak.days)]
    return visit.text(
        N_("%(days)s, %(start)s to %(end)s (%(zone)s): %(factor)s times the price"),
        days=visit.text(N_("Every day")) if every else ", ".join(days),
        start=clock_text(peak.start),
        end=clock_text(peak.end),
        zone=peak.zone,
        factor=peak.factor.text(),
    )
