"""Owns what guards every page: headers of every answer, and who may send a form.

A form is taken from our own pages alone, by what the browser itself says of where the request
comes from (`Sec-Fetch-Site`, else `Origin`): pages need no hidden tokens. Must not know any page.
"""

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SAFE = ("GET", "HEAD", "OPTIONS")
_POLICY: Final = (
    "default-src 'self'; script-src 'self'{scripts}; style-src 'self'; img-src 'self' data: blob:;"
    " connect-src 'self'; frame-src {frames}; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    # An address of ours may carry a one-time word.
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
)
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")


class Guarded:
    """Wraps the pages. `site_url` may have https; `widget` is the origin of a captcha's script."""

    def __init__(self, app: ASGIApp, site_url: str, widget: str = "") -> None:
        self._app = app
        scripts = f" {widget}" if widget else ""
        policy = _POLICY.format(scripts=scripts, frames=widget or "'none'")
        secure = (_HSTS,) if site_url.startswith("https:") else ()
        self._headers = ((b"content-security-policy", policy.encode()), *_HEADERS, *secure)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        guarded = self._guarded(send)
        if scope["method"] not in _SAFE and not from_here(Headers(scope=scope)):
            refusal = PlainTextResponse("This form was not sent from a page of this site.", 403)
            await refusal(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)

    def _guarded(self, send: Send) -> Send:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                # A file that is more than a page of ours brings a policy of its own.
                own = {name for name, _ in headers}
                headers += [header for header in self._headers if header[0] not in own]
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
                message = {**message, "headers": headers}
            await send(message)

        return guarded


def from_here(headers: Headers) -> bool:
    """Tell whether a browser sent this from one of our own pages.

    What says nothing of where it comes from is no browser of the last years: refused as well.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    try:
        origin = urlsplit(headers.get("origin", "")).netloc
    except ValueError:
        return False
    return bool(origin) and origin == headers.get("host")
