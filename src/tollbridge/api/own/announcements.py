"""Owns /api/user/announcements: what the operators tell their users at this moment."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field

from tollbridge.api.admin.fields import Answer, Id, Moment, Parameters
from tollbridge.api.admin.paging import Page
from tollbridge.api.admin.principal import Principal, require
from tollbridge.api.answers import services_of
from tollbridge.core.clock import now_ms
from tollbridge.identity.scopes import Scope
from tollbridge.people.news import news_of_now
from tollbridge.storage.unit_of_work import reading

router = APIRouter(prefix="/announcements", tags=["announcements"])


class Announcement(Answer):
    """What is told, since when. `body` is Markdown."""

    id: Id
    level: str = Field(description="news, warning or incident.")
    title: str
    body: str
    starts_at: Moment


class NewsQuery(Parameters):
    """In which language."""

    language: Literal["en", "zh_Hans"] = Field("en", description="For readers of this language.")


@router.get("")
async def announcements(
    request: Request,
    asked: Annotated[NewsQuery, Query()],
    _principal: Annotated[Principal, require(Scope.OWN_READ)],
) -> Page[Announcement]:
    """List what is told now, the latest first, five at most."""
    async with reading(services_of(request).engine) as connection:
        found = await news_of_now(connection, asked.language, now_ms())
    items = [
        Announcement(
            id=one.id,
            level=one.level,
            title=one.title,
            body=one.body,
            starts_at=one.starts_ms,
        )
        for one in found
    ]
    return Page(items=items, next=None)
