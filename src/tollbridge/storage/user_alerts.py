"""Owns the marks of what users were told: one row a user, key, kind and window, written once.

Works in the caller's transaction, so that a mark and the message that it stands for are kept or lost
together. Must not know what a kind means; `window_ms` is whatever tells one window from the next.
"""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.upsert import upsert
from tollbridge.storage.work_tables import user_alert

LIMIT_KINDS: Final = ("key_limit_80", "key_limit_100")
"""The kinds that end with a key's limit, and begin anew when it is raised."""


class UserMark(NamedTuple):
    """What one telling is known by; `key_id` 0 = the wallet."""

    user_id: int
    key_id: int
    kind: str
    window_ms: int


async def mark_told(connection: AsyncConnection, mark: UserMark, at_ms: int) -> bool:
    """Write a mark; False when it stands already, and then nobody is to be told."""
    fresh = upsert(connection, user_alert).values(**mark._asdict(), at_ms=at_ms)
    return (await connection.execute(fresh.on_conflict_do_nothing())).rowcount == 1


async def marks_of(
    connection: AsyncConnection, user_ids: Collection[int]
) -> Mapping[int, set[UserMark]]:
    """Return the marks of some users, by user; a user without any has an empty set."""
    columns = [user_alert.c[name] for name in UserMark._fields]
    query = select(*columns).where(user_alert.c.user_id.in_(sorted(user_ids)))
    found: dict[int, set[UserMark]] = {user_id: set() for user_id in user_ids}
    for row in await connection.execute(query):
        found[row.user_id].add(UserMark(*row))
    return found


async def forget_marks(
    connection: AsyncConnection, user_id: int, key_id: int, kinds: Collection[str]
) -> None:
    """Remove the marks of some kinds about a key: what they were about has ended."""
    await connection.execute(
        delete(user_alert).where(
            user_alert.c.user_id == user_id,
            user_alert.c.key_id == key_id,
            user_alert.c.kind.in_(sorted(kinds)),
        )
    )
