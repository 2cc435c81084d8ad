"""Owns who asks the control plane: an access token in `Authorization: Bearer`, and nothing else.

Every request is checked before its body is read, so that strangers are told nothing, not even which
paths there are; every route says by `require` what a token must be good for besides.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Connection

from tollbridge.api.admin.problems import BODY_MAX, Problem, database_down, shown, too_large
from tollbridge.api.answers import headers_of, services_of
from tollbridge.core.clock import now_ms
from tollbridge.identity.access_tokens import PREFIX, AccessToken
from tollbridge.identity.audit import Actor
from tollbridge.identity.scopes import Scope, effective, sees_own_cost
from tollbridge.storage.engine import DATABASE_ERRORS

_SCHEME = "bearer "
_CHALLENGE = {"www-authenticate": 'Bearer realm="tollbridge"'}
_DEAD = {
    "revoked": "This access token was revoked.",
    "expired": "This access token has expired.",
    "suspended": "The user of this access token is suspended.",
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a token, and what it is good for at this moment."""

    token: AccessToken
    scopes: frozenset[Scope]

    @property
    def user_id(self) -> int:
        """The id of the token's user."""
        return self.token.user_id

    @property
    def is_admin(self) -> bool:
        """Whether the user is an admin; says nothing of what the token is good for."""
        return self.token.role == "admin"

    def earnings(self, charge: int, own_cost: int) -> dict[str, Any]:
        """Return own cost and margin by field, in nano-dollars; None where the user sees neither."""
        if not sees_own_cost(self.token.role):
            return {"own_cost": None, "margin": None}
        return {"own_cost": own_cost, "margin": charge - own_cost}


def actor_of(request: Request, principal: Principal) -> Actor:
    """Return who is noted in the audit log for what a token's user does."""
    address = request.client.host if request.client else ""
    return Actor(principal.user_id, principal.token.email, "api", address)


@dataclass(frozen=True, slots=True)
class Requirement:
    """A dependency: what a token must be good for; None when anything that opens the door will do."""

    scope: Scope | None

    def __call__(self, request: Request) -> Principal:
        """Return who asks; Problem 403 when the token is not good for this."""
        principal: Principal = request.state.principal
        if self.scope is not None and self.scope not in principal.scopes:
            raise Problem(
                403, "scope-missing", f"This needs an access token with the scope {self.scope}."
            )
        return principal


def require(scope: Scope | None) -> Any:
    """Return the dependency that a route must have: `Annotated[Principal, require(Scope.X)]`."""
    return Depends(Requirement(scope))


def requirement_of(route: RouteContext) -> Requirement:
    """Return what a route asks of a token; ValueError for one that forgot to ask, or asks twice."""
    api = isinstance(route.original_route, APIRoute)
    found = list(_requirements(route.dependant)) if api else []
    if len(found) != 1:
        raise ValueError(f"the route {route.path} must have exactly one `require`")
    return found[0]


def _requirements(dependant: Dependant) -> Iterator[Requirement]:
    for each in dependant.dependencies:
        if isinstance(each.call, Requirement):
            yield each.call
        yield from _requirements(each)


class Guard:
    """Wraps an application so that nothing of it is reached without a live token.

    The token must be good for one of `doors` at least.
    """

    def __init__(self, app: ASGIApp, doors: frozenset[Scope]) -> None:
        self._app = app
        self._doors = doors

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            request.state.principal = await _principal(request, self._doors)
            _check_length(request)
        except Problem as problem:
            await shown(request, problem)(scope, receive, send)
        except DATABASE_ERRORS:
            await shown(request, database_down())(scope, receive, send)
        else:
            await self._app(scope, _counted(receive), send)


async def _principal(request: Request, doors: frozenset[Scope]) -> Principal:
    store = services_of(request).access_tokens
    token = await store.find(_presented(request))
    if token is None:
        raise _unauthorised("This access token is not known here.")
    dead = token.dead(now_ms())
    if dead:
        raise _unauthorised(_DEAD[dead])
    store.note_use(token)
    scopes = effective(token.role, token.scopes)
    if not scopes & doors:
        raise Problem(403, "role-forbidden", "This access token is good for nothing here.")
    return Principal(token, scopes)


def _presented(request: Request) -> str:
    """Return the token of the one header that may carry it."""
    value = headers_of(request).get(b"authorization", b"").decode("latin-1")
    if value[: len(_SCHEME)].lower() != _SCHEME:
        raise _unauthorised(f"Send an access token: Authorization: Bearer {PREFIX}…")
    token = value[len(_SCHEME) :].strip()
    if not token.startswith(PREFIX):
        raise _unauthorised(
            f"This is no access token. Keys of model calls are not taken here; make a token, which"
            f" begins with {PREFIX}, by: tollbridge token create"
        )
    return token


def _unauthorised(detail: str) -> Problem:
    return Problem(401, "unauthorised", detail, headers=_CHALLENGE)


def _check_length(request: Request) -> None:
    """Raise Problem 413 when the body says that it is too large."""
    declared = headers_of(request).get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > BODY_MAX:
        raise too_large()


def _counted(receive: Receive) -> Receive:
    """Watch a body that does not say its length."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > BODY_MAX:
            # The only exception that the framework lets through while it reads a body.
            raise HTTPException(413)
        return message

    return counted
