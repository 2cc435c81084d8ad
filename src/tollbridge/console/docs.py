"""Owns the first page of the docs: where to call, a text to copy for every client, how money moves."""

from typing import Final

from starlette.responses import Response

from tollbridge.catalog.visibility import open_channels
from tollbridge.console.clients import PLACEHOLDER, examples
from tollbridge.web.forms import N_
from tollbridge.web.pages import ANYBODY, Pages
from tollbridge.web.visit import Visit

pages = Pages()

BASES: Final = (
    ("OpenAI", "/v1", ("/chat/completions", "/responses", "/embeddings", "/images/generations")),
    ("Anthropic", "", ("/v1/messages", "/v1/messages/count_tokens")),
    ("Google Gemini", "", ("/v1beta/models/MODEL:generateContent",)),
)
"""By protocol: what follows our address in a base URL, and some of what there is below it."""

MONEY: Final = (
    ("GET /v1/models", N_("What the key can call")),
    ("GET /v1/key", N_("What the key is good for, and what it has spent")),
    ("GET /v1/balance", N_("The wallet: what is available, what running calls reserve")),
    ("GET /v1/usage", N_("Calls, the newest first, a page at a time")),
    ("GET /v1/receipts/{tid}", N_("The arithmetic of one call")),
    ("GET /v1/statistics", N_("Figures by day or hour")),
    ("GET /v1/statements/{month}", N_("A month: JSON, CSV, a page or PDF")),
    ("GET /api/pricing", N_("The price list for programs that compare")),
)


@pages.get("/docs", ANYBODY)
async def docs(visit: Visit) -> Response:
    """Show how to begin; models are those that the visitor may choose, or everybody."""
    services = visit.services
    snapshot, url = services.snapshot(), services.site_url()
    # No channel is for a group without a name: a stranger sees what everybody may use.
    group = visit.session.group if visit.session else ""
    return visit.show(
        "console/docs.html",
        url=url,
        bases=BASES,
        clients=examples(snapshot, open_channels(snapshot, None, group), url),
        money=MONEY,
        placeholder=PLACEHOLDER,
        site=snapshot.site,
    )
