"""Owns recovery codes: ten at a time, each good once, for who lost the authenticator app.

Stored as HMACs bound to their user. Using one is a single statement, so that of two at the same time
one has it. Must not know when they are asked for.
"""

import re
from secrets import choice
from typing import Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.clock import new_id
from tollbridge.core.secrets import Secrets
from tollbridge.storage.people_tables import recovery_codes

COUNT: Final = 10
# Without letters and digits that are taken for each other: 31 signs, 49 bits in ten.
_SIGNS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_HALF: Final = 5
_CODE = re.compile(rf"[{_SIGNS}]{{{2 * _HALF}}}")
_BLANKS = re.compile(r"[\s-]+")


def new_code() -> str:
    """Return a code as it is shown: two groups of five."""
    signs = "".join(choice(_SIGNS) for _ in range(2 * _HALF))
    return f"{signs[:_HALF]}-{signs[_HALF:]}"


async def replace_codes(connection: AsyncConnection, secrets: Secrets, user_id: int) -> list[str]:
    """Give a user new codes and make the old ones worthless; they are stored nowhere as they are."""
    await forget_codes(connection, user_id)
    codes: list[str] = []
    while len(codes) < COUNT:
        code = new_code()
        if code not in codes:
            codes.append(code)
    rows = [
        {"id": new_id(), "user_id": user_id, "hash": _hash(secrets, user_id, _plain(code))}
        for code in codes
    ]
    await connection.execute(insert(recovery_codes), rows)
    return codes


async def use_code(
    connection: AsyncConnection, secrets: Secrets, user_id: int, typed: str, at_ms: int
) -> bool:
    """Use a code up; False when it is none of the user's or was used before."""
    code = _plain(typed)
    if not _CODE.fullmatch(code):
        return False
    this = (
        (recovery_codes.c.user_id == user_id)
        & (recovery_codes.c.hash == _hash(secrets, user_id, code))
        & recovery_codes.c.used_ms.is_(None)
    )
    used = await connection.execute(update(recovery_codes).where(this).values(used_ms=at_ms))
    return used.rowcount > 0


async def codes_left(connection: AsyncConnection, user_id: int) -> int:
    """Return how many codes a user has not used yet."""
    unused = (recovery_codes.c.user_id == user_id) & recovery_codes.c.used_ms.is_(None)
    query = select(func.count()).select_from(recovery_codes).where(unused)
    return int((await connection.execute(query)).scalar_one())


async def forget_codes(connection: AsyncConnection, user_id: int) -> None:
    """Make all codes of a user worthless."""
    await connection.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))


def _plain(typed: str) -> str:
    """Return a code without what people put into it: blanks, hyphens, capitals."""
    return _BLANKS.sub("", typed).lower()


def _hash(secrets: Secrets, user_id: int, code: str) -> bytes:
    return secrets.mark(f"recovery code {user_id}", code)
