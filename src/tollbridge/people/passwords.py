"""Owns passwords of users: which are good enough, hashing off the loop, changing, resetting by mail.

argon2 takes tens of megabytes and milliseconds: it runs in few threads of its own and outside of any
transaction, so that a crowd at the door neither fills the memory nor holds the database.
Use cases run in the caller's transaction (`working`). Must not know of pages.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Literal

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.secrets import Secrets
from tollbridge.identity import one_time
from tollbridge.identity.one_time import Purpose
from tollbridge.identity.passwords import hash_password, password_matches
from tollbridge.identity.sessions import end_sessions
from tollbridge.identity.users import change_user, normalised_email
from tollbridge.people.telling import Voice, tell
from tollbridge.storage.tables import users

LEAST: Final = 10
MOST: Final = 200
RESET_MINUTES: Final = 30
_FEWEST_SIGNS: Final = 5
_MINUTE_MS: Final = 60_000
_NO_ONE: Final = (
    "$argon2id$v=19$m=65536,t=3,p=4$bvuTKrT7z4AW9YLx8/gU8A"
    "$HHCXS1jFaaKP5zIqdQyoHKIC03c/E0lG9G3ugCeYu8k"
)
"""The hash of what nobody knows, with today's parameters: checked where there is no other."""

Check = Callable[[str, str], bool]
"""Tells whether a hash (first) is that of a password; a seam for counting how often that is done."""
Weakness = Literal["short", "long", "plain"]

_threads: Final = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


class LinkOver(Exception):
    """The link was used, is too old, was replaced by a newer one, or never was one."""


def weakness(password: str, email: str) -> Weakness | None:
    """Say in one word why a password must not be taken; None when it may. Length is in characters."""
    if len(password) < LEAST:
        return "short"
    if len(password) > MOST:
        return "long"
    name = normalised_email(email)
    told = password.strip().lower() in (name, name.partition("@")[0])
    return "plain" if told or len(set(password)) < _FEWEST_SIGNS else None


async def hashed(password: str) -> str:
    """Return the hash to store. Call it outside of transactions."""
    return await asyncio.get_running_loop().run_in_executor(_threads, hash_password, password)


async def matches(stored: str | None, password: str, check: Check = password_matches) -> bool:
    """Tell whether a password is that of a hash; the same work, and False, where there is no hash.

    Call it outside of transactions.
    """
    loop = asyncio.get_running_loop()
    right = await loop.run_in_executor(_threads, check, stored or _NO_ONE, password)
    return right and stored is not None


async def change_password(
    connection: AsyncConnection,
    user_id: int,
    password_hash: str,
    voice: Voice,
    *,
    keep_session: int | None = None,
) -> RowMapping:
    """Give a user another password and say so by mail; return the row as it was before.

    All sessions end, but perhaps the one where it was done; links under way are worthless then.
    """
    query = select(users).where(users.c.id == user_id).with_for_update()
    user = (await connection.execute(query)).mappings().one()
    await change_user(connection, user_id, {"password_hash": password_hash})
    await end_sessions(connection, user_id, but=keep_session)
    for purpose in (Purpose.RESET, Purpose.NEW_EMAIL, Purpose.TOTP):
        await one_time.revoke(connection, purpose, user_id)
    await tell(connection, user, voice, "password_changed")
    return user


async def ask_reset(
    connection: AsyncConnection,
    secrets: Secrets,
    email: str,
    site_url: str,
    voice: Voice,
    at_ms: int,
) -> None:
    """Post a link that sets a new password, if somebody active has the address. Tells nothing of it."""
    query = select(users).where(
        users.c.email_norm == normalised_email(email),
        users.c.status == "active",
        users.c.deleted_ms.is_(None),
    )
    user = (await connection.execute(query.with_for_update())).mappings().one_or_none()
    if user is None:
        return
    await one_time.revoke(connection, Purpose.RESET, user["id"])
    life_ms = RESET_MINUTES * _MINUTE_MS
    word = await one_time.issue(
        connection, secrets, Purpose.RESET, at_ms=at_ms, life_ms=life_ms, user_id=user["id"]
    )
    url = f"{site_url}/reset/new?token={word}"
    await tell(connection, user, voice, "reset", url=url, minutes=RESET_MINUTES)


async def reset_for(
    connection: AsyncConnection, secrets: Secrets, word: str, at_ms: int
) -> RowMapping:
    """Return the user whom a link lets set a password, and leave it good; LinkOver when none."""
    found = await one_time.look_at(connection, secrets, Purpose.RESET, word, at_ms)
    return await _active(connection, found.user_id if found else None)


async def reset_password(
    connection: AsyncConnection,
    secrets: Secrets,
    word: str,
    password_hash: str,
    voice: Voice,
    at_ms: int,
) -> RowMapping:
    """Use a link up and set the password; return the user as before. LinkOver: nothing was done."""
    found = await one_time.use(connection, secrets, Purpose.RESET, word, at_ms)
    user = await _active(connection, found.user_id if found else None)
    return await change_password(connection, user["id"], password_hash, voice)


async def _active(connection: AsyncConnection, user_id: int | None) -> RowMapping:
    query = select(users).where(
        users.c.id == user_id, users.c.status == "active", users.c.deleted_ms.is_(None)
    )
    user = (await connection.execute(query)).mappings().one_or_none()
    if user is None:
        raise LinkOver
    return user
