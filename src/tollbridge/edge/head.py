"""Owns the reading of a request's head: which ones are refused, and how its body is framed.

Pure: parsed pieces in, values or ApiError out. Must not know of connections, nor who will answer.
"""

from collections.abc import Sequence

from tollbridge.core.errors import ApiError, Kind, right_path

Fields = Sequence[tuple[bytes, bytes]]

# What `body_length` says of a chunked body.
CHUNKED = -1

_METHODS = {
    name.encode(): name for name in ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
}
_ALLOW = {"allow": ", ".join(_METHODS.values())}

# Said twice, these let two readers of one request disagree on its end, target, payer or format.
_ONCE = frozenset(
    {
        b"authorization",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"transfer-encoding",
        b"x-api-key",
        b"x-goog-api-key",
    }
)
_FORWARDED = b"x-forwarded-for"


def malformed(message: str) -> ApiError:
    """Return the refusal of a request that breaks HTTP or our stricter reading of it."""
    return ApiError(Kind.INVALID_REQUEST, message)


def method_of(raw: bytes, target: bytes) -> str:
    """Return the method's name; METHOD_NOT_ALLOWED for one that nobody here could answer."""
    method = _METHODS.get(raw)
    if method is None:
        facts = {"method": raw.decode("latin-1"), "path": target.decode("latin-1"), **_ALLOW}
        raise ApiError(Kind.METHOD_NOT_ALLOWED, facts=facts)
    return method


def split_target(target: bytes) -> tuple[str, bytes]:
    """Return (path, query) of a request target, still percent-encoded; only origin form is taken.

    A path that begins with two slashes is refused too: some readers take it for a host.
    """
    if not target.startswith(b"/") or target.startswith(b"//") or b"#" in target:
        facts = {"nearest": right_path(target.decode("latin-1")) or ""}
        message = "The request target must be a path, such as /v1/models."
        raise ApiError(Kind.INVALID_REQUEST, message, facts=facts)
    path, _, query = target.partition(b"?")
    return path.decode("ascii"), query


def folded(fields: Fields) -> dict[bytes, bytes]:
    """Return the headers by lower-case name: of a repeated one the first, X-Forwarded-For joined.

    INVALID_REQUEST where a repetition is dangerous.
    """
    headers = dict(fields)
    if len(headers) == len(fields):
        return headers
    headers = {}
    for name, value in fields:
        if name not in headers:
            headers[name] = value
        elif name in _ONCE:
            raise malformed(f"The header {name.decode('latin-1')} appears twice.")
        elif name == _FORWARDED:
            headers[name] += b"," + value
    return headers


def check_headers(headers: dict[bytes, bytes], version: str, *, upgrades: bool = False) -> None:
    """Refuse a version that we do not speak, a request without its Host, and an Upgrade.

    Where the path `upgrades`, a WebSocket may be asked for, without a body.
    """
    if version == "1.1":
        if b"host" not in headers:
            raise malformed("The Host header is missing.")
    elif version != "1.0":
        raise malformed("Only HTTP/1.1 and HTTP/1.0 are spoken here.")
    if b"upgrade" in headers and not (upgrades and _asks_websocket(headers)):
        raise malformed("This connection cannot be upgraded to another protocol.")


def _asks_websocket(headers: dict[bytes, bytes]) -> bool:
    framed = b"content-length" in headers or b"transfer-encoding" in headers
    return headers[b"upgrade"].lower() == b"websocket" and not framed


def body_length(headers: dict[bytes, bytes], version: str, max_body_bytes: int) -> int:
    """Return the body's length in bytes or CHUNKED; refuse what could be framed in two ways."""
    length = headers.get(b"content-length")
    encoding = headers.get(b"transfer-encoding")
    if encoding is not None:
        if length is not None or version != "1.1" or encoding.lower() != b"chunked":
            raise malformed("The only transfer-encoding taken is chunked, without content-length.")
        return CHUNKED
    if length is None:
        return 0
    if not length.isdigit():
        raise malformed("The content-length is not a number.")
    size = int(length)
    if size > max_body_bytes:
        raise too_large(max_body_bytes)
    return size


def too_large(max_body_bytes: int) -> ApiError:
    """Return the refusal of a body, announced or counted."""
    return ApiError(Kind.BODY_TOO_LARGE, f"The request body is larger than {max_body_bytes} bytes.")
