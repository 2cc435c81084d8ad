"""Owns making an admin from outside of the pages of operators: the first one by link, others by shell.

An address that has an account becomes an admin with the new password, and whoever was signed in with
the old one is no longer. Functions over the caller's transaction of `writing`; passwords come in
hashed. Must not know pages, cookies or commands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing.grants import open_wallet
from tollbridge.catalog.site_fields import BY_NAME, checked
from tollbridge.catalog.site_rows import change_site
from tollbridge.core.clock import new_id
from tollbridge.core.secrets import Secrets
from tollbridge.identity.audit import Actor, Subject, note
from tollbridge.identity.one_time import Purpose, revoke, use
from tollbridge.identity.sessions import end_sessions
from tollbridge.identity.users import add_user, change_user, normalised_email
from tollbridge.people.setup_link import TURN, has_admin
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import take_turns

SITE: Final = ("name", "sign_up", "sign_up_bonus")
"""The settings that the first run asks for; all others keep their defaults."""


class SetUpAlready(Exception):
    """There is an admin: the first run is over for good."""


class LinkOver(Exception):
    """The link was used, is too old, was replaced by a newer one, or never was one."""


@dataclass(frozen=True, slots=True, repr=False)
class Admin:
    """Who is to be an admin."""

    email: str
    password_hash: str
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """An admin: `new` when there was no such account, `before` the role of one that there was."""

    user_id: int
    new: bool
    before: str = ""
    second_factor: bool = False


async def set_up(
    connection: AsyncConnection,
    secrets: Secrets,
    word: str,
    admin: Admin,
    site: Mapping[str, Any],
    address: str,
    at_ms: int,
) -> Made:
    """Make the first admin and name the site. SetUpAlready or LinkOver: the caller keeps nothing.

    `site` has values of `SITE`, checked here once more (ValueError); `address` is the browser's.
    """
    await take_turns(connection, TURN)
    if await has_admin(connection):
        raise SetUpAlready
    if await use(connection, secrets, Purpose.SETUP, word, at_ms) is None:
        raise LinkOver
    wanted = {name: checked(BY_NAME[name], site[name]) for name in SITE}
    made = await _made(connection, admin, at_ms)
    changed = await change_site(connection, wanted)
    actor = Actor(made.user_id, admin.email, "console", address)
    subject = Subject("user", made.user_id, admin.email)
    await note(connection, actor, "site.setup", subject, at_ms, new=made.new, settings=changed)
    return made


async def make_admin(connection: AsyncConnection, admin: Admin, actor: Actor, at_ms: int) -> Made:
    """Make an admin, of an account that there is or anew."""
    await take_turns(connection, TURN)
    made = await _made(connection, admin, at_ms)
    # Nobody needs a link any more that makes the first one.
    await revoke(connection, Purpose.SETUP, None)
    subject = Subject("user", made.user_id, admin.email)
    await note(
        connection, actor, "user.admin", subject, at_ms, new=made.new, before=made.before or None
    )
    return made


async def _made(connection: AsyncConnection, admin: Admin, at_ms: int) -> Made:
    query = select(users).where(users.c.email_norm == normalised_email(admin.email))
    row = (await connection.execute(query.with_for_update())).mappings().one_or_none()
    wanted = {"role": "admin", "password_hash": admin.password_hash}
    if row is None:
        user_id = new_id()
        wallet_id = await open_wallet(connection, user_id)
        more = {"group_name": "default", "wallet_id": wallet_id, "language": admin.language}
        verified = {"verified_ms": at_ms}
        await add_user(connection, user_id, admin.email, at_ms, {**wanted, **more, **verified})
        return Made(user_id, new=True)
    active = {"status": "active", "status_reason": "", "verified_ms": row["verified_ms"] or at_ms}
    await change_user(connection, row["id"], {**wanted, **active})
    await end_sessions(connection, row["id"])
    for purpose in (Purpose.RESET, Purpose.NEW_EMAIL, Purpose.TOTP):
        await revoke(connection, purpose, row["id"])
    return Made(row["id"], False, row["role"], row["totp_secret"] is not None)
