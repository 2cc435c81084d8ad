"""Owns what operators are shown of one user: money, keys, sessions, and what was done to the user.

Keys go by their last six characters. Reads only; all of it is one state when it comes from one
transaction. Amounts are nano-dollars. Must not know pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing.lots import Lot, lots_of
from tollbridge.identity.audit import Wanted, lines
from tollbridge.identity.sessions import sessions_of
from tollbridge.storage.journal_reads import WalletLine, wallet_lines
from tollbridge.storage.purse_reads import figures_of
from tollbridge.storage.spending_reads import DAY_MS, spent_by_model
from tollbridge.storage.tables import api_keys, users

DAYS: Final = 30
LINES_MAX: Final = 20
_KEYS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Dossier:
    """A user. `spent` is of the last DAYS days, today included; lists have the newest first.

    `lots` are those with something left, in the order in which they are spent; charges of the last
    minutes may not be taken from them yet.
    """

    row: RowMapping
    available: int
    held: int
    lots: Sequence[Lot]
    keys: Sequence[RowMapping]
    spent: int
    sessions: int
    ledger: Sequence[WalletLine]
    audit: Sequence[RowMapping]

    @property
    def deleted(self) -> bool:
        """Whether only what the books need is left of the account."""
        return self.row["deleted_ms"] is not None


async def read_dossier(connection: AsyncConnection, user_id: int, at_ms: int) -> Dossier | None:
    """Return what there is of a user, None when there is no such user."""
    query = select(users).where(users.c.id == user_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    wallet_id = row["wallet_id"]
    figures = (await figures_of(connection, [wallet_id])).get(wallet_id)
    return Dossier(
        row=row,
        available=figures.available if figures else 0,
        held=figures.held if figures else 0,
        lots=[one for one in await lots_of(connection, wallet_id) if one.remaining],
        keys=await _keys(connection, user_id),
        spent=await _spent(connection, user_id, at_ms),
        sessions=len(await sessions_of(connection, user_id, at_ms)),
        ledger=(await wallet_lines(connection, wallet_id))[: -LINES_MAX - 1 : -1],
        audit=await lines(
            connection, Wanted(subject_kind="user", subject_id=user_id, limit=LINES_MAX)
        ),
    )


async def _keys(connection: AsyncConnection, user_id: int) -> Sequence[RowMapping]:
    columns = ("id", "name", "last6", "enabled", "limit_nano", "created_ms", "expires_ms")
    query = (
        select(*(api_keys.c[name] for name in columns))
        .where(api_keys.c.user_id == user_id, api_keys.c.deleted_ms.is_(None))
        .order_by(api_keys.c.id.desc())
        .limit(_KEYS_MAX)
    )
    return (await connection.execute(query)).mappings().all()


async def _spent(connection: AsyncConnection, user_id: int, at_ms: int) -> int:
    today = at_ms - at_ms % DAY_MS
    days = range(today - (DAYS - 1) * DAY_MS, today + DAY_MS, DAY_MS)
    return sum(one.amount for one in await spent_by_model(connection, user_id, None, days, at_ms))
