"""Owns which pages there are to look at: every declared one, its parameters filled from real links.

Pages without parameters are asked for first; what they link to fills the others. A page that is
neither linked nor excused is a fault of the test.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx2
from starlette.routing import compile_path

from tollbridge.backoffice.parts import PARTS as OFFICE
from tollbridge.console.parts import PARTS as CONSOLE
from tollbridge.web.pages import Need

_HREF = re.compile(r'(?:href|hx-get)="([^"#]+)')

# No pages: what they answer is said beside each.
EXCUSED: Final[Mapping[str, str]] = {
    "/": "leads to the console or the sign-in",
    "/verify": "needs the link of a letter: the user's path has it",
    "/reset/new": "needs the link of a letter",
    "/console/profile/email/confirm": "needs the link of a letter",
    "/sign-in/second": "needs half a sign-in",
    "/sign-in/with/{provider}": "leads to another site, and none is configured",
    "/sign-in/with/{provider}/back": "the way back from another site",
    "/console/first-call": "a part of the overview",
    "/console/keys/{id}/first-call": "a part of the page with the secret",
    "/setup": "is there only while there is no admin: the operator's path has it",
    "/setup/channel": "is there only in the first run: the operator's path has it",
    "/setup/test": "is there only in the first run: the operator's path has it",
    "/setup/prices": "is there only in the first run: the operator's path has it",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What there is to look at: addresses of pages by declared path, files, and what was not found."""

    pages: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def _declared(fits: Callable[[Need], bool]) -> list[str]:
    """Return the paths of the pages that are looked at and whose need fits."""
    return [
        path
        for part in (*CONSOLE, *OFFICE)
        for (method, path), need in part.needs.items()
        if method == "GET" and fits(need)
    ]


def for_visitors() -> list[str]:
    """Return the pages that need nobody signed in."""
    return _declared(lambda need: not need.signed_in)


def for_users() -> list[str]:
    """Return the pages of somebody signed in."""
    return _declared(lambda need: need.signed_in and need.scope is None)


def for_operators() -> list[str]:
    """Return the pages of the back office, and of the first run."""
    return _declared(lambda need: need.scope is not None)


class Walk:
    """Finds addresses for declared paths with one client, which may be signed in."""

    def __init__(self, client: httpx2.Client, paths: Iterable[str]) -> None:
        self._client = client
        self._open = {path: compile_path(path)[0] for path in paths if path not in EXCUSED}
        self._seen: set[str] = set()
        self._failed: dict[str, str] = {}
        self.found = Found()

    def go(self) -> Found:
        """Ask for what has no parameters, then for what is linked, until nothing new is."""
        ready = [path for path in self._open if "{" not in path]
        while ready:
            links = [link for path in ready for link in self._look(path)]
            ready = [link for link in dict.fromkeys(links) if self._wanted(link)]
        self.found.missing.extend(self._failed.get(path, path) for path in sorted(self._open))
        return self.found

    def _wanted(self, link: str) -> bool:
        return link not in self._seen and self._path_of(link) is not None

    def _path_of(self, link: str) -> str | None:
        """Return the declared path that a link fills, if that is still open; the plainest first."""
        path = urlsplit(link).path
        fitting = (one for one, pattern in self._open.items() if pattern.match(path))
        return min(fitting, key=lambda one: one.count("{"), default=None)

    def _look(self, link: str) -> list[str]:
        self._seen.add(link)
        reply = self._client.get(link)
        path = self._path_of(link)
        if path is None:
            return []
        if reply.status_code >= 400:
            # Another link to the same page may say more: which channel a new account is for, say.
            self._failed[path] = f"{link}: {reply.status_code}"
            return []
        del self._open[path]
        html = reply.headers.get("content-type", "").startswith("text/html")
        (self.found.pages if html else self.found.files)[path] = link
        return [_own(link, one) for one in _HREF.findall(reply.text)] if html else []


def _own(page: str, href: str) -> str:
    parts = urlsplit(urljoin(page, href.replace("&amp;", "&")))
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
