"""Owns the cookies of this site: their names, who may read them, how they are set and taken away.

Where the site is reached by https, or on the machine itself (which browsers trust as much), every
cookie is `__Host-` and Secure, so that no neighbouring host can plant one. On plain http elsewhere
browsers would drop such cookies; another name keeps what was planted there from counting by https.
"""

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from tollbridge.identity.sessions import LIFE_MS

SESSION: Final = "session"
LANGUAGE: Final = "language"
THEME: Final = "theme"
SAID: Final = "said"
"""What was just done, as a word; shown once on the next page."""
FLOW: Final = "flow"
"""Binds a browser to something that it began: a sign-up, or a visit to another site."""

_YEAR_S = 365 * 86_400
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_LIVES_S: Final = {
    SESSION: LIFE_MS // 1000,
    LANGUAGE: _YEAR_S,
    THEME: _YEAR_S,
    SAID: 60,
    FLOW: 86_400,
}


def trustworthy(site_url: str) -> bool:
    """Tell whether browsers keep Secure cookies of a site: https, or this machine itself."""
    parts = urlsplit(site_url)
    return parts.scheme == "https" or (parts.hostname or "") in _LOOPBACK


def get_cookie(request: Request, name: str, site_url: str) -> str:
    """Return a cookie's value, "" when there is none."""
    return request.cookies.get(_full(name, site_url), "")


def set_cookie(response: Response, name: str, value: str, site_url: str) -> None:
    """Let the browser keep a cookie of ours; scripts never see it."""
    response.set_cookie(
        _full(name, site_url),
        value,
        max_age=_LIVES_S[name],
        path="/",
        secure=trustworthy(site_url),
        httponly=True,
        samesite="lax",
    )


def drop_cookie(response: Response, name: str, site_url: str) -> None:
    """Let the browser forget a cookie."""
    response.delete_cookie(
        _full(name, site_url),
        path="/",
        secure=trustworthy(site_url),
        httponly=True,
        samesite="lax",
    )


def _full(name: str, site_url: str) -> str:
    return f"__Host-{name}" if trustworthy(site_url) else name
