"""Owns the vendors' endpoints that pass through without being understood, by the names they are sold by.

A name is a path with `{id}` in place of every id, below the vendor's own root: `/claude/v1/files` and
`/v1/files` are sold by one name, and so are `/gemini/v1beta/files` and `/v1beta/files`. There are only
so many, and nothing that a client wrote is in any. Pure: tables and a look-up.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from types import MappingProxyType
from typing import Final, NamedTuple

_LIST = "GET POST"
_ITEM = "GET DELETE"
_FILES: Final = {
    "/v1/files": _LIST,
    "/v1/files/{id}": _ITEM,
    "/v1/files/{id}/content": "GET",
}
_ANTHROPIC: Final = {
    **_FILES,
    "/v1/messages/batches": _LIST,
    "/v1/messages/batches/{id}": _ITEM,
    "/v1/messages/batches/{id}/cancel": "POST",
    "/v1/messages/batches/{id}/results": "GET",
}
_OPENAI: Final = {
    **_FILES,
    "/v1/batches": _LIST,
    "/v1/batches/{id}": "GET",
    "/v1/batches/{id}/cancel": "POST",
    "/v1/fine_tuning/jobs": _LIST,
    "/v1/fine_tuning/jobs/{id}": "GET",
    "/v1/fine_tuning/jobs/{id}/cancel": "POST",
    "/v1/fine_tuning/jobs/{id}/checkpoints": "GET",
    "/v1/fine_tuning/jobs/{id}/events": "GET",
    "/v1/fine_tuning/jobs/{id}/pause": "POST",
    "/v1/fine_tuning/jobs/{id}/resume": "POST",
    "/v1/uploads": "POST",
    "/v1/uploads/{id}/cancel": "POST",
    "/v1/uploads/{id}/complete": "POST",
    "/v1/uploads/{id}/parts": "POST",
    "/v1/vector_stores": _LIST,
    "/v1/vector_stores/{id}": "GET POST DELETE",
    "/v1/vector_stores/{id}/file_batches": "POST",
    "/v1/vector_stores/{id}/file_batches/{id}": "GET",
    "/v1/vector_stores/{id}/file_batches/{id}/cancel": "POST",
    "/v1/vector_stores/{id}/file_batches/{id}/files": "GET",
    "/v1/vector_stores/{id}/files": _LIST,
    "/v1/vector_stores/{id}/files/{id}": "GET POST DELETE",
    "/v1/vector_stores/{id}/files/{id}/content": "GET",
    "/v1/vector_stores/{id}/search": "POST",
}
_NATIVE: Final = {
    "files": _LIST,
    "files/{id}": _ITEM,
    "files/{id}:download": "GET",
    "cachedContents": _LIST,
    "cachedContents/{id}": "GET PATCH DELETE",
    "batches": "GET",
    "batches/{id}": _ITEM,
    "batches/{id}:cancel": "POST",
    "batches/{id}:updateEmbedContentBatch": "PATCH",
    "batches/{id}:updateGenerateContentBatch": "PATCH",
}
_GEMINI: Final = {
    f"/{version}/{shape}": methods
    for version in ("v1beta", "v1alpha", "v1")
    for shape, methods in _NATIVE.items()
}
_VENDORS: Final = {"openai": _OPENAI, "anthropic": _ANTHROPIC, "gemini": _GEMINI}
ENDPOINTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        name: frozenset(" ".join(shapes.get(name, "") for shapes in _VENDORS.values()).split())
        for name in sorted(_OPENAI | _ANTHROPIC | _GEMINI)
    }
)
"""The methods of every endpoint, by the name that it is sold by."""

PLACEHOLDER: Final = "{id}"
# Google's ids are followed by a colon and what is done with them.
_ID: Final = r"(?!\.{1,2}(?:[/:]|\Z))[A-Za-z0-9._~-]{1,200}"
_FAMILIES: Final = {"/claude/": "anthropic", "/gemini/": "gemini"}
_FAMILY_CHARS: Final = len("/claude")


class Endpoint(NamedTuple):
    """One request's endpoint: its name, and where it is below a vendor's root, ids included.

    `vendors` are those that have it, as far as the path tells.
    """

    name: str
    path: str
    vendors: tuple[str, ...]


def is_endpoint(name: str) -> bool:
    """Tell whether a name in the catalogue, perhaps a wildcard, means endpoints and no model."""
    return name.startswith("/")


def can_be_sold(name: str) -> bool:
    """Tell whether there is an endpoint of this name, or any under this wildcard."""
    if name.endswith("*"):
        return is_endpoint(name) and any(one.startswith(name[:-1]) for one in ENDPOINTS)
    return name in ENDPOINTS


def find(method: str, path: str) -> Endpoint | None:
    """Return the endpoint of a request to us; None when it is none of these, or of another method.

    The path is as sent: nothing of it is decoded, and only plain characters are taken.
    """
    family = _FAMILIES.get(path[: _FAMILY_CHARS + 1])
    inner = path if family is None else path[_FAMILY_CHARS:]
    for pattern, name in _BY_ROOT.get(_root(inner), ()):
        if pattern.fullmatch(inner):
            vendors = tuple(
                vendor
                for vendor, shapes in _VENDORS.items()
                if family in {None, vendor} and method in shapes.get(name, "").split()
            )
            return Endpoint(name, inner, vendors) if vendors else None
    return None


def _root(path: str) -> str:
    """Return the first two segments of a path, by which nearly all paths are told to be others."""
    return "/".join(path.split("/", 3)[:3])


def _patterns() -> Iterator[tuple[re.Pattern[str], str]]:
    for name in ENDPOINTS:
        yield re.compile(_ID.join(map(re.escape, name.split(PLACEHOLDER)))), name


_BY_ROOT: Final = {
    root: tuple(group)
    for root, group in groupby(
        sorted(_patterns(), key=lambda one: _root(one[1])), key=lambda one: _root(one[1])
    )
}
