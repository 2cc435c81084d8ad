"""Owns which incidents are told to everybody: those of now, and those of the last two weeks.

Must not know where they are shown, nor who writes them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.people_tables import announcements

PAST_MS: Final = 14 * 86_400_000
_MOST: Final = 100
_NAMES: Final = ("id", "title", "body", "language", "starts_ms", "ends_ms")


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident; `body` is Markdown of operators, `language` "" for readers of all languages."""

    id: int
    title: str
    body: str
    language: str
    starts_ms: int
    ends_ms: int | None

    def over(self, at_ms: int) -> bool:
        """Tell whether it has ended."""
        return self.ends_ms is not None and self.ends_ms <= at_ms


async def read_incidents(connection: AsyncConnection, at_ms: int) -> Sequence[Incident]:
    """Return incidents that have begun and lasted into the last two weeks, the latest first."""
    this = announcements.c
    query = (
        select(*(this[name] for name in _NAMES))
        .where(
            this.level == "incident",
            this.starts_ms <= at_ms,
            or_(this.ends_ms.is_(None), this.ends_ms > at_ms - PAST_MS),
        )
        .order_by(this.starts_ms.desc(), this.id.desc())
        .limit(_MOST)
    )
    return [Incident(**row) for row in (await connection.execute(query)).mappings()]


def for_readers(incidents: Iterable[Incident], language: str) -> list[Incident]:
    """Return those that readers of a language are told."""
    return [one for one in incidents if one.language in {"", language}]
