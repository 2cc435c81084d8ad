"""Owns which announcements are shown at a moment. Must not know where, nor who writes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.people_tables import announcements

_MOST: Final = 5
_NAMES: Final = ("id", "level", "title", "body", "starts_ms")


@dataclass(frozen=True, slots=True)
class News:
    """One announcement; `level` is news, warning or incident, `body` Markdown of operators."""

    id: int
    level: str
    title: str
    body: str
    starts_ms: int


async def news_of_now(connection: AsyncConnection, language: str, at_ms: int) -> Sequence[News]:
    """Return what readers of a language are told at a moment, the latest first, five at most."""
    this = announcements.c
    query = (
        select(*(this[name] for name in _NAMES))
        .where(
            this.starts_ms <= at_ms,
            or_(this.ends_ms.is_(None), this.ends_ms > at_ms),
            this.language.in_(("", language)),
        )
        .order_by(this.starts_ms.desc(), this.id.desc())
        .limit(_MOST)
    )
    return [News(**row) for row in (await connection.execute(query)).mappings()]
