"""Owns what operators announce: written, changed and ended, each with its line in the audit log.

Bodies are Markdown, made harmless where they are shown. Must not know pages.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.clock import new_id
from tollbridge.core.language import LANGUAGES
from tollbridge.identity.audit import Actor, Subject, note
from tollbridge.storage.people_tables import announcements

LEVELS: Final = ("news", "warning", "incident")
READERS: Final = ("", *LANGUAGES)
"""Whom an announcement is for: everybody, or readers of a language."""
TITLE_MAX: Final = 200
BODY_MAX: Final = 20_000
KIND: Final = "announcement"
_FIELDS: Final = ("level", "title", "body", "language", "starts_ms", "ends_ms")
# The log tells where something was changed; a whole text in it would be clipped anyway.
_NOTED_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is announced, from when until when (None: until it is ended); milliseconds since 1970."""

    level: str
    title: str
    body: str
    language: str
    starts_ms: int
    ends_ms: int | None


class NoSuchAnnouncement(LookupError):
    """There is no announcement of this id."""


async def announce(
    connection: AsyncConnection, actor: Actor, wish: Announcement, at_ms: int
) -> int:
    """Write an announcement and return its id; ValueError for what is out of bounds."""
    _check(wish)
    number = new_id()
    await connection.execute(
        insert(announcements).values(
            id=number, created_by=actor.user_id, created_ms=at_ms, **asdict(wish)
        )
    )
    await _note(connection, actor, "make", number, wish, at_ms)
    return number


async def change(
    connection: AsyncConnection, actor: Actor, number: int, wish: Announcement, at_ms: int
) -> None:
    """Change an announcement; NoSuchAnnouncement, and ValueError for what is out of bounds."""
    _check(wish)
    before = await _locked(connection, number)
    if before == wish:
        return
    changed = update(announcements).where(announcements.c.id == number).values(**asdict(wish))
    await connection.execute(changed)
    await _note(connection, actor, "change", number, wish, at_ms, before)


async def end(connection: AsyncConnection, actor: Actor, number: int, at_ms: int) -> bool:
    """End an announcement now; False when it had ended. One that has not begun never begins."""
    before = await _locked(connection, number)
    if before.ends_ms is not None and before.ends_ms <= at_ms:
        return False
    ended = update(announcements).where(announcements.c.id == number)
    await connection.execute(ended.values(starts_ms=min(before.starts_ms, at_ms), ends_ms=at_ms))
    await note(connection, actor, f"{KIND}.end", Subject(KIND, number, before.title), at_ms)
    return True


async def find(connection: AsyncConnection, number: int) -> Announcement | None:
    """Return an announcement, None when there is none."""
    query = select(*(announcements.c[name] for name in _FIELDS))
    found = (await connection.execute(query.where(announcements.c.id == number))).mappings()
    row = found.one_or_none()
    return Announcement(**row) if row is not None else None


async def list_all(
    connection: AsyncConnection, *, before: int | None = None, limit: int = 50
) -> Sequence[RowMapping]:
    """Return announcements without their bodies, the last written first; `before` is an id."""
    shown = [column for column in announcements.c if column.name != "body"]
    query = select(*shown).order_by(announcements.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(announcements.c.id < before)
    return (await connection.execute(query)).mappings().all()


async def _locked(connection: AsyncConnection, number: int) -> Announcement:
    query = select(*(announcements.c[name] for name in _FIELDS)).with_for_update()
    found = await connection.execute(query.where(announcements.c.id == number))
    row = found.mappings().one_or_none()
    if row is None:
        raise NoSuchAnnouncement
    return Announcement(**row)


def _check(wish: Announcement) -> None:
    if wish.level not in LEVELS or wish.language not in READERS:
        raise ValueError("there is no such level or language")
    if not 0 < len(wish.title) <= TITLE_MAX or not 0 < len(wish.body) <= BODY_MAX:
        raise ValueError("an announcement has a title and a body")
    if wish.ends_ms is not None and wish.ends_ms <= wish.starts_ms:
        raise ValueError("an announcement ends after it has begun")


async def _note(
    connection: AsyncConnection,
    actor: Actor,
    verb: str,
    number: int,
    wish: Announcement,
    at_ms: int,
    before: Announcement | None = None,
) -> None:
    old = asdict(before) if before else dict.fromkeys(_FIELDS)
    new = {name: value for name, value in asdict(wish).items() if value != old[name]}
    detail = {"after": _short(new)}
    if before:
        detail["before"] = _short({name: old[name] for name in new})
    await note(
        connection, actor, f"{KIND}.{verb}", Subject(KIND, number, wish.title), at_ms, **detail
    )


def _short(values: dict[str, object]) -> dict[str, object]:
    return {
        name: value[:_NOTED_MAX] if isinstance(value, str) else value
        for name, value in values.items()
    }
