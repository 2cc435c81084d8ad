"""Owns invites: codes that let somebody sign up while sign-up is by invite only.

Stored as HMACs; the code is told once. An invite is counted when an account comes of it, not when
somebody asks for one. Must not know pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Any, Final

from sqlalchemy import RowMapping, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.clock import new_id
from tollbridge.core.secrets import Secrets, last6
from tollbridge.identity.audit import Actor, Subject, note
from tollbridge.storage.people_tables import invites

PREFIX: Final = "tbi_"
NOTE_MAX: Final = 200
USES_MAX: Final = 100_000
_CODE_MAX: Final = 64
_DOMAIN: Final = "invite"


@dataclass(frozen=True, slots=True)
class Wish:
    """What an invite is to be: for how many people, until when (None: for ever), and what for."""

    uses_max: int = 1
    expires_ms: int | None = None
    note: str = ""


async def make_invite(
    connection: AsyncConnection, secrets: Secrets, actor: Actor, wish: Wish, at_ms: int
) -> str:
    """Make an invite and return its code, which is stored nowhere as it is.

    ValueError for a number of uses or a note out of bounds.
    """
    if not 1 <= wish.uses_max <= USES_MAX or len(wish.note) > NOTE_MAX:
        raise ValueError("out of bounds")
    code, invite_id = PREFIX + token_urlsafe(24), new_id()
    await connection.execute(
        insert(invites).values(
            id=invite_id,
            hash=secrets.mark(_DOMAIN, code),
            last6=last6(code),
            note=wish.note,
            uses_max=wish.uses_max,
            created_by=actor.user_id,
            created_ms=at_ms,
            expires_ms=wish.expires_ms,
        )
    )
    subject = Subject("invite", invite_id, f"…{last6(code)}")
    await note(
        connection, actor, "invite.make", subject, at_ms, uses_max=wish.uses_max, note=wish.note
    )
    return code


async def list_invites(
    connection: AsyncConnection, *, before: int | None = None, limit: int = 100
) -> Sequence[RowMapping]:
    """Return invites, the newest first, never their hashes; `before` is the last id seen."""
    shown = [column for column in invites.c if column.name != "hash"]
    query = select(*shown).order_by(invites.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(invites.c.id < before)
    return (await connection.execute(query)).mappings().all()


async def revoke_invite(
    connection: AsyncConnection, actor: Actor, invite_id: int, at_ms: int
) -> bool:
    """Make an invite worthless; False when there is none or it was revoked before."""
    revoked = (
        update(invites)
        .where(invites.c.id == invite_id, invites.c.revoked_ms.is_(None))
        .values(revoked_ms=at_ms)
        .returning(invites.c.last6)
    )
    end = (await connection.execute(revoked)).scalar_one_or_none()
    if end is None:
        return False
    await note(connection, actor, "invite.revoke", Subject("invite", invite_id, f"…{end}"), at_ms)
    return True


async def find_invite(
    connection: AsyncConnection, secrets: Secrets, code: str, at_ms: int
) -> int | None:
    """Return the id of the invite with a code; None when it lets nobody in (any more)."""
    if not code.startswith(PREFIX) or len(code) > _CODE_MAX or not code.isascii():
        return None
    query = select(invites.c.id).where(invites.c.hash == secrets.mark(_DOMAIN, code), *_good(at_ms))
    return (await connection.execute(query)).scalar_one_or_none()


async def count_use(connection: AsyncConnection, invite_id: int, at_ms: int) -> bool:
    """Count somebody who has come by an invite; False when it has no use left or was revoked.

    `at_ms` is when it was shown: who asked before it expired may come in afterwards.
    """
    counted = (
        update(invites)
        .where(invites.c.id == invite_id, *_good(at_ms))
        .values(uses=invites.c.uses + 1)
    )
    return bool((await connection.execute(counted)).rowcount)


def _good(at_ms: int) -> tuple[Any, ...]:
    return (
        invites.c.uses < invites.c.uses_max,
        invites.c.revoked_ms.is_(None),
        or_(invites.c.expires_ms.is_(None), invites.c.expires_ms > at_ms),
    )
