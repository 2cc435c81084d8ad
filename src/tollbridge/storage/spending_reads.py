"""Owns the reading of what calls cost, by day and model, from the roll-ups.

Net of what staff gave back. Whole days of UTC; the last two come from the roll-ups of five minutes,
which are behind by seconds, where those of days are behind by minutes. Amounts are nano-dollars.
"""

from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.query_tables import rollup
from tollbridge.storage.rollup_marks import DAY, FIVE_MINUTES

DAY_MS: Final = DAY * 1000


class Spending(NamedTuple):
    """What calls of a model cost in a day."""

    day_ms: int
    model: str
    amount: int


async def spent_by_model(
    connection: AsyncConnection,
    user_id: int,
    key_id: int | None,
    days: range,
    now_ms: int,
) -> list[Spending]:
    """Return what a user spent in `days`, by day and model; with `key_id` what that key did.

    `days` are the starts of days, in milliseconds. Only days and models that cost anything.
    """
    if not days:
        return []
    day = (rollup.c.start_ms - rollup.c.start_ms % DAY_MS).label("day")
    amount = func.sum(rollup.c.charge)
    query = (
        select(day, rollup.c.model, amount)
        .where(_of(user_id, key_id), _within(days[0], days[-1] + DAY_MS, now_ms))
        .group_by(day, rollup.c.model)
        .having(amount > 0)
        .order_by(day, rollup.c.model)
    )
    return [Spending(row[0], row[1], int(row[2])) for row in await connection.execute(query)]


async def spent_since(
    connection: AsyncConnection, user_id: int, key_id: int, since_ms: int, now_ms: int
) -> int:
    """Return what a key has spent since the start of a day."""
    query = select(func.coalesce(func.sum(rollup.c.charge), 0)).where(
        _of(user_id, key_id), _within(since_ms, now_ms + DAY_MS, now_ms)
    )
    return int((await connection.execute(query)).scalar_one())


def _of(user_id: int, key_id: int | None) -> ColumnElement[bool]:
    mine = rollup.c.user_id == user_id
    return mine if key_id is None else mine & (rollup.c.key_id == key_id)


def _within(start_ms: int, end_ms: int, now_ms: int) -> ColumnElement[bool]:
    recent = now_ms - now_ms % DAY_MS - DAY_MS
    at = rollup.c.start_ms
    return or_(
        (rollup.c.span == DAY) & (at >= start_ms) & (at < min(end_ms, recent)),
        (rollup.c.span == FIVE_MINUTES) & (at >= max(start_ms, recent)) & (at < end_ms),
    )
