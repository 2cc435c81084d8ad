"""Owns the application behind /api/admin: its routers, its guard, and its refusal to open a route.

Must hold no rule of its own. A part is added by naming it in `_PARTS`.
"""

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tollbridge.api.admin import (
    accounts,
    channels,
    document,
    me,
    problems,
    requests,
    reversals,
    statements,
    statistics,
    tokens,
)
from tollbridge.api.admin.principal import Guard, requirement_of
from tollbridge.api.services import ApiServices

PREFIX = "/api/admin"
_PARTS = (me, tokens, channels, accounts, requests, reversals, statistics, statements)
_PRIVATE = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


def make_admin(services: ApiServices) -> FastAPI:
    """Return the application; it serves full paths, and has no pages that describe it."""
    app = FastAPI(
        title="Tollbridge control plane",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    problems.install(app)
    for part in (*_PARTS, document):
        app.include_router(part.router, prefix=PREFIX)
    for route in iter_route_contexts(app.routes):
        requirement_of(route)
    app.add_middleware(Guard)
    return app


class Divided:
    """Sends what is under /api/admin to one application and all the rest to another.

    Nobody on the way keeps an answer of the control plane.
    """

    def __init__(self, admin: ASGIApp, others: ASGIApp) -> None:
        self._admin = admin
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope.get("path", "")
        if path == PREFIX or path.startswith(f"{PREFIX}/"):
            await self._admin(scope, receive, _private(send))
        else:
            await self._others(scope, receive, send)


def _private(send: Send) -> Send:
    async def private(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_PRIVATE]}
        await send(message)

    return private
