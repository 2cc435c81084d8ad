"""Owns /api/user/sessions: the browsers in which one is signed in, listed and ended."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from tollbridge.api.admin.fields import Answer, Id, Moment, PathId
from tollbridge.api.admin.paging import Page, Paging, page
from tollbridge.api.admin.principal import Principal, require
from tollbridge.api.admin.problems import not_found
from tollbridge.api.answers import services_of
from tollbridge.core.clock import now_ms
from tollbridge.identity.scopes import Scope
from tollbridge.identity.sessions import end_session, end_sessions, sessions_of
from tollbridge.storage.unit_of_work import reading, working

router = APIRouter(prefix="/sessions", tags=["sessions"])

Reads = Annotated[Principal, require(Scope.OWN_READ)]
Writes = Annotated[Principal, require(Scope.OWN_WRITE)]


class Session(Answer):
    """A browser: what it calls itself, from where it came, and when it was last here."""

    id: Id
    agent: str
    address: str
    created_at: Moment
    seen_at: Moment


class Ended(Answer):
    """How many sessions there were."""

    ended: int


@router.get("")
async def sessions(
    request: Request, asked: Annotated[Paging, Query()], principal: Reads
) -> Page[Session]:
    """List sessions, the newest first."""
    async with reading(services_of(request).engine) as connection:
        rows = await sessions_of(connection, principal.user_id, now_ms())
    after = asked.after_id()
    shown = [
        Session(
            id=row["id"],
            agent=row["agent"],
            address=row["address"],
            created_at=row["created_ms"],
            seen_at=row["seen_ms"],
        )
        for row in sorted(rows, key=lambda row: -row["id"])
        if after is None or row["id"] < after
    ]
    return page(request, asked, shown)


@router.delete("/{session_id}", status_code=204)
async def end(request: Request, session_id: PathId, principal: Writes) -> None:
    """End a session: whoever uses that browser must sign in again."""
    async with working(services_of(request).engine) as connection:
        if not await end_session(connection, principal.user_id, session_id):
            raise not_found("such session")


@router.delete("")
async def end_all(request: Request, principal: Writes) -> Ended:
    """End all sessions. Access tokens go on."""
    async with working(services_of(request).engine) as connection:
        return Ended(ended=await end_sessions(connection, principal.user_id))
