"""Owns on which days of UTC a wallet's money was spent that is in none of its lots yet.

Days that are over are told by the roll-ups, which are made of usage; what these do not explain was
spent today, or came late and counts as today's. Reads only. Amounts are nano-dollars.
"""

from collections import Counter
from collections.abc import Mapping

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.clock import tid_ms
from tollbridge.storage.ledger_tables import lot, lot_use, purse
from tollbridge.storage.query_tables import rollup
from tollbridge.storage.rollup_marks import DAY, FIVE_MINUTES

_DAY_MS = DAY * 1000
REVERSAL = "reversal"
"""Origin of a lot that gives a call's charge back; its reference is the call."""


async def spent_by_day(
    connection: AsyncConnection, wallet_id: int, amount: int, today_ms: int
) -> list[tuple[int, int]]:
    """Split `amount` into days, given as their beginnings in milliseconds, the oldest first.

    The last one is today and takes what the days before it do not.
    """
    noted = await _noted(connection, wallet_id)
    since = max(noted, default=None)
    if since is None:
        return await _first_days(connection, wallet_id, amount, today_ms)
    spent = await _spent(connection, wallet_id, rollup.c.start_ms >= since)
    days = []
    for day in sorted(spent):
        part = min(spent[day] - noted.get(day, 0), amount)
        if day < today_ms and part > 0:
            days.append((day, part))
            amount -= part
    return [*days, (today_ms, amount)] if amount else days


async def _first_days(
    connection: AsyncConnection, wallet_id: int, amount: int, today_ms: int
) -> list[tuple[int, int]]:
    """Nothing was noted yet, and what was spent long ago is in no lot: the latest counts."""
    newest = min(amount, await _spent_today(connection, wallet_id, today_ms))
    spent = await _spent(connection, wallet_id, rollup.c.start_ms < today_ms)
    days: list[tuple[int, int]] = []
    older = amount - newest
    for day in sorted(spent, reverse=True):
        part = min(spent[day], older)
        if part > 0:
            days.append((day, part))
            older -= part
    newest += older
    return [*days[::-1], (today_ms, newest)] if newest else days[::-1]


async def _noted(connection: AsyncConnection, wallet_id: int) -> dict[int, int]:
    query = (
        select(lot_use.c.day_ms, func.sum(lot_use.c.amount))
        .join(lot, lot.c.id == lot_use.c.lot_id)
        .where(lot.c.wallet_id == wallet_id, lot_use.c.amount > 0)
        .group_by(lot_use.c.day_ms)
    )
    return {day: int(total) for day, total in await connection.execute(query)}


async def _spent(
    connection: AsyncConnection, wallet_id: int, when: ColumnElement[bool]
) -> Mapping[int, int]:
    """Return what calls of each day were charged; what was given back since has a lot of its own."""
    mine = rollup.c.user_id == _owner(wallet_id)
    query = (
        select(rollup.c.start_ms, func.sum(rollup.c.charge))
        .where(mine, rollup.c.span == DAY, when)
        .group_by(rollup.c.start_ms)
    )
    spent = Counter({day: int(total) for day, total in await connection.execute(query)})
    for day, back in (await _given_back(connection, wallet_id)).items():
        if day in spent:
            spent[day] += back
    return spent


async def _spent_today(connection: AsyncConnection, wallet_id: int, today_ms: int) -> int:
    """The day's own row is minutes behind; its smallest parts are seconds behind."""
    query = select(func.coalesce(func.sum(rollup.c.charge), 0)).where(
        rollup.c.user_id == _owner(wallet_id),
        rollup.c.span == FIVE_MINUTES,
        rollup.c.start_ms >= today_ms,
    )
    spent = int((await connection.execute(query)).scalar_one())
    return spent + (await _given_back(connection, wallet_id))[today_ms]


async def _given_back(connection: AsyncConnection, wallet_id: int) -> Counter[int]:
    query = select(lot.c.ref, lot.c.amount).where(
        lot.c.wallet_id == wallet_id, lot.c.origin == REVERSAL
    )
    found: Counter[int] = Counter()
    for tid, amount in await connection.execute(query):
        at_ms = tid_ms(tid)
        found[at_ms - at_ms % _DAY_MS] += amount
    return found


def _owner(wallet_id: int) -> ColumnElement[int]:
    return select(purse.c.owner_id).where(purse.c.id == wallet_id).scalar_subquery()
