"""Owns the end of an account: what opens doors goes at once, what the books need stays.

The row keeps its id, its wallet and its group; calls, journal and bonus marks are not touched, so
the books hold and nobody gets a bonus twice (product.md, S0-bonus). Credit that is left stays in the
wallet, where nobody can spend it. Calls that run settle as ever. Only inside `writing`: servers refuse
the keys within a second. Must not know pages.
"""

from typing import Any, Final

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.identity.audit import Actor, Subject, note
from tollbridge.identity.recovery import forget_codes
from tollbridge.identity.sessions import end_sessions
from tollbridge.identity.users import change_user
from tollbridge.people.keys import delete_key
from tollbridge.people.telling import Voice, tell
from tollbridge.people.user_changes import keep_an_admin, locked_user
from tollbridge.storage.people_tables import external_identities, idempotency, one_time
from tollbridge.storage.tables import access_tokens, api_keys, users
from tollbridge.storage.work_tables import user_alert

_NOBODY: Final[dict[str, Any]] = {
    "password_hash": None,
    "totp_secret": None,
    "totp_step": None,
    "telegram_id": None,
    "status": "suspended",
    "status_reason": "deleted",
    "role": "user",
    "language": None,
    "zone": None,
    "budget_nano": None,
    "budget_period": None,
    "low_balance_nano": None,
}
_THEIRS: Final = (one_time, external_identities, idempotency, user_alert)


async def delete_account(
    connection: AsyncConnection, actor: Actor, user_id: int, voice: Voice, at_ms: int
) -> None:
    """Delete a user's account and tell the address that it had. NoSuchUser, LastAdmin.

    An operator's end is noted in the audit log; that of others is their own affair.
    """
    query = select(users.c.role).where(users.c.id == user_id)
    if (await connection.execute(query)).scalar_one_or_none() == "admin":
        await keep_an_admin(connection, user_id)
    user = await locked_user(connection, user_id)
    await tell(connection, user, voice, "deleted")
    await end_sessions(connection, user_id)
    await _end_keys(connection, user_id, at_ms)
    await forget_codes(connection, user_id)
    for table in _THEIRS:
        await connection.execute(delete(table).where(table.c.user_id == user_id))
    email = f"deleted-{user_id}@deleted.invalid"
    gone = {**_NOBODY, "email": email, "email_norm": email, "deleted_ms": at_ms}
    await change_user(connection, user_id, gone)
    if user["role"] != "user":
        subject = Subject("user", user_id, email)
        await note(connection, actor, "user.delete", subject, at_ms, role=user["role"])


async def _end_keys(connection: AsyncConnection, user_id: int, at_ms: int) -> None:
    mine = api_keys.c.user_id == user_id, api_keys.c.deleted_ms.is_(None)
    keys = select(api_keys.c.id).where(*mine).order_by(api_keys.c.id)
    for key_id in (await connection.execute(keys)).scalars().all():
        await delete_key(connection, user_id, key_id, at_ms)
    live = (access_tokens.c.user_id == user_id) & access_tokens.c.revoked_ms.is_(None)
    await connection.execute(update(access_tokens).where(live).values(revoked_ms=at_ms))
