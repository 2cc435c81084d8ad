"""Owns the ASGI half: everything that is not a metered call, put together into one application.

Must hold no rule of its own: routes live in their files, errors in `fallback`.
"""

from collections.abc import Callable
from typing import NamedTuple

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from tollbridge.api import (
    balance,
    billing_compat,
    fallback,
    key,
    models,
    operations,
    price_list,
    receipts,
    statements,
    statistics,
    status,
    usage,
)
from tollbridge.api.cors import CrossOrigin
from tollbridge.api.divided import ADMIN, OWN, Divided
from tollbridge.api.services import ApiServices
from tollbridge.api.traced import Traced
from tollbridge.identity.doors import Doors
from tollbridge.storage.counters_memory import MemoryCounters
from tollbridge.web.lazy import LazyApp


class Site(NamedTuple):
    """The pages for people, what the paths of pages begin with, and the doors that people knock at."""

    app: ASGIApp
    segments: frozenset[str]
    doors: Doors


_PARTS = (
    operations,
    models,
    balance,
    receipts,
    usage,
    statistics,
    statements,
    billing_compat,
    key,
    price_list,
    status,
)


def make_api(services: ApiServices, site: Site | None = None) -> ASGIApp:
    """Return the application; it has no pages that describe it, and redirects nobody.

    `site` are the pages for people and the first segments of their paths.
    """
    app = FastAPI(
        title="Tollbridge",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    fallback.install(app)
    for part in _PARTS:
        app.include_router(part.router)
    # Pages of other origins have no business with the control plane.
    doors = site.doors if site else Doors(services.engine, MemoryCounters(), services.secrets)
    planes = {
        ADMIN: LazyApp(lambda: _admin(services)),
        OWN: LazyApp(lambda: _own(services, doors)),
    }
    api = Divided(planes, CrossOrigin(app))
    return Traced(api if site is None else _Beside(site, api))


def _admin(services: ApiServices) -> Callable[[], ASGIApp]:
    from tollbridge.api.admin.app import make_admin  # noqa: PLC0415

    return lambda: make_admin(services)


def _own(services: ApiServices, doors: Doors) -> Callable[[], ASGIApp]:
    from tollbridge.api.own.app import make_own  # noqa: PLC0415

    return lambda: make_own(services, doors)


class _Beside:
    """Sends what is a page's to the pages, all the rest to the API."""

    def __init__(self, site: Site, api: ASGIApp) -> None:
        self._site = site
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        chosen = self._site.app if self._is_page(scope) else self._api
        await chosen(scope, receive, send)

    def _is_page(self, scope: Scope) -> bool:
        first = scope.get("path", "/").split("/", 2)[1]
        if first not in self._site.segments:
            return False
        # A program that posts to "/" has missed its path; only browsers say where a form comes from.
        return scope["method"] in ("GET", "HEAD") or any(
            name in (b"sec-fetch-site", b"origin") for name, _ in scope["headers"]
        )
