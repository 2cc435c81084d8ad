"""Owns the rows of users and of their keys: finding, making and changing them.

Purses belong to billing: a wallet's or limit's id comes in from there. Nothing here reads money.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.secrets import Secrets, last6
from tollbridge.storage.tables import api_keys, users


def normalised_email(email: str) -> str:
    """Return the form under which an address is unique: no blanks around it, lower case."""
    return email.strip().lower()


async def find_user(connection: AsyncConnection, email: str) -> RowMapping | None:
    """Return the row of the user with an address, None when there is none."""
    query = select(users).where(users.c.email_norm == normalised_email(email))
    return (await connection.execute(query)).mappings().one_or_none()


async def user_with_telegram(connection: AsyncConnection, telegram_id: int) -> RowMapping | None:
    """Return the user that a Telegram account belongs to, None when it is nobody's."""
    query = select(users).where(users.c.telegram_id == telegram_id)
    return (await connection.execute(query)).mappings().one_or_none()


async def add_user(
    connection: AsyncConnection, user_id: int, email: str, at_ms: int, more: Mapping[str, Any]
) -> None:
    """Insert an active user; `more` has role, group_name, password_hash and wallet_id."""
    values = {
        **more,
        "id": user_id,
        "email": email,
        "email_norm": normalised_email(email),
        "status": "active",
        "created_ms": at_ms,
    }
    await connection.execute(insert(users).values(**values))


async def change_user(
    connection: AsyncConnection, user_id: int, changes: Mapping[str, Any]
) -> None:
    """Update columns of a user; nothing to change is no statement."""
    if changes:
        await connection.execute(update(users).where(users.c.id == user_id).values(**changes))


async def keys_of(connection: AsyncConnection, user_id: int) -> dict[str, RowMapping]:
    """Return a user's keys by name, without those that were deleted."""
    mine = api_keys.c.user_id == user_id, api_keys.c.deleted_ms.is_(None)
    rows = await connection.execute(select(api_keys).where(*mine))
    return {row["name"]: row for row in rows.mappings()}


async def key_with_secret(
    connection: AsyncConnection, secrets: Secrets, secret: str
) -> RowMapping | None:
    """Return the key that has a secret, whoever owns it; not one that had it before."""
    query = select(api_keys).where(api_keys.c.hash == secrets.key_hash(secret))
    return (await connection.execute(query)).mappings().one_or_none()


def secret_columns(secrets: Secrets, secret: str) -> dict[str, Any]:
    """Return all that is ever stored of a key's secret: its HMAC and its last six characters."""
    return {"hash": secrets.key_hash(secret), "last6": last6(secret)}


async def add_key(
    connection: AsyncConnection, key_id: int, user_id: int, at_ms: int, more: Mapping[str, Any]
) -> None:
    """Insert a key; `more` has every column that is not an id or a time."""
    values = {**more, "id": key_id, "user_id": user_id, "created_ms": at_ms}
    await connection.execute(insert(api_keys).values(**values))


async def change_key(connection: AsyncConnection, key_id: int, changes: Mapping[str, Any]) -> None:
    """Update columns of a key; nothing to change is no statement."""
    if changes:
        await connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(**changes))
