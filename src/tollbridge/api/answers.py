"""Owns the form of every answer of the API: JSON, never cached, errors in the path's own grammar.

Must not know what is answered. Amounts are shown here alone: exact decimals, never floats.
"""

from typing import Any

import msgspec
from fastapi import Request, Response

from tollbridge.api.services import ApiServices
from tollbridge.core.errors import ApiError, render, surface_of
from tollbridge.core.money import format_usd

_encode = msgspec.json.Encoder().encode
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def services_of(request: Request) -> ApiServices:
    """Return the wiring of the application that got this request."""
    services: ApiServices = request.app.state.services
    return services


def tid_of(request: Request) -> str:
    """Return the trace id of this request."""
    tid: str = request.state.tid
    return tid


def path_of(request: Request) -> str:
    """Return the path as the client sent it, still percent-encoded."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    return raw.partition(b"?")[0].decode("latin-1")


def answer(content: Any, status: int = 200) -> Response:
    """Return a JSON answer. `content` is plain values and msgspec structs, without floats."""
    return Response(_encode(content), status, _HEADERS, "application/json")


def refusal(request: Request, error: ApiError) -> Response:
    """Return an error in the grammar of the path's surface and the dialect of the site."""
    profile = services_of(request).snapshot().site.error_profile
    shown = render(error, surface_of(path_of(request)), profile, tid_of(request))
    response = Response(shown.body, shown.status, _HEADERS)
    for name, value in shown.headers:
        response.headers[name.decode()] = value.decode("latin-1")
    return response


def number(nano: int) -> msgspec.Raw:
    """Return nano-dollars as a JSON number with all its decimals, for clients that compute."""
    return msgspec.Raw(format_usd(nano).encode())
