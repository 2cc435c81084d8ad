"""Owns keeping a user out and letting one in again: keys, sessions and tokens follow the status.

Needs a transaction of `writing`: servers then refuse the user's keys within a second. The user is
told by mail why. Must not know pages.
"""

from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.identity.audit import Actor, note
from tollbridge.identity.sessions import end_sessions
from tollbridge.identity.users import change_user
from tollbridge.notify.letters import letter
from tollbridge.notify.mail import is_address
from tollbridge.notify.outbox import post_mail
from tollbridge.people.user_changes import keep_an_admin, locked_user, user_subject
from tollbridge.storage.tables import users

REASON_MAX: Final = 500


class NotOneself(Exception):
    """Nobody suspends the own account."""


async def suspend(
    connection: AsyncConnection,
    actor: Actor,
    user_id: int,
    reason: str,
    at_ms: int,
    *,
    site_name: str,
) -> bool:
    """Suspend a user, end all sessions and tell the user; False when the user was suspended before.

    NoSuchUser, NotOneself, LastAdmin; ValueError without a reason of 1 to REASON_MAX characters.
    """
    _check(reason)
    if actor.user_id == user_id:
        raise NotOneself
    if await _is_admin(connection, user_id):
        await keep_an_admin(connection, user_id)
    row = await locked_user(connection, user_id)
    if row["status"] == "suspended":
        return False
    await change_user(connection, user_id, {"status": "suspended", "status_reason": reason})
    ended = await end_sessions(connection, user_id)
    if is_address(row["email"]):
        told = letter("suspended", row["language"], row["email"], site_name, reason=reason)
        await post_mail(connection, told)
    subject = user_subject(row)
    await note(connection, actor, "user.suspend", subject, at_ms, reason=reason, sessions=ended)
    return True


async def unsuspend(
    connection: AsyncConnection, actor: Actor, user_id: int, reason: str, at_ms: int
) -> bool:
    """Let a user in again; False when the user was not suspended. NoSuchUser, ValueError as above."""
    _check(reason)
    row = await locked_user(connection, user_id)
    if row["status"] == "active":
        return False
    await change_user(connection, user_id, {"status": "active", "status_reason": ""})
    before = row["status_reason"]
    subject = user_subject(row)
    await note(connection, actor, "user.unsuspend", subject, at_ms, reason=reason, before=before)
    return True


async def sign_out_everywhere(
    connection: AsyncConnection, actor: Actor, user_id: int, at_ms: int
) -> int:
    """End all sessions of a user and return how many there were. NoSuchUser."""
    row = await locked_user(connection, user_id)
    ended = await end_sessions(connection, user_id)
    await note(connection, actor, "user.sessions", user_subject(row), at_ms, ended=ended)
    return ended


async def _is_admin(connection: AsyncConnection, user_id: int) -> bool:
    query = select(users.c.role).where(users.c.id == user_id)
    return (await connection.execute(query)).scalar_one_or_none() == "admin"


def _check(reason: str) -> None:
    if not 0 < len(reason.strip()) <= REASON_MAX:
        raise ValueError("a reason is needed")
