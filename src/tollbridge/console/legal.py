"""Owns the legal pages: the operator's texts as they are, and word that one is not written yet."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.web.forms import N_
from tollbridge.web.pages import ANYBODY, Pages
from tollbridge.web.visit import Visit

pages = Pages()

TITLES: Final = {
    "terms": N_("Terms of use"),
    "refunds": N_("Refund policy"),
    "disclaimer": N_("Disclaimer"),
}


@pages.get("/legal/{name}", ANYBODY)
async def legal(visit: Visit) -> Response:
    """Show one of the texts."""
    name = visit.request.path_params["name"]
    if name not in TITLES:
        raise HTTPException(404)
    site = visit.services.snapshot().site
    text: str = getattr(site, name)
    version = site.terms_version if name == "terms" else ""
    return visit.show("console/legal.html", name=TITLES[name], text=text.strip(), version=version)
