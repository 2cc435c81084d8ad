"""Owns the public page of how the channels are doing, for people and, as JSON, for programs.

Only channels that everybody may choose are on it, without any numbers of calls. Must not ask the
database by itself: what it shows is the board's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup
from starlette.responses import JSONResponse, Response

from tollbridge.catalog.snapshot import Channel
from tollbridge.console.board import FRESH_MS, Seen, board_of
from tollbridge.console.channel_health import Health
from tollbridge.console.uptime_strip import now_of, strip_of
from tollbridge.people.incidents import Incident, for_readers
from tollbridge.support.uptime import DAYS
from tollbridge.web.filters import iso
from tollbridge.web.pages import ANYBODY, Pages
from tollbridge.web.visit import Visit

pages = Pages()
EVERYBODY: Final = "*"
_JSON: Final = "application/json"
_VARIES: Final = "accept, accept-language, cookie"
_TROUBLED: Final = frozenset({"failing", "unstaffed"})


@dataclass(frozen=True, slots=True)
class Line:
    """One channel: how it is now, its share of ninety days in percent, its days as a picture."""

    name: str
    now: Health
    percent: str | None
    strip: Markup


@pages.get("/status", ANYBODY)
async def status(visit: Visit) -> Response:
    """Show the channels; JSON to who asks for that and not for a page."""
    seen = await board_of(visit).look(visit.at_ms)
    accept = visit.request.headers.get("accept", "")
    wants_json = _JSON in accept and "text/html" not in accept
    response = _figures(visit, seen) if wants_json else _page(visit, seen)
    response.headers["vary"] = _VARIES
    return response


@pages.get("/status.json", ANYBODY)
async def figures(visit: Visit) -> Response:
    """Show the channels to a program."""
    return _figures(visit, await board_of(visit).look(visit.at_ms))


def _page(visit: Visit, seen: Seen) -> Response:
    channels, uptime = _channels(visit), seen.uptime
    lines = [
        Line(
            one.name,
            now_of(one, uptime),
            uptime.whole_of(one.id).percent(),
            strip_of(visit, one, uptime),
        )
        for one in channels
    ]
    running, past = _incidents(visit, seen)
    return visit.show(
        "console/status.html",
        lines=lines,
        state=_state([line.now for line in lines], running),
        running=running,
        past=past,
        read_ms=uptime.at_ms,
        days=DAYS,
    )


def _figures(visit: Visit, seen: Seen) -> Response:
    channels, uptime = _channels(visit), seen.uptime
    running, past = _incidents(visit, seen)
    content = {
        "site": visit.services.snapshot().site.name,
        "at": iso(uptime.at_ms),
        "state": _state([now_of(one, uptime) for one in channels], running),
        "channels": [_channel(one, seen) for one in channels],
        "incidents": [_incident(one) for one in running],
        "past_incidents": [_incident(one) for one in past],
    }
    headers = {"cache-control": f"public, max-age={FRESH_MS // 1000}", "vary": _VARIES}
    return JSONResponse(content, headers=headers)


def _channel(channel: Channel, seen: Seen) -> dict[str, Any]:
    uptime = seen.uptime
    pairs = zip(uptime.days, uptime.days_of(channel.id), strict=True)
    return {
        "name": channel.name,
        "state": now_of(channel, uptime),
        "uptime": uptime.whole_of(channel.id).percent(),
        "days": [{"date": day.isoformat(), "uptime": tally.percent()} for day, tally in pairs],
    }


def _incident(one: Incident) -> dict[str, Any]:
    return {
        "title": one.title,
        "body": one.body,
        "from": iso(one.starts_ms),
        "until": None if one.ends_ms is None else iso(one.ends_ms),
    }


def _channels(visit: Visit) -> list[Channel]:
    channels = visit.services.snapshot().channels.values()
    shown = [one for one in channels if one.enabled and EVERYBODY in one.groups]
    return sorted(shown, key=lambda one: one.name)


def _incidents(visit: Visit, seen: Seen) -> tuple[list[Incident], list[Incident]]:
    """Return those that are going on, and those that are over."""
    told = for_readers(seen.incidents, visit.language)
    past = [one for one in told if one.over(visit.at_ms)]
    return [one for one in told if one not in past], past


def _state(words: Sequence[Health], running: Sequence[Incident]) -> str:
    """Return how the site is as a whole: working, trouble, or an incident that operators tell of."""
    if running:
        return "incident"
    return "trouble" if _TROUBLED & set(words) else "working"
