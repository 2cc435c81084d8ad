"""Owns words that work once: what a link in a mail stands for, or a browser on its way back to us.

Stored as HMACs, bound to one purpose, gone after a while. Using one is a single statement, so that
of two at the same time one has it. Must not know what the purposes mean.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from secrets import token_urlsafe
from typing import Any, Final

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.clock import new_id
from tollbridge.core.secrets import Secrets
from tollbridge.storage.people_tables import one_time
from tollbridge.storage.rows import to_json

_WORD_MAX: Final = 128


class Purpose(StrEnum):
    """What a word is for."""

    SIGN_UP = "sign_up"
    RESET = "reset"
    NEW_EMAIL = "new_email"
    EXTERNAL = "external"
    TOTP = "totp"
    TELEGRAM = "telegram"
    SETUP = "setup"


@dataclass(frozen=True, slots=True)
class OneTime:
    """What a word stands for; `user_id` None: nobody who has an account yet."""

    id: int
    user_id: int | None
    data: Mapping[str, Any]
    created_ms: int


async def issue(
    connection: AsyncConnection,
    secrets: Secrets,
    purpose: Purpose,
    *,
    at_ms: int,
    life_ms: int,
    user_id: int | None = None,
    data: Mapping[str, Any] | None = None,
    word: str | None = None,
) -> str:
    """Make a word and return it; it is stored nowhere as it is. `word` chooses it (a code to type)."""
    chosen = word or token_urlsafe(32)
    await connection.execute(
        insert(one_time).values(
            id=new_id(),
            purpose=purpose.value,
            hash=_hash(secrets, purpose, chosen),
            user_id=user_id,
            data=to_json(dict(data or {})),
            created_ms=at_ms,
            expires_ms=at_ms + life_ms,
        )
    )
    return chosen


async def look_at(
    connection: AsyncConnection, secrets: Secrets, purpose: Purpose, word: str, at_ms: int
) -> OneTime | None:
    """Return what a word stands for and leave it good; None when it is not or no longer good."""
    if not _plausible(word):
        return None
    query = select(one_time).where(*_good(secrets, purpose, word, at_ms))
    row = (await connection.execute(query)).mappings().one_or_none()
    return _found(row) if row else None


async def use(
    connection: AsyncConnection, secrets: Secrets, purpose: Purpose, word: str, at_ms: int
) -> OneTime | None:
    """Use a word up and return what it stood for; None when it is not or no longer good."""
    if not _plausible(word):
        return None
    used = (
        update(one_time)
        .where(*_good(secrets, purpose, word, at_ms))
        .values(used_ms=at_ms)
        .returning(one_time)
    )
    row = (await connection.execute(used)).mappings().one_or_none()
    return _found(row) if row else None


async def revoke(connection: AsyncConnection, purpose: Purpose, user_id: int | None) -> None:
    """Make a user's words for a purpose worthless: a newer one, or a newer password, replaces them.

    None: the words of nobody who has an account.
    """
    those = (one_time.c.purpose == purpose.value) & (one_time.c.user_id == user_id)
    await connection.execute(delete(one_time).where(those))


async def forget_expired(connection: AsyncConnection, at_ms: int) -> int:
    """Remove what nobody can use any more; return how many."""
    return (
        await connection.execute(delete(one_time).where(one_time.c.expires_ms <= at_ms))
    ).rowcount


def _plausible(word: str) -> bool:
    return bool(word) and len(word) <= _WORD_MAX and word.isascii()


def _good(secrets: Secrets, purpose: Purpose, word: str, at_ms: int) -> tuple[Any, ...]:
    return (
        one_time.c.hash == _hash(secrets, purpose, word),
        one_time.c.purpose == purpose.value,
        one_time.c.expires_ms > at_ms,
        one_time.c.used_ms.is_(None),
    )


def _hash(secrets: Secrets, purpose: Purpose, word: str) -> bytes:
    return secrets.mark(f"one time {purpose.value}", word)


def _found(row: RowMapping) -> OneTime:
    return OneTime(row["id"], row["user_id"], json.loads(row["data"]), row["created_ms"])
