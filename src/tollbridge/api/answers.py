"""Owns the form of every answer of the API: JSON, never cached, errors in the client's own grammar.

Must not know what is answered. Amounts are shown here alone: exact decimals, never floats.
"""

from typing import Any

import msgspec
from fastapi import Request, Response
from starlette.types import Scope

from tollbridge.api.families import family_of
from tollbridge.api.services import ApiServices
from tollbridge.core.errors import ApiError, Surface, render
from tollbridge.core.money import format_usd

_encode = msgspec.json.Encoder().encode
PRIVATE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
"""Headers of every answer: nobody on the way keeps it, and nobody guesses its type."""


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
    return raw_path(request.scope)


def raw_path(scope: Scope) -> str:
    """Return a request's path as the client sent it, still percent-encoded."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")


def headers_of(request: Request) -> dict[bytes, bytes]:
    """Return the headers by lower-case name; of a repeated one the first, as for the relay."""
    return dict(reversed(request.scope["headers"]))


def family(request: Request) -> Surface:
    """Return the surface in whose grammar this request is answered."""
    return family_of(path_of(request), headers_of(request), request.scope["query_string"])


def answer(content: Any, status: int = 200) -> Response:
    """Return a JSON answer. `content` is plain values and msgspec structs, without floats."""
    return Response(_encode(content), status, PRIVATE, "application/json")


def refusal(request: Request, error: ApiError) -> Response:
    """Return an error in the grammar of the request's family and the dialect of the site."""
    profile = services_of(request).snapshot().site.error_profile
    shown = render(error, family(request), profile, tid_of(request))
    response = Response(shown.body, shown.status, PRIVATE)
    for name, value in shown.headers:
        response.headers[name.decode()] = value.decode("latin-1")
    return response


def number(nano: int) -> msgspec.Raw:
    """Return nano-dollars as a JSON number with all its decimals, for clients that compute."""
    return msgspec.Raw(format_usd(nano).encode())
