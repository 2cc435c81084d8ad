"""Owns the applications of the control plane: routers, guard, and the refusal to open a route.

Must hold no rule of its own. A part is added by naming it in `_PARTS`.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts

from tollbridge.api.admin import (
    account_editing,
    accounts,
    announcements,
    audit,
    channels,
    codes,
    document,
    invites,
    ledger,
    me,
    models,
    overview,
    price_import,
    problems,
    requests,
    reversals,
    site,
    statements,
    statistics,
    tokens,
    users,
)
from tollbridge.api.admin.principal import Guard, requirement_of
from tollbridge.api.divided import ADMIN as PREFIX
from tollbridge.api.services import ApiServices
from tollbridge.identity.scopes import OWN, SINGLE
from tollbridge.identity.scopes import Scope as TokenScope

_PARTS: Final[tuple["Part", ...]] = (
    *(me, tokens, overview, statistics, requests, reversals, users, statements, codes, invites),
    *(channels, accounts, account_editing, models, price_import, announcements, site),
    *(audit, ledger),
)


class Part(Protocol):
    """A file of routes."""

    router: APIRouter


def make_admin(services: ApiServices) -> FastAPI:
    """Return the application of operators."""
    return make_plane(services, "Tollbridge control plane", PREFIX, _PARTS, SINGLE - OWN)


def make_plane(
    services: ApiServices,
    title: str,
    prefix: str,
    parts: Sequence[Part],
    doors: frozenset[TokenScope],
) -> FastAPI:
    """Return an application; it serves full paths, and has no pages that describe it.

    `doors` are the scopes of which a token must be good for one. ValueError for a route that does
    not say what it needs.
    """
    app = FastAPI(
        title=title,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    problems.install(app)
    for part in (*parts, document):
        app.include_router(part.router, prefix=prefix)
    for route in iter_route_contexts(app.routes):
        requirement_of(route)
    app.add_middleware(Guard, doors=doors)
    return app
