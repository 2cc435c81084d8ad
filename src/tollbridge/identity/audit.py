"""Owns the audit log: one line for everything that an operator did, in the transaction that did it.

So nothing is done without its line, and no line tells of what was rolled back. Lines are never
changed. Must not know what is done; callers give no secrets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import RowMapping, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.clock import new_id
from tollbridge.core.redaction import clipped, mask_secrets
from tollbridge.storage.people_tables import audit_log
from tollbridge.storage.rows import to_json

_NAME_MAX: Final = 320
_DETAIL_MAX: Final = 4_000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: a user by id and address, or the shell of the machine (no id)."""

    user_id: int | None
    name: str
    via: Literal["console", "api", "shell"]
    address: str = ""


SHELL: Final = Actor(None, "shell", "shell")


@dataclass(frozen=True, slots=True)
class Subject:
    """To what something is done: its kind ("user", "channel", "call" …), id if any, and name."""

    kind: str
    id: int | None
    name: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines of the log: all filters together; `before` is the id of the last line seen."""

    actor_id: int | None = None
    action: str = ""
    subject_kind: str = ""
    subject_id: int | None = None
    before: int | None = None
    limit: int = 50


async def note(
    connection: AsyncConnection,
    actor: Actor,
    action: str,
    subject: Subject,
    at_ms: int,
    **detail: Any,
) -> None:
    """Write a line: `action` is noun.verb such as "user.suspend"; `detail` plain values, for instance
    reason=…, before=…, after=… .
    """
    await connection.execute(
        insert(audit_log).values(
            id=new_id(),
            at_ms=at_ms,
            actor_id=actor.user_id,
            actor=clipped(actor.name, _NAME_MAX),
            via=actor.via,
            address=actor.address,
            action=action,
            subject_kind=subject.kind,
            subject_id=subject.id,
            subject=clipped(mask_secrets(subject.name), _NAME_MAX),
            detail=_detail(detail),
        )
    )


async def lines(connection: AsyncConnection, wanted: Wanted) -> Sequence[RowMapping]:
    """Return lines of the log, the newest first, at most `limit`."""
    query = select(audit_log).order_by(audit_log.c.id.desc()).limit(wanted.limit)
    if wanted.before is not None:
        query = query.where(audit_log.c.id < wanted.before)
    for column, value in (
        (audit_log.c.actor_id, wanted.actor_id),
        (audit_log.c.action, wanted.action or None),
        (audit_log.c.subject_kind, wanted.subject_kind or None),
        (audit_log.c.subject_id, wanted.subject_id),
    ):
        if value is not None:
            query = query.where(column == value)
    return (await connection.execute(query)).mappings().all()


def _detail(detail: dict[str, Any]) -> str:
    """Return the JSON of a detail; a text that is too long for a line is clipped first."""
    short = {
        name: clipped(mask_secrets(value), 1_000) if isinstance(value, str) else value
        for name, value in detail.items()
    }
    text = to_json(short)
    return text if len(text) <= _DETAIL_MAX else to_json({"clipped": text[:_DETAIL_MAX]})
