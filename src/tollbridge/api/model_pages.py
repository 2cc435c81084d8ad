"""Owns which part of a sorted list a client asks for: by the names around it, or by a token.

A name says its place in the list even when it is not in it any more, so a walk over all pages goes
on whatever is changed meanwhile. Pure.
"""

import base64
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence

from tollbridge.core.errors import ApiError, Kind

Query = Mapping[str, str]

_MAX = 1_000
_CURSOR_DEFAULT = 20
_TOKEN_DEFAULT = 50
_DIGITS_MAX = 9


def cursor_page(names: Sequence[str], query: Query) -> tuple[list[str], bool]:
    """Return the names after `after_id`, or right before `before_id`, and whether more follow there.

    ApiError when `limit` is not a number from 1 to 1000.
    """
    limit = _number(query, "limit", _CURSOR_DEFAULT, least=1, most=_MAX)
    after, before = query.get("after_id"), query.get("before_id")
    start = bisect_right(names, after) if after else 0
    end = max(bisect_left(names, before), start) if before else len(names)
    if before:
        return list(names[max(end - limit, start) : end]), end - limit > start
    return list(names[start : start + limit]), start + limit < end


def token_page(names: Sequence[str], query: Query) -> tuple[list[str], str | None]:
    """Return a page and the token of the next, None after the last.

    ApiError when `pageSize` is not a number or `pageToken` none of ours; a size of 0 is the usual
    one, and one above 1000 is 1000.
    """
    size = min(_number(query, "pageSize", 0), _MAX) or _TOKEN_DEFAULT
    token = query.get("pageToken")
    start = bisect_right(names, _place(token)) if token else 0
    page = list(names[start : start + size])
    more = start + size < len(names)
    return page, base64.urlsafe_b64encode(page[-1].encode()).decode() if more else None


def _place(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), b"-_", validate=True).decode()
    except ValueError:
        raise _wrong("pageToken", "is not a token of this list") from None


def _number(
    query: Query, name: str, default: int, *, least: int = 0, most: int | None = None
) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise _wrong(name, "must be a whole number")
    number = int(text)
    if number < least or (most is not None and number > most):
        raise _wrong(name, f"must be from {least} to {most}")
    return number


def _wrong(name: str, reason: str) -> ApiError:
    return ApiError(Kind.INVALID_REQUEST, f"Invalid '{name}': it {reason}.", param=name)
