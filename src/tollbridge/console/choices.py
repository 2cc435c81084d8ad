"""Owns what a browser chooses for itself: language and theme. Needs no account."""

from starlette.responses import Response

from tollbridge.core.language import LANGUAGES
from tollbridge.web import cookies
from tollbridge.web.pages import ANYBODY, Pages
from tollbridge.web.visit import Visit, own_path

pages = Pages()


@pages.post("/console/language", ANYBODY)
async def choose_language(visit: Visit) -> Response:
    """Keep the language in the browser."""
    return await _chosen(visit, cookies.LANGUAGE, tuple(LANGUAGES))


@pages.post("/console/theme", ANYBODY)
async def choose_theme(visit: Visit) -> Response:
    """Keep light or dark in the browser."""
    return await _chosen(visit, cookies.THEME, ("light", "dark"))


async def _chosen(visit: Visit, name: str, options: tuple[str, ...]) -> Response:
    form = await visit.form()
    value = form.choice(name, options)
    response = visit.go(own_path(form.raw("back"), "/"))
    if form.ok:
        visit.keep(response, name, value)
    return response
