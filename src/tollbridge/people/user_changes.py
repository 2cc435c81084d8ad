"""Owns what operators change of a user: role, group, limits. Every change has its line in the log.

Changes need a transaction of `writing`, because the relay knows users by their keys. Must not know
pages.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.secrets import Secrets
from tollbridge.identity.audit import Actor, Subject, note
from tollbridge.identity.users import change_user
from tollbridge.people.passwords import ask_reset
from tollbridge.people.telling import Voice
from tollbridge.storage.tables import users

ROLES: Final = ("user", "staff", "admin")
GROUP_MAX: Final = 64
RPM_MAX: Final = 1_000_000
TPM_MAX: Final = 10**12
CONCURRENCY_MAX: Final = 100_000


class NoSuchUser(LookupError):
    """There is no such user, or the account was deleted."""


class LastAdmin(Exception):
    """Nobody would be left who may do everything."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a user's keys may do together: calls and tokens a minute, calls at once. 0 = no limit.

    ValueError when one is out of range.
    """

    rpm: int
    tpm: int
    concurrency: int

    def __post_init__(self) -> None:
        """Refuse what no limit can be."""
        most = (RPM_MAX, TPM_MAX, CONCURRENCY_MAX)
        for value, bound in zip((self.rpm, self.tpm, self.concurrency), most, strict=True):
            if not 0 <= value <= bound:
                raise ValueError("a limit is out of range")


async def locked_user(connection: AsyncConnection, user_id: int) -> RowMapping:
    """Return a user's row, which nobody else changes until the end of the transaction; NoSuchUser."""
    query = select(users).where(users.c.id == user_id, users.c.deleted_ms.is_(None))
    row = (await connection.execute(query.with_for_update())).mappings().one_or_none()
    if row is None:
        raise NoSuchUser
    return row


async def keep_an_admin(connection: AsyncConnection, user_id: int) -> None:
    """Raise LastAdmin unless an active admin other than this user stays.

    Call it before anything else is locked: the admins' rows are locked in their order, so that two
    who remove each other at the same time are told apart.
    """
    query = (
        select(users.c.id)
        .where(users.c.role == "admin", users.c.status == "active", users.c.deleted_ms.is_(None))
        .order_by(users.c.id)
        .with_for_update()
    )
    staying = [one for one in (await connection.execute(query)).scalars() if one != user_id]
    if not staying:
        raise LastAdmin


async def change_role(
    connection: AsyncConnection, actor: Actor, user_id: int, role: str, at_ms: int
) -> bool:
    """Change a role; tell whether it was another. NoSuchUser, LastAdmin, ValueError for no role.

    What the user may do follows at once, in open sessions and with access tokens too.
    """
    if role not in ROLES:
        raise ValueError("not a role")
    if role != "admin":
        await _not_the_last(connection, user_id)
    row = await locked_user(connection, user_id)
    if row["role"] == role:
        return False
    await change_user(connection, user_id, {"role": role})
    subject = user_subject(row)
    await note(connection, actor, "user.role", subject, at_ms, before=row["role"], after=role)
    return True


async def change_group(
    connection: AsyncConnection, actor: Actor, user_id: int, group: str, at_ms: int
) -> bool:
    """Put a user into a group; tell whether it is another one.

    NoSuchUser; ValueError for a name that is empty, longer than GROUP_MAX or unprintable.
    """
    if not 0 < len(group) <= GROUP_MAX or not group.isprintable() or group != group.strip():
        raise ValueError("not a name of a group")
    row = await locked_user(connection, user_id)
    before = row["group_name"]
    if before == group:
        return False
    await change_user(connection, user_id, {"group_name": group})
    subject = user_subject(row)
    await note(connection, actor, "user.group", subject, at_ms, before=before, after=group)
    return True


async def change_limits(
    connection: AsyncConnection, actor: Actor, user_id: int, limits: Limits, at_ms: int
) -> bool:
    """Change what all keys of a user may do together; tell whether anything differs. NoSuchUser."""
    row = await locked_user(connection, user_id)
    after = {"rpm": limits.rpm, "tpm": limits.tpm, "concurrency": limits.concurrency}
    before = {name: row[name] for name in after}
    if before == after:
        return False
    await change_user(connection, user_id, after)
    subject = user_subject(row)
    await note(connection, actor, "user.limits", subject, at_ms, before=before, after=after)
    return True


async def mail_reset(
    connection: AsyncConnection,
    secrets: Secrets,
    actor: Actor,
    user_id: int,
    site_url: str,
    voice: Voice,
    at_ms: int,
) -> bool:
    """Post a user a link to set a new password; False for one who is suspended. NoSuchUser."""
    row = await locked_user(connection, user_id)
    if row["status"] != "active":
        return False
    await ask_reset(connection, secrets, row["email"], site_url, voice, at_ms)
    await note(connection, actor, "user.reset", user_subject(row), at_ms)
    return True


def user_subject(row: RowMapping) -> Subject:
    """Return a user as the audit log names one."""
    return Subject("user", row["id"], row["email"])


async def _not_the_last(connection: AsyncConnection, user_id: int) -> None:
    query = select(users.c.role).where(users.c.id == user_id)
    if (await connection.execute(query)).scalar_one_or_none() == "admin":
        await keep_an_admin(connection, user_id)
