"""Owns what users do with their keys: make, change, switch, rotate, delete and list them.

Every function works within the caller's transaction (`writing`, so that the relay notices) and on
keys of the named user alone: somebody else's is not there. Amounts are nano-dollars, times
milliseconds since 1970. Must not know pages. Whether a key may pin accounts is never a user's to say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from secrets import token_bytes
from typing import Any, Final, Literal

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing.budgets import move_budget
from tollbridge.billing.limits import limit_changes, open_limit
from tollbridge.catalog.snapshot import Snapshot
from tollbridge.core.clock import new_id
from tollbridge.core.faults import NOT_OFFERED
from tollbridge.core.language import N_
from tollbridge.core.periods import period_at
from tollbridge.core.secrets import Secrets
from tollbridge.identity.doors import Door
from tollbridge.identity.users import add_key, change_key, secret_columns
from tollbridge.people.key_wish import (
    GONE_MARK,
    KeyRefused,
    KeyWish,
    columns_of,
    offer_faults,
    own_faults,
    wish_of,
)
from tollbridge.storage.purse_reads import budget_purse, figures_of
from tollbridge.storage.rows import differing
from tollbridge.storage.tables import api_keys, users

KEYS_MAX: Final = 100
GRACES_S: Final = (0, 3_600, 86_400, 604_800)
"""For how many seconds the old secret of a rotated key may go on being taken."""
MINTING: Final = Door("keys", per_minute=30, per_day=300)
"""How often a user may make or rotate keys: callers knock before."""

State = Literal["active", "disabled", "expired", "used_up"]
_HASH_BYTES = 32

TOO_MANY: Final = N_("You have 100 keys, which is the most. Delete one first.")


class KeyGone(Exception):
    """There is no such key, or it is somebody else's."""


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A key as its owner sees it. `spent` is of the limit, running calls not counted; 0 without one.

    `old_last6` and `old_until_ms` are of the secret before the last rotation, if it had a grace.
    """

    id: int
    wish: KeyWish
    last6: str
    enabled: bool
    created_ms: int
    spent: int
    old_last6: str | None
    old_until_ms: int | None

    def state(self, at_ms: int) -> State:
        """Return what calls with the key would meet first."""
        if not self.enabled:
            return "disabled"
        if self.wish.expires_ms is not None and self.wish.expires_ms <= at_ms:
            return "expired"
        return (
            "used_up" if self.wish.limit is not None and self.spent >= self.wish.limit else "active"
        )


async def create_key(
    connection: AsyncConnection,
    secrets: Secrets,
    snapshot: Snapshot,
    user_id: int,
    wish: KeyWish,
    at_ms: int,
) -> tuple[int, str]:
    """Make a key; return its id and its secret, which is nowhere to be had again.

    KeyRefused; KeyGone when the user has an account no more.
    """
    group = await _group_of(connection, user_id)
    mine = await _rows(connection, user_id)
    if len(mine) >= KEYS_MAX:
        raise KeyRefused({"name": TOO_MANY})
    faults = dict(own_faults(wish, {row["name"] for row in mine}, at_ms))
    faults |= offer_faults(wish, None, snapshot, group)
    if faults:
        raise KeyRefused(faults)
    key_id, secret = new_id(), secrets.mint_key()
    columns = columns_of(wish) | secret_columns(secrets, secret)
    if wish.limit is not None:
        purse_id = await open_limit(connection, key_id, wish.limit)
        columns |= {"limit_nano": wish.limit, "limit_purse_id": purse_id}
    await add_key(
        connection, key_id, user_id, at_ms, {**columns, "enabled": True, "may_pin": False}
    )
    return key_id, secret


async def change_own_key(
    connection: AsyncConnection,
    snapshot: Snapshot,
    user_id: int,
    key_id: int,
    wish: KeyWish,
    at_ms: int,
) -> bool:
    """Make a key as wished; return whether anything changed. KeyGone, KeyRefused.

    What stays as it is needs nobody's leave: a channel that an operator chose, a model sold no more.
    """
    group = await _group_of(connection, user_id)
    row = await _own_row(connection, user_id, key_id)
    others = {one["name"] for one in await _rows(connection, user_id) if one["id"] != key_id}
    before = wish_of(row)
    faults = dict(own_faults(wish, others, at_ms))
    if wish.expires_ms == before.expires_ms:
        faults.pop("expires", None)
    faults |= offer_faults(wish, before, snapshot, group)
    if faults:
        raise KeyRefused(faults)
    changes = differing(row, columns_of(wish))
    changes |= await limit_changes(connection, row, wish.limit)
    await change_key(connection, key_id, changes)
    if wish.budget is not None and (wish.budget, wish.budget_period) != (
        before.budget,
        before.budget_period,
    ):
        now = period_at(wish.budget_period or "", at_ms)
        await move_budget(connection, key_id, wish.budget, now)
    return bool(changes)


async def switch_key(
    connection: AsyncConnection, user_id: int, key_id: int, *, enabled: bool
) -> None:
    """Let a key be used, or not. KeyGone."""
    await _own_row(connection, user_id, key_id)
    await change_key(connection, key_id, {"enabled": enabled})


async def rotate_key(
    connection: AsyncConnection,
    secrets: Secrets,
    user_id: int,
    key_id: int,
    grace_s: int,
    at_ms: int,
) -> str:
    """Give a key another secret and return it. KeyGone, KeyRefused for a grace not in GRACES_S.

    The old one is taken for so many seconds more; the one before that, if any, no longer.
    """
    if grace_s not in GRACES_S:
        raise KeyRefused({"grace": NOT_OFFERED})
    row = await _own_row(connection, user_id, key_id)
    secret = secrets.mint_key()
    old: dict[str, Any] = {"old_hash": None, "old_last6": None, "old_until_ms": None}
    if grace_s:
        until_ms = at_ms + grace_s * 1000
        old = {"old_hash": row["hash"], "old_last6": row["last6"], "old_until_ms": until_ms}
    await change_key(connection, key_id, secret_columns(secrets, secret) | old)
    return secret


async def delete_key(connection: AsyncConnection, user_id: int, key_id: int, at_ms: int) -> None:
    """Delete a key: no secret of it is ever taken again, and its name is free. KeyGone.

    Its row stays, for calls point at it; they have kept its name.
    """
    await _own_row(connection, user_id, key_id)
    gone = {
        "name": f"{GONE_MARK}{key_id}",
        "hash": token_bytes(_HASH_BYTES),
        "old_hash": None,
        "old_last6": None,
        "old_until_ms": None,
        "enabled": False,
        "deleted_ms": at_ms,
    }
    await change_key(connection, key_id, gone)


async def list_keys(connection: AsyncConnection, user_id: int) -> list[OwnKey]:
    """Return a user's keys, the newest first."""
    return await _own_keys(connection, await _rows(connection, user_id))


async def find_key(connection: AsyncConnection, user_id: int, key_id: int) -> OwnKey:
    """Return a key of a user. KeyGone."""
    found = await _own_keys(connection, await _rows(connection, user_id, key_id))
    if not found:
        raise KeyGone
    return found[0]


async def budget_spent(connection: AsyncConnection, key: OwnKey, at_ms: int) -> int:
    """Return what of a key's budget is spent in the period of a moment; 0 without a budget."""
    if key.wish.budget_period is None:
        return 0
    period = period_at(key.wish.budget_period, at_ms)
    purse = await budget_purse(connection, key.id, period.start_ms)
    return purse.granted - purse.available if purse else 0


async def _group_of(connection: AsyncConnection, user_id: int) -> str:
    """Return a user's group. One change of a user's keys at a time, so that names and number hold."""
    query = select(users.c.group_name).where(users.c.id == user_id, users.c.deleted_ms.is_(None))
    query = query.with_for_update(key_share=True)
    group: str | None = (await connection.execute(query)).scalar_one_or_none()
    if group is None:
        raise KeyGone
    return group


async def _rows(
    connection: AsyncConnection, user_id: int, key_id: int | None = None
) -> list[RowMapping]:
    query = select(api_keys).where(api_keys.c.user_id == user_id, api_keys.c.deleted_ms.is_(None))
    if key_id is not None:
        query = query.where(api_keys.c.id == key_id)
    return list((await connection.execute(query.order_by(api_keys.c.id.desc()))).mappings())


async def _own_keys(connection: AsyncConnection, rows: Sequence[RowMapping]) -> list[OwnKey]:
    limited = {row["limit_purse_id"] for row in rows if row["limit_nano"] is not None}
    purses = await figures_of(connection, limited) if limited else {}
    left = {purse_id: figures.available for purse_id, figures in purses.items()}
    return [_own_key(row, left) for row in rows]


async def _own_row(connection: AsyncConnection, user_id: int, key_id: int) -> RowMapping:
    """Return a key's row, kept from others' changes to the end of the transaction. KeyGone."""
    query = select(api_keys).where(
        api_keys.c.id == key_id, api_keys.c.user_id == user_id, api_keys.c.deleted_ms.is_(None)
    )
    row = (await connection.execute(query.with_for_update())).mappings().one_or_none()
    if row is None:
        raise KeyGone
    return row


def _own_key(row: RowMapping, left: Mapping[int, int]) -> OwnKey:
    limit, spent = row["limit_nano"], 0
    if limit is not None:
        # A limit lowered below what was spent leaves the excess as a debt (billing.limits).
        spent = limit + row["limit_excess_nano"] - left[row["limit_purse_id"]]
    return OwnKey(
        id=row["id"],
        wish=wish_of(row),
        last6=row["last6"],
        enabled=row["enabled"],
        created_ms=row["created_ms"],
        spent=spent,
        old_last6=row["old_last6"],
        old_until_ms=row["old_until_ms"],
    )
