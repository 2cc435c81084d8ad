"""Owns what happens to requests that no route takes, and to errors that no route expects.

Every answer is JSON in the grammar of the path's surface; a wrong path names the right one
(errors.md, "Rules"). Must not know what the routes do.
"""

from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from tollbridge.api.answers import path_of, refusal, services_of
from tollbridge.core.errors import ApiError, Kind, not_found

_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")


def install(app: FastAPI) -> None:
    """Make every error of the application one of the catalogue's."""
    app.add_exception_handler(ApiError, _refused)
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _failed)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return refusal(request, error)


async def _unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(request, _error_of(request, error))


def _error_of(request: Request, error: HTTPException) -> ApiError:
    """Say what the framework's refusal means: it only ever refuses paths and methods."""
    path, method = path_of(request), request.method
    relayed = services_of(request).relayed
    allowed = {name for name in _METHODS if relayed(name, path)}
    if error.status_code == 405:
        allowed |= _allowed(error.headers)
    if allowed:
        return _wrong_method(method, path, ", ".join(sorted(allowed)))
    if error.status_code == 404:
        return not_found(method, path)
    return ApiError(Kind.INVALID_REQUEST)


def _allowed(headers: Mapping[str, str] | None) -> set[str]:
    named = (headers or {}).get("Allow", "GET")
    return {name.strip() for name in named.split(",")}


def _wrong_method(method: str, path: str, allow: str) -> ApiError:
    words = f"Invalid method for URL ({method} {path}); use {allow}."
    facts = {"method": method, "path": path, "allow": allow}
    return ApiError(Kind.METHOD_NOT_ALLOWED, words, facts=facts)


async def _invalid(request: Request, error: Exception) -> Response:
    """Name the parameter at fault, never its value."""
    assert isinstance(error, RequestValidationError)
    places = [str(part) for fault in error.errors()[:1] for part in fault["loc"][1:]]
    param = ".".join(places) or None
    words = f"Invalid '{param}'." if param else None
    return refusal(request, ApiError(Kind.INVALID_REQUEST, words, param=param))


async def _failed(request: Request, _error: Exception) -> Response:
    """Answer what nobody expected; the server's log, which hides messages, gets the trace."""
    return refusal(request, ApiError(Kind.INTERNAL))
