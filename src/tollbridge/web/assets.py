"""Owns the static files: read once, compressed once, named by their content so that browsers keep them.

Only what stands in the package under `static` is served. Must not know who uses which file.
"""

import gzip
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

STATIC: Final = Path(__file__).resolve().parent.parent / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_MARK_CHARS: Final = 12


class Asset(NamedTuple):
    """One file: its content, the same compressed, and the mark that its address carries."""

    content: bytes
    packed: bytes
    mark: str
    media_type: str


@cache
def find_asset(name: str) -> Asset | None:
    """Return a file by its path below `static`; None when there is no such file of a kind we serve."""
    if name not in _names():
        return None
    content = (STATIC / name).read_bytes()
    mark = sha256(content).hexdigest()[:_MARK_CHARS]
    media_type = _TYPES[Path(name).suffix]
    return Asset(content, gzip.compress(content, mtime=0), mark, media_type)


def asset_url(name: str) -> str:
    """Return the address of a file; LookupError when there is none."""
    asset = find_asset(name)
    if asset is None:
        raise LookupError(f"there is no static file {name}")
    return f"/static/{asset.mark}/{name}"


@cache
def _names() -> frozenset[str]:
    files = (path for path in STATIC.rglob("*") if path.suffix in _TYPES and path.is_file())
    return frozenset(path.relative_to(STATIC).as_posix() for path in files)


async def _serve(request: Request) -> Response:
    asset = find_asset(request.path_params["name"])
    if asset is None:
        raise HTTPException(404)
    headers = {"vary": "accept-encoding"}
    # An address with another mark is of another version: answered, but not kept.
    exact = request.path_params["mark"] == asset.mark
    headers["cache-control"] = _FOR_EVER if exact else "no-cache"
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(asset.content, 200, headers, asset.media_type)
    headers["content-encoding"] = "gzip"
    return Response(asset.packed, 200, headers, asset.media_type)


routes = [Route("/static/{mark}/{name:path}", _serve)]
