"""Owns every failure of the control plane: RFC 9457 documents, whatever went wrong where.

No input and no exception's text is ever in one, but the names of fields. Must not know the routes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException

from tollbridge.api.answers import path_of, tid_of
from tollbridge.core.errors import CATALOGUE, ApiError, Kind, message_of
from tollbridge.core.redaction import one_line
from tollbridge.core.telemetry import get_logger
from tollbridge.identity.doors import DoorShut
from tollbridge.storage.engine import DATABASE_ERRORS, BadData

MEDIA_TYPE = "application/problem+json"
BODY_MAX = 256 * 1024
"""Bytes that the body of a request may have."""

_TYPE = "urn:tollbridge:problem:"
_PATH_SHOWN = 512
_FAULTS_SHOWN = 50
_RETRY_S = "1"
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fault:
    """One field that is wrong: where (`body.name`, `query.limit`), and in which way."""

    field: str
    message: str


class Problem(Exception):
    """Ends a request. `kind` is the last part of the type's URI: a few words with hyphens.

    `detail` says what is wrong here and what to do; it must quote no secret. Its text as an
    exception is the kind alone, because exceptions reach the log.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        errors: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(kind)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}


def not_found(what: str) -> Problem:
    """Return the problem of something that is not there (any more)."""
    return Problem(404, "not-found", f"There is no {what}.")


def conflict(detail: str) -> Problem:
    """Return the problem of a change that what is there does not allow."""
    return Problem(409, "conflict", detail)


def invalid(field: str, message: str) -> Problem:
    """Return the problem of one wrong field, like `body.name`, that a rule of ours refuses."""
    return Problem(422, "invalid", "The request is not valid.", (Fault(field, message),))


def invalid_all(faults: Mapping[str, str]) -> Problem:
    """Return the problem of several wrong fields, each with what is wrong."""
    named = tuple(Fault(field, message) for field, message in faults.items())
    return Problem(422, "invalid", "The request is not valid.", named)


def too_large() -> Problem:
    """Return the problem of a body that nobody will read to its end."""
    return Problem(413, "body-too-large", f"A body has at most {BODY_MAX} bytes.")


def shown(request: Request, problem: Problem) -> Response:
    """Return the document of a problem."""
    content: dict[str, object] = {
        "type": _TYPE + problem.kind,
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "instance": one_line(path_of(request))[:_PATH_SHOWN],
        "tid": tid_of(request),
    }
    if problem.errors:
        content["errors"] = [
            {"field": one.field, "message": one.message} for one in problem.errors[:_FAULTS_SHOWN]
        ]
    return Response(msgspec.json.encode(content), problem.status, problem.headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every failure of the application a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ApiError, _of_catalogue)
    app.add_exception_handler(DoorShut, _shut)
    for kind in DATABASE_ERRORS:
        app.add_exception_handler(kind, _database_down)
    app.add_exception_handler(BadData, _bad_data)
    app.add_exception_handler(IntegrityError, _in_the_way)
    app.add_exception_handler(Exception, _failed)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return shown(request, error)


async def _unrouted(request: Request, error: Exception) -> Response:
    """Say what the framework refuses: a path, a method, or a body that cannot be read."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 404:
        return shown(request, Problem(404, "not-found", "There is nothing at this path."))
    if error.status_code == 405:
        detail = f"This path takes {headers.get('Allow', 'another method')}."
        return shown(request, Problem(405, "method-not-allowed", detail, headers=headers))
    if error.status_code == 413:
        return shown(request, too_large())
    return shown(request, Problem(400, "unreadable", "The body cannot be read as JSON."))


async def _invalid(request: Request, error: Exception) -> Response:
    """Name the fields at fault, never their values."""
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return shown(request, Problem(400, "unreadable", "The body cannot be read as JSON."))
    named = tuple(Fault(_place(fault["loc"]), _words(fault)) for fault in faults)
    return shown(request, Problem(422, "invalid", "The request is not valid.", named))


def _place(loc: Sequence[object]) -> str:
    return one_line(".".join(str(part) for part in loc))[:_PATH_SHOWN]


def _words(fault: Mapping[str, object]) -> str:
    """Some of pydantic's messages quote what was sent; those of enums and patterns quote ours."""
    if fault["type"] == "extra_forbidden":
        return "There is no such field."
    context = fault.get("ctx")
    if fault["type"] == "value_error" and isinstance(context, Mapping):
        return str(context.get("error", "Not valid."))
    return str(fault["msg"])


async def _of_catalogue(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    if error.kind is Kind.DATABASE_DOWN:
        return await _database_down(request, error)
    status = CATALOGUE[error.kind].status
    kind = error.kind.value.replace("_", "-")
    return shown(request, Problem(status, kind, message_of(error)))


async def _shut(request: Request, error: Exception) -> Response:
    assert isinstance(error, DoorShut)
    headers = {"retry-after": str(error.wait_s)}
    detail = f"This was tried too often; try again in {error.wait_s} seconds."
    return shown(request, Problem(429, "too-many-tries", detail, headers=headers))


def database_down() -> Problem:
    """Return the problem of a database that cannot be asked now."""
    detail = "The database cannot be reached now; try again."
    return Problem(503, "database-down", detail, headers={"retry-after": _RETRY_S})


async def _database_down(request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        _log.warning("the database failed a request", reason=type(error).__name__)
    return shown(request, database_down())


async def _bad_data(request: Request, _error: Exception) -> Response:
    return shown(
        request, Problem(422, "invalid", "A text or a number here is one that cannot be kept.")
    )


async def _in_the_way(request: Request, _error: Exception) -> Response:
    """Two changes at once, of which a rule of the database let only one through."""
    return shown(
        request, conflict("Something else was changed at the same time; look and try again.")
    )


async def _failed(request: Request, _error: Exception) -> Response:
    """Answer what nobody expected; the server's log, which hides messages, gets the trace."""
    return shown(request, Problem(500, "internal", "Something went wrong here; tell us the tid."))
