"""Owns the application of all pages: its routes, its guard, and the pages for what went wrong.

Must hold no rule of its own; which pages there are is the composition root's to say.
"""

from collections.abc import Iterable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from tollbridge.core.telemetry import get_logger
from tollbridge.identity.external import Providers
from tollbridge.storage.engine import DATABASE_ERRORS, BadData
from tollbridge.web import assets
from tollbridge.web.pages import Pages, open_visit
from tollbridge.web.security import Guarded
from tollbridge.web.services import WebServices
from tollbridge.web.visit import Visit

_log = get_logger(__name__)


def make_site(services: WebServices, parts: Iterable[Pages]) -> ASGIApp:
    """Return the application of these pages."""
    routes: list[BaseRoute] = [*assets.routes]
    for part in parts:
        routes += part.routes
    site = Starlette(
        routes=routes,
        exception_handlers={
            HTTPException: _refused,
            **dict.fromkeys(DATABASE_ERRORS, _database_down),
            BadData: _bad_data,
            Exception: _failed,
        },
    )
    site.router.redirect_slashes = False
    site.state.services = services
    site.state.external = Providers(services.settings.sign_in_providers)
    return Guarded(site, services.site_url(), services.settings.captcha_origin)


def paths_of(parts: Sequence[Pages]) -> frozenset[str]:
    """Return the first segments of all pages' paths: what the site answers, and nobody else."""
    paths = [route.path for part in parts for route in part.routes]
    return frozenset(path.split("/")[1] for path in paths) | {"static"}


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    visit = await _visit(request)
    response = visit.show("error.html", error.status_code)
    response.headers.update(error.headers or {})
    return response


async def _database_down(request: Request, _error: Exception) -> Response:
    _log.warning("page_without_database", path=request.url.path)
    return _bare(request).show("error.html", 503)


async def _bad_data(request: Request, _error: Exception) -> Response:
    return (await _visit(request)).show("error.html", 400)


async def _failed(request: Request, _error: Exception) -> Response:
    """Answer what nobody expected; the server's log, which hides messages, gets the trace."""
    return _bare(request).show("error.html", 500)


async def _visit(request: Request) -> Visit:
    try:
        return await open_visit(request, request.app.state.services)
    except DATABASE_ERRORS:
        return _bare(request)


def _bare(request: Request) -> Visit:
    return Visit(request, request.app.state.services, None)
