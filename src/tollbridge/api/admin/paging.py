"""Owns lists in pages: from which row on, how many, and the link to the next page.

A page begins behind the last row of the one before, so rows that come meanwhile shift nothing. A
cursor is that row's key, plain to read and checked. Must not know what is listed.
"""

import re
from collections.abc import Sequence
from typing import Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Request
from pydantic import Field

from tollbridge.api.admin.fields import TID_PATTERN, Answer, Parameters, id_of
from tollbridge.api.admin.problems import Problem

LIMIT_MAX = 200
_TID = re.compile(TID_PATTERN, re.ASCII)
_CURSOR_MAX = 64
T = TypeVar("T")


class Paging(Parameters):
    """The query of any list: subclasses add their filters. Unknown parameters are refused."""

    limit: int = Field(50, ge=1, le=LIMIT_MAX, description="How many at most.")
    cursor: str | None = Field(
        None, max_length=_CURSOR_MAX, description="Where to go on; take it from `next`."
    )

    def after_id(self) -> int | None:
        """Return the id behind which to begin, None at the start; Problem 400 for a wrong cursor."""
        if self.cursor is None:
            return None
        try:
            return id_of(self.cursor)
        except ValueError:
            raise _bad_cursor() from None

    def after_tid(self) -> str | None:
        """Return the tid behind which to begin, None at the start; Problem 400 for a wrong cursor."""
        if self.cursor is not None and not _TID.fullmatch(self.cursor):
            raise _bad_cursor()
        return self.cursor


class Page(Answer, Generic[T]):
    """One page of a list."""

    items: list[T]
    next: str | None = Field(description="The path of the next page; null when this is the last.")


def page(request: Request, asked: Paging, rows: Sequence[T], key: str = "id") -> Page[T]:
    """Return a page of up to `asked.limit` + 1 rows, of which the one too many says that there are more.

    `key` is the attribute of a row by which the list is ordered.
    """
    items = list(rows[: asked.limit])
    more = len(rows) > asked.limit
    link = next_link(request, getattr(items[-1], key)) if more else None
    return Page(items=items, next=link)


def next_link(request: Request, cursor: object) -> str:
    """Return this request's path with its own filters and a cursor."""
    kept = [pair for pair in request.query_params.multi_items() if pair[0] != "cursor"]
    return f"{request.url.path}?{urlencode([*kept, ('cursor', str(cursor))])}"


def _bad_cursor() -> Problem:
    return Problem(400, "bad-cursor", "This cursor is none of this list; begin without one.")
