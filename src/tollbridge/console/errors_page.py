"""Owns the page of every error that a call can meet, made from the catalogue itself.

Shown as the site's error profile has them; others can be looked at too. Must hold no error of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from starlette.responses import Response

from tollbridge.console.error_words import GLANCE, MEANINGS
from tollbridge.core.errors import CODE_TEXTS, Advice, Effective, Kind, Profile, effective
from tollbridge.core.errors.advice import TABLES
from tollbridge.web.pages import ANYBODY, Pages
from tollbridge.web.visit import Visit

pages = Pages()


@dataclass(frozen=True, slots=True)
class Shown:
    """One kind as a profile has it. `anchor` is the code if the kind is the first to have it, else ""."""

    kind: str
    anchor: str
    seen: Effective
    message: str
    meaning: str
    fix: str


@pages.get("/docs/errors", ANYBODY)
async def errors(visit: Visit) -> Response:
    """Show the errors of a profile, the site's if no other is asked for."""
    own = visit.services.snapshot().site.error_profile
    wish = visit.query("profile")
    profile = Profile(wish) if wish in list(Profile) else own
    return visit.show(
        "console/errors.html",
        kinds=shown_of(profile),
        glance=glance_of(profile),
        codes=CODE_TEXTS,
        profile=profile,
        profiles=list(Profile),
        own=own,
    )


def shown_of(profile: Profile) -> list[Shown]:
    """Return all kinds, by the status that they have in a profile."""
    taken = {kind.value for kind in Kind} | set(CODE_TEXTS)
    order = sorted(Kind, key=lambda kind: effective(kind, profile).status)
    return [_shown(kind, profile, taken) for kind in order]


def glance_of(profile: Profile) -> list[tuple[int, Advice]]:
    """Return each status of a profile with what it means and what to do."""
    return [(status, _advice(status, profile)) for status in sorted(set(_statuses(profile)))]


def _statuses(profile: Profile) -> Iterator[int]:
    yield from TABLES[profile]
    yield from (effective(kind, profile).status for kind in Kind)


def _advice(status: int, profile: Profile) -> Advice:
    """Return the profile's words for a status; ours where it has none."""
    ours, its = GLANCE[status], TABLES[profile].get(status)
    return ours if its is None else Advice(its.meaning, its.cause or ours.cause, its.fix)


def _shown(kind: Kind, profile: Profile, taken: set[str]) -> Shown:
    seen = effective(kind, profile)
    anchor = "" if seen.code in taken else seen.code
    taken.add(seen.code)
    return Shown(
        kind=kind.value,
        anchor=anchor,
        seen=seen,
        message=seen.text or seen.row.text,
        meaning=MEANINGS[kind],
        fix=seen.row.fix,
    )
