"""Owns /api/admin/announcements: what users are told, written, changed and ended."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, Field
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.api.admin.fields import Answer, Body, GivenMoment, Id, Moment, PathId, PlainText
from tollbridge.api.admin.paging import Page, Paging, page
from tollbridge.api.admin.principal import Principal, actor_of, require
from tollbridge.api.admin.problems import invalid, not_found
from tollbridge.api.answers import services_of
from tollbridge.core.clock import now_ms
from tollbridge.identity.scopes import Scope
from tollbridge.people import announcements as use
from tollbridge.people.announcements import BODY_MAX, TITLE_MAX, NoSuchAnnouncement
from tollbridge.storage.unit_of_work import reading, working

router = APIRouter(prefix="/announcements", tags=["announcements"])

Reads = Annotated[Principal, require(Scope.ANNOUNCEMENTS_READ)]
Writes = Annotated[Principal, require(Scope.ANNOUNCEMENTS_WRITE)]
Level = Literal["news", "warning", "incident"]
_WHAT = "such announcement"


def _of_lines(text: str) -> str:
    """Return a text in which only line breaks and tabs are no characters to be seen."""
    if not text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
        raise ValueError("Control characters are not allowed.")
    return text


class Listed(Answer):
    """An announcement in a list. `language` "" is for readers of all languages."""

    id: Id
    level: str
    title: str
    language: str
    starts_at: Moment
    ends_at: Moment | None


class Announcement(Listed):
    """One announcement; `body` is Markdown."""

    body: str


class Wished(Body):
    """What is to be announced, from now on if no moment is named."""

    level: Level
    title: PlainText = Field(min_length=1, max_length=TITLE_MAX, pattern=r"\S")
    body: Annotated[str, AfterValidator(_of_lines)] = Field(min_length=1, max_length=BODY_MAX)
    language: Literal["", "en", "zh_Hans"] = ""
    starts_at: GivenMoment | None = None
    ends_at: GivenMoment | None = None

    def announcement(self, starts_ms: int) -> use.Announcement:
        """Return it as the use case takes it; Problem 422 when it would end before it begins."""
        begins = self.starts_at if self.starts_at is not None else starts_ms
        if self.ends_at is not None and self.ends_at <= begins:
            raise invalid("body.ends_at", "An announcement ends after it has begun.")
        return use.Announcement(
            self.level, self.title, self.body, self.language, begins, self.ends_at
        )


@router.get("")
async def announcements(
    request: Request, asked: Annotated[Paging, Query()], _principal: Reads
) -> Page[Listed]:
    """List announcements, the last written first."""
    async with reading(services_of(request).engine) as connection:
        rows = await use.list_all(connection, before=asked.after_id(), limit=asked.limit + 1)
    shown = [
        Listed(
            **{name: row[name] for name in ("id", "level", "title", "language")},
            starts_at=row["starts_ms"],
            ends_at=row["ends_ms"],
        )
        for row in rows
    ]
    return page(request, asked, shown)


@router.get("/{announcement_id}")
async def announcement(
    request: Request, announcement_id: PathId, _principal: Reads
) -> Announcement:
    """Show one announcement."""
    return await _shown(services_of(request).engine, announcement_id)


@router.post("", status_code=201)
async def announce(request: Request, body: Wished, principal: Writes) -> Announcement:
    """Announce something."""
    at_ms, engine = now_ms(), services_of(request).engine
    wish = body.announcement(at_ms)
    async with working(engine) as connection:
        number = await use.announce(connection, actor_of(request, principal), wish, at_ms)
    return await _shown(engine, number)


@router.put("/{announcement_id}")
async def change(
    request: Request, announcement_id: PathId, body: Wished, principal: Writes
) -> Announcement:
    """Make an announcement what is said here; without a beginning it keeps its own."""
    at_ms, engine, actor = now_ms(), services_of(request).engine, actor_of(request, principal)
    try:
        async with working(engine) as connection:
            before = await use.find(connection, announcement_id)
            wish = body.announcement(before.starts_ms if before else at_ms)
            await use.change(connection, actor, announcement_id, wish, at_ms)
    except NoSuchAnnouncement:
        raise not_found(_WHAT) from None
    return await _shown(engine, announcement_id)


@router.post("/{announcement_id}/end")
async def end(request: Request, announcement_id: PathId, principal: Writes) -> Announcement:
    """End an announcement now; one that has not begun never begins."""
    engine = services_of(request).engine
    try:
        async with working(engine) as connection:
            await use.end(connection, actor_of(request, principal), announcement_id, now_ms())
    except NoSuchAnnouncement:
        raise not_found(_WHAT) from None
    return await _shown(engine, announcement_id)


async def _shown(engine: AsyncEngine, number: int) -> Announcement:
    async with reading(engine) as connection:
        found = await use.find(connection, number)
    if found is None:
        raise not_found(_WHAT)
    return Announcement(
        id=number,
        level=found.level,
        title=found.title,
        body=found.body,
        language=found.language,
        starts_at=found.starts_ms,
        ends_at=found.ends_ms,
    )
