"""Owns openapi.json of each application: all of it for machines, failures and scopes included.

Must not know any route.
"""

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from fastapi.routing import RouteContext, iter_route_contexts

from tollbridge import __version__
from tollbridge.api.admin.principal import Principal, require, requirement_of
from tollbridge.api.admin.problems import MEDIA_TYPE

router = APIRouter(tags=["document"])

_SCHEME = "accessToken"
_FAULT = {
    "type": "object",
    "required": ["field", "message"],
    "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
}
_PROBLEM = {
    "type": "object",
    "description": "A failure (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance", "tid"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "tid": {"type": "string", "description": "The trace id of this request."},
        "errors": {"type": "array", "items": _FAULT},
    },
}
_ALWAYS = {
    "400": "The query, the cursor or the body cannot be read.",
    "401": "No access token, or one that is not good any more.",
    "403": "The access token is not good for this.",
    "422": "A field is wrong.",
    "500": "Something went wrong here.",
    "503": "The database cannot be reached now.",
}
_WITH_ID = {"404": "There is no such thing."}
_WITH_BODY = {"409": "What is there does not allow it.", "413": "The body is too large."}
_SAID = {"404", "409", "429"}


@router.get("/openapi.json", response_class=JSONResponse)
async def openapi(request: Request, _principal: Annotated[Principal, require(None)]) -> Any:
    """Show this document."""
    return JSONResponse(document_of(request.app))


def document_of(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of the application."""
    document = get_openapi(
        title=app.title,
        version=__version__,
        description="Money is exact decimal strings in US dollars, times are ISO 8601 in UTC, ids"
        " are strings. Lists are read page by page: follow `next` until it is null.",
        routes=app.routes,
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    components["securitySchemes"] = {
        _SCHEME: {
            "type": "http",
            "scheme": "bearer",
            "description": "An access token, tbp_…; each operation names the scope that it needs.",
        }
    }
    for route in iter_route_contexts(app.routes):
        for method in route.methods or ():
            _complete(document["paths"][route.path_format][method.lower()], route)
    return document


def _complete(operation: dict[str, Any], route: RouteContext) -> None:
    """Add what the framework does not know: failures, and what a token must be good for."""
    scope = requirement_of(route).scope
    operation["security"] = [{_SCHEME: [scope.value] if scope else []}]
    failures = {
        **_ALWAYS,
        **(_WITH_ID if "{" in str(route.path_format) else {}),
        **(_WITH_BODY if "requestBody" in operation else {}),
    }
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    answers = operation["responses"]
    # What a route says itself of a failure stays; what the framework says of them does not hold.
    said = {status: one["description"] for status, one in answers.items() if status in _SAID}
    for status, words in {**failures, **said}.items():
        answers[status] = {"description": words, "content": problem}
