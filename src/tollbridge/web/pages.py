"""Owns the declaring of pages: every page says what it needs of its visitor, or it cannot be made.

A file of pages has one `Pages`; its `routes` go to the site. Must not know any page.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Final, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tollbridge.identity.scopes import Scope
from tollbridge.identity.sessions import SEEN_EVERY_MS, find_session, note_visit
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.web import cookies
from tollbridge.web.services import WebServices
from tollbridge.web.visit import Visit

Handler = Callable[[Visit], Awaitable[Response]]
PROVE: Final = "/prove"
"""Where somebody shows the password again before something dangerous."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a page needs: somebody signed in, a scope of the back office, a proof a moment ago."""

    signed_in: bool = True
    scope: Scope | None = None
    proved: bool = False


ANYBODY: Final = Need(signed_in=False)
SIGNED_IN: Final = Need()
PROVED: Final = Need(proved=True)


def operator(scope: Scope, *, proved: bool = False) -> Need:
    """Return the need for a role that may do something in the back office."""
    return Need(scope=scope, proved=proved)


class Pages:
    """Collects the pages of one file: `@pages.get("/console/keys", SIGNED_IN)`."""

    def __init__(self) -> None:
        self.routes: list[Route] = []
        self.needs: dict[tuple[str, str], Need] = {}

    def get(self, path: str, need: Need) -> Callable[[Handler], Handler]:
        """Declare a page that is looked at."""
        return self._declare(path, "GET", need)

    def post(self, path: str, need: Need) -> Callable[[Handler], Handler]:
        """Declare something that is done by a form."""
        return self._declare(path, "POST", need)

    def _declare(self, path: str, method: str, need: Need) -> Callable[[Handler], Handler]:
        def declare(handler: Handler) -> Handler:
            async def endpoint(request: Request) -> Response:
                return await _admitted(request, need, handler)

            self.routes.append(Route(path, endpoint, methods=[method]))
            self.needs[method, path] = need
            return handler

        return declare


def parts_of(package: str, files: Iterable[str]) -> tuple[Pages, ...]:
    """Return the pages of these files of a package: each is imported now, and has one `pages`."""
    modules = [import_module(f"{package}.{name}") for name in files]
    return tuple(cast(Pages, module.pages) for module in modules)


async def _admitted(request: Request, need: Need, handler: Handler) -> Response:
    services: WebServices = request.app.state.services
    visit = await open_visit(request, services)
    if not need.signed_in:
        return await handler(visit)
    if visit.session is None:
        return visit.sign_in_first()
    if need.scope is not None and need.scope not in visit.scopes:
        # Whoever must not enter is not told what there is.
        raise HTTPException(404)
    if need.proved and not visit.user.proved(visit.at_ms):
        back = request.url.path if request.method == "GET" else "/console/profile"
        return visit.go(PROVE, next=back)
    return await handler(visit)


async def open_visit(request: Request, services: WebServices) -> Visit:
    """Return the visit of a request, with the session that its cookie stands for."""
    visit = Visit(request, services, None)
    token = visit.cookie(cookies.SESSION)
    if not token:
        return visit
    async with reading(services.engine) as connection:
        session = await find_session(connection, services.secrets, token, visit.at_ms)
    if session is None or session.stage != "full":
        return visit
    if visit.at_ms - session.seen_ms >= SEEN_EVERY_MS:
        async with working(services.engine) as connection:
            await note_visit(connection, session.id, visit.at_ms)
    visit.session = session
    return visit
