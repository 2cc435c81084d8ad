"""Owns the import of list prices: what would change is shown, and what is ticked is taken.

What is taken is bound to what was shown: each model's numbers have a mark in the form.
"""

from collections.abc import Mapping
from typing import Final

from genai_prices.types import Provider
from starlette.responses import Response

from tollbridge.catalog.edits import Edit
from tollbridge.catalog.price_import_rows import (
    Change,
    ChangedMeanwhile,
    Import,
    plan_import,
    take_import,
)
from tollbridge.catalog.price_import_source import MAKERS, SOURCE, Wish, chosen, read_source
from tollbridge.core.language import N_
from tollbridge.identity.scopes import Scope
from tollbridge.people.edits import note_edit
from tollbridge.storage.unit_of_work import writing
from tollbridge.web.pages import Pages, operator
from tollbridge.web.visit import Visit

pages = Pages()
_TAKE: Final = "take"
_SHOWN: Final = 400
"""How many changes are shown at a time: a form has a most of fields."""
MEANWHILE: Final = N_(
    "Prices were changed meanwhile. Nothing was taken; this is what would change now."
)
NOTHING_TICKED: Final = N_("Tick what is to be taken.")


@pages.get("/backoffice/prices", operator(Scope.PRICES_READ))
async def show_import(visit: Visit) -> Response:
    """Show how published list prices differ from those in force."""
    return await _page(visit, visit.query("provider"))


@pages.post("/backoffice/prices", operator(Scope.PRICES_WRITE))
async def take_prices(visit: Visit) -> Response:
    """Take the prices that are ticked, if they still are those that were shown."""
    form = await visit.form()
    provider = form.raw("provider")
    ticked = dict(_ticked(value) for value in form.many(_TAKE))
    if not ticked:
        return await _page(visit, provider, NOTHING_TICKED)
    try:
        await _take(visit, provider, ticked)
    except ChangedMeanwhile:
        return await _page(visit, provider, MEANWHILE)
    return visit.go("/backoffice/prices", said="saved", **_query(provider))


def _ticked(value: str) -> tuple[str, str]:
    mark, _, name = value.partition(" ")
    return name, mark


async def _take(visit: Visit, provider: str, ticked: Mapping[str, str]) -> None:
    """Write what is ticked, all of it or nothing: marks by models' names. ChangedMeanwhile."""
    wishes = [Wish(name, name) for name in ticked]
    async with writing(visit.services.engine) as connection:
        taken = await take_import(
            connection,
            _sellers(provider),
            wishes,
            lambda planned: marks_of(planned) == ticked,
        )
        for one in taken:
            await note_edit(connection, visit.actor, _edit(one), visit.at_ms)


def marks_of(planned: Import) -> dict[str, str]:
    """Return what stands for the change of each model that changes, by its name."""
    return {one.name: one.mark() for one in planned.differing()}


def _edit(one: Change) -> Edit:
    assert one.sold.id is not None
    told = {"prices": list(one.lines), "source": f"{SOURCE}, {one.provider}"}
    return Edit("model.import_price", "model", one.sold.id, one.name, {}, told)


async def _page(visit: Visit, provider: str, fault: str = "") -> Response:
    known = _providers()
    provider = provider if provider in known else ""
    planned = await plan_import(visit.services.engine, _sellers(provider), ())
    return visit.show(
        "backoffice/prices.html",
        422 if fault else 200,
        changes=planned.differing()[:_SHOWN],
        more=max(0, len(planned.differing()) - _SHOWN),
        same=[one for one in planned.changes if not one.lines],
        left=planned.left,
        marks=marks_of(planned),
        source=SOURCE,
        provider=provider,
        providers=[("", visit.text(ALL_MAKERS)), *((name, name) for name in known)],
        fault=fault,
    )


ALL_MAKERS: Final = N_("All makers of models")


def _providers() -> list[str]:
    return sorted(one.id for one in read_source())


def _sellers(provider: str) -> tuple[Provider, ...]:
    named = (provider,) if provider in _providers() else MAKERS
    return chosen(read_source(), named)


def _query(provider: str) -> dict[str, str]:
    return {"provider": provider} if provider else {}
