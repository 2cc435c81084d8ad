"""Owns /api/admin/audit: what operators did, line by line. Nothing here changes a line."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field

from tollbridge.api.admin.fields import Answer, GivenId, Id, Moment, PlainText
from tollbridge.api.admin.paging import Page, Paging, page
from tollbridge.api.admin.principal import Principal, require
from tollbridge.api.answers import services_of
from tollbridge.identity.audit import Wanted, lines
from tollbridge.identity.scopes import Scope
from tollbridge.storage.unit_of_work import reading

router = APIRouter(prefix="/audit", tags=["audit"])

_SAME = (
    "id", "actor_id", "actor", "via", "address", "action", "subject_kind", "subject_id", "subject",
)  # fmt: skip


class Line(Answer):
    """Who did what to whom. `detail` has reasons, and what was there before and after."""

    id: Id
    at: Moment
    actor_id: Id | None
    actor: str
    via: str
    address: str
    action: str
    subject_kind: str
    subject_id: Id | None
    subject: str
    detail: dict[str, Any]


class LineQuery(Paging):
    """Which lines; all filters hold together."""

    actor: GivenId | None = None
    action: PlainText = Field("", max_length=64, description="Like user.suspend.")
    subject_kind: PlainText = Field("", max_length=32)
    subject: GivenId | None = None


@router.get("")
async def audit(
    request: Request,
    asked: Annotated[LineQuery, Query()],
    _principal: Annotated[Principal, require(Scope.AUDIT_READ)],
) -> Page[Line]:
    """List lines of the log, the newest first."""
    wanted = Wanted(
        actor_id=asked.actor,
        action=asked.action,
        subject_kind=asked.subject_kind,
        subject_id=asked.subject,
        before=asked.after_id(),
        limit=asked.limit + 1,
    )
    async with reading(services_of(request).engine) as connection:
        rows = await lines(connection, wanted)
    shown = [
        Line(
            **{name: row[name] for name in _SAME},
            at=row["at_ms"],
            detail=json.loads(row["detail"]),
        )
        for row in rows
    ]
    return page(request, asked, shown)
