"""Owns /api/admin/invites: who may sign up while sign-up is by invite. A code is in one answer only."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from tollbridge.api.admin.fields import Answer, Body, GivenMoment, Id, Moment, PathId, PlainText
from tollbridge.api.admin.paging import Page, Paging, page
from tollbridge.api.admin.principal import Principal, actor_of, require
from tollbridge.api.admin.problems import invalid, not_found
from tollbridge.api.answers import services_of
from tollbridge.core.clock import now_ms
from tollbridge.identity.scopes import Scope
from tollbridge.people.invites import (
    NOTE_MAX,
    USES_MAX,
    Wish,
    list_invites,
    make_invite,
    revoke_invite,
)
from tollbridge.storage.unit_of_work import reading, working

router = APIRouter(prefix="/invites", tags=["invites"])

Reads = Annotated[Principal, require(Scope.CODES_READ)]
Writes = Annotated[Principal, require(Scope.CODES_WRITE)]


class Invite(Answer):
    """An invite, of which the last six characters are known."""

    id: Id
    last6: str
    note: str
    uses: int
    uses_max: int
    created_by: Id | None
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None


class NewInvite(Body):
    """For how many people an invite is, until when, and what for."""

    uses_max: int = Field(1, ge=1, le=USES_MAX)
    expires_at: GivenMoment | None = None
    note: PlainText = Field("", max_length=NOTE_MAX)


class MadeInvite(Answer):
    """The code of a new invite, shown this once."""

    code: str


@router.get("")
async def invites(
    request: Request, asked: Annotated[Paging, Query()], _principal: Reads
) -> Page[Invite]:
    """List invites, the newest first."""
    async with reading(services_of(request).engine) as connection:
        rows = await list_invites(connection, before=asked.after_id(), limit=asked.limit + 1)
    shown = [
        Invite(
            **{
                name: row[name]
                for name in ("id", "last6", "note", "uses", "uses_max", "created_by")
            },
            created_at=row["created_ms"],
            expires_at=row["expires_ms"],
            revoked_at=row["revoked_ms"],
        )
        for row in rows
    ]
    return page(request, asked, shown)


@router.post("", status_code=201)
async def make(request: Request, body: NewInvite, principal: Writes) -> MadeInvite:
    """Make an invite. The answer is the only one that shows its code."""
    at_ms, services = now_ms(), services_of(request)
    if body.expires_at is not None and body.expires_at <= at_ms:
        raise invalid("body.expires_at", "This moment is over.")
    wish = Wish(body.uses_max, body.expires_at, body.note)
    async with working(services.engine) as connection:
        actor = actor_of(request, principal)
        return MadeInvite(code=await make_invite(connection, services.secrets, actor, wish, at_ms))


@router.delete("/{invite_id}", status_code=204)
async def revoke(request: Request, invite_id: PathId, principal: Writes) -> None:
    """Make an invite worthless."""
    async with working(services_of(request).engine) as connection:
        if not await revoke_invite(connection, actor_of(request, principal), invite_id, now_ms()):
            raise not_found("such invite, or it was revoked before")
