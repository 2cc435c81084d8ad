"""Owns one request of a browser: who it is, in which language and zone, and how it is answered.

Pages get a Visit and nothing else. Must not know any page.
"""

from functools import cached_property
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tollbridge.core.clock import is_tid, now_ms
from tollbridge.core.language import chosen, said
from tollbridge.core.phrase import Phrase
from tollbridge.core.storable import id_in, storable
from tollbridge.core.zones import zone_of
from tollbridge.identity.audit import Actor
from tollbridge.identity.doors import Door, DoorShut
from tollbridge.identity.scopes import ROLE_SCOPES, Scope
from tollbridge.identity.sessions import Session
from tollbridge.web import cookies
from tollbridge.web.forms import Form, read_form
from tollbridge.web.render import render, render_block
from tollbridge.web.said import words_of
from tollbridge.web.services import WebServices

SIGN_IN: Final = "/sign-in"
_AGENT_MAX = 200
_PATH_MAX = 500


class Visit:
    """One request. `session` is None for a visitor who is not signed in (all the way)."""

    def __init__(self, request: Request, services: WebServices, session: Session | None) -> None:
        self.request = request
        self.services = services
        self.session = session
        self.at_ms = now_ms()
        """When it arrived, in milliseconds."""

    @property
    def user(self) -> Session:
        """Who is signed in; only for pages that need somebody."""
        assert self.session is not None
        return self.session

    @cached_property
    def language(self) -> str:
        """The language to answer in: the browser's choice here, the profile's, the browser's own."""
        return chosen(
            self.cookie(cookies.LANGUAGE),
            self.session.language if self.session else None,
            accept=self.request.headers.get("accept-language", ""),
        )

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone that days and times are shown in."""
        return zone_of((self.session and self.session.zone) or "UTC")

    @property
    def tid(self) -> str:
        """The trace id of this request."""
        tid: str = self.request.state.tid
        return tid

    @property
    def address(self) -> str:
        """The client's address."""
        return self.request.client.host if self.request.client else ""

    @property
    def agent(self) -> str:
        """What the browser calls itself, clipped."""
        return self.request.headers.get("user-agent", "")[:_AGENT_MAX]

    @property
    def actor(self) -> Actor:
        """Who is noted in the audit log for what this visit does."""
        return Actor(self.user.user_id, self.user.email, "console", self.address)

    @property
    def id(self) -> int:
        """The id in the path; HTTPException 404 for what is none."""
        number = id_in(self.request.path_params["id"])
        if number is None:
            raise HTTPException(404)
        return number

    @property
    def call_tid(self) -> str:
        """The trace id in the path, of a call; HTTPException 404 for what is none."""
        tid: str = self.request.path_params["tid"]
        if not is_tid(tid):
            raise HTTPException(404)
        return tid

    async def knock(self, door: Door, who: str) -> None:
        """Count a knock at a door; HTTPException 429 when there were too many."""
        try:
            await self.services.doors.knock(door, who, self.at_ms)
        except DoorShut as shut:
            raise HTTPException(429, headers={"retry-after": str(shut.wait_s)}) from None

    @property
    def partial(self) -> bool:
        """Whether htmx asks for a part of a page."""
        return self.request.headers.get("hx-request") == "true"

    @property
    def here(self) -> str:
        """The way back to this page: its path, with its parameters where it was asked for by GET."""
        url = self.request.url
        return f"{url.path}?{url.query}" if url.query and self.request.method == "GET" else url.path

    @property
    def scopes(self) -> frozenset[Scope]:
        """What the user's role may do in the back office."""
        return ROLE_SCOPES[self.session.role] if self.session else frozenset()

    def may(self, scope: str) -> bool:
        """Tell whether the user's role may do something in the back office."""
        return Scope(scope) in self.scopes

    def text(self, msgid: str, **values: object) -> str:
        """Return a text in the visitor's language."""
        text = said(self.language, msgid)
        return text if isinstance(msgid, Phrase) else text % values

    def query(self, name: str) -> str:
        """Return a parameter of the address, "" when it is not there; HTTPException 400 if unstorable."""
        value: str = self.request.query_params.get(name, "")
        if not storable(value):
            raise HTTPException(400)
        return value

    def cookie(self, name: str) -> str:
        """Return a cookie of ours, "" when it is not there."""
        return cookies.get_cookie(self.request, name, self.services.site_url())

    def keep(self, response: Response, name: str, value: str) -> None:
        """Let the browser keep a cookie of ours."""
        cookies.set_cookie(response, name, value, self.services.site_url())

    def forget(self, response: Response, name: str) -> None:
        """Let the browser forget a cookie of ours."""
        cookies.drop_cookie(response, name, self.services.site_url())

    async def form(self) -> Form:
        """Read the form that was sent."""
        return await read_form(self.request)

    def show(self, template: str, status: int = 200, **values: Any) -> Response:
        """Answer with a page."""
        said = words_of(self.cookie(cookies.SAID))
        whole = {**self._common(), "said": said, "status": status, **values}
        response = HTMLResponse(render(self.language, template, whole), status)
        if said is not None:
            self.forget(response, cookies.SAID)
        return response

    def show_part(self, template: str, block: str, status: int = 200, **values: Any) -> Response:
        """Answer with one block of a page, to a browser that has the rest."""
        whole = {**self._common(), "said": None, "status": status, **values}
        return HTMLResponse(render_block(self.language, template, block, whole), status)

    def go(self, path: str, said: str | None = None, **query: str) -> Response:
        """Send the browser to another page of ours; `said` is a word of `web.said` to show there."""
        url = f"{path}?{urlencode(query)}" if query else path
        response = RedirectResponse(url, 303)
        if said is not None:
            assert words_of(said) is not None
            self.keep(response, cookies.SAID, said)
        return response

    def sign_in_first(self) -> Response:
        """Send the browser to the sign-in page, and back here afterwards.

        Who asks for a part is on another page: htmx leaves that one, instead of putting the sign-in
        page into it, and scripts see a refusal.
        """
        if self.partial:
            here = _path_of(self.request.headers.get("hx-current-url", ""))
            way = self.go(SIGN_IN, next=own_path(here, "/console")).headers["location"]
            return Response(status_code=401, headers={"hx-redirect": way})
        if self.request.method != "GET":
            return self.go(SIGN_IN)
        return self.go(SIGN_IN, next=self.here)

    def _common(self) -> dict[str, Any]:
        return {
            "visit": self,
            "session": self.session,
            "may": self.may,
            "zone": self.zone,
            "path": self.request.url.path,
            "here": self.here,
            "theme": self.cookie(cookies.THEME),
            "site_name": self.services.snapshot().site.name,
        }


def _path_of(address: str) -> str:
    """Return the path of a page's whole address, with its parameters; "" for what is no address."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def own_path(wish: str, otherwise: str) -> str:
    """Return a path of this site that somebody wished to go to, `otherwise` for anything else.

    Never another site: "//host", "/\\\\host" and addresses with a scheme are none of our paths.
    """
    harmless = wish.startswith("/") and not wish.startswith(("//", "/\\"))
    if not harmless or len(wish) > _PATH_MAX or not wish.isascii() or not wish.isprintable():
        return otherwise
    return otherwise if "\\" in wish else wish
