"""Owns calls from pages of other origins: the preflight, and the headers of the API's own answers.

Only the API paths: console, back office and operations belong to their own pages alone. The relay
says the same by itself (`core.cross_origin`). Must not know what is asked or answered.
"""

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tollbridge.api.answers import raw_path
from tollbridge.core.cross_origin import ANSWER_PAIRS, ORIGIN_PAIR
from tollbridge.core.errors import is_api_path

_ASKED = b"access-control-request-headers"
# What a browser may ask for is a list of names; anything else is answered with the usual ones.
_NAMES = re.compile(rb"[\w!#$%&'*+.^`|~-]+(?:, *[\w!#$%&'*+.^`|~-]+)*", re.ASCII)
_NAMES_MAX = 4_096
_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_USUAL = (
    b"accept, authorization, content-type, idempotency-key, x-tollbridge-channel,"
    b" x-api-key, anthropic-version, anthropic-beta, anthropic-dangerous-direct-browser-access,"
    b" x-goog-api-key, x-goog-api-client, openai-organization, openai-project, openai-beta,"
    b" x-stainless-arch, x-stainless-helper-method, x-stainless-lang, x-stainless-os,"
    b" x-stainless-package-version, x-stainless-retry-count, x-stainless-runtime,"
    b" x-stainless-runtime-version, x-stainless-timeout"
)
_DAY_S = b"86400"


class CrossOrigin:
    """Wraps an application so that pages of any origin can use its API paths."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not is_api_path(raw_path(scope)):
            await self._app(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await _preflight(scope, send)
        else:
            await self._app(scope, receive, _opened(send))


async def _preflight(scope: Scope, send: Send) -> None:
    """Allow everything, right path or wrong: what is wrong the call itself is told, readably."""
    asked = next((value for name, value in scope["headers"] if name == _ASKED), b"")
    plain = len(asked) <= _NAMES_MAX and _NAMES.fullmatch(asked)
    headers = [
        ORIGIN_PAIR,
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", asked if plain else _USUAL),
        (b"access-control-max-age", _DAY_S),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _opened(send: Send) -> Send:
    async def opened(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *ANSWER_PAIRS]}
        await send(message)

    return opened
