"""Owns the reading of what calls cost, by day and model, from the roll-ups.

Net of what staff gave back. Whole days of UTC; the last two come from the roll-ups of five minutes,
which are behind by seconds, where those of days are behind by minutes. Amounts are nano-dollars.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from sqlalchemy import Subquery, func, select, text, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.query_tables import rollup
from tollbridge.storage.rollup_cover import Piece
from tollbridge.storage.rollup_marks import DAY, FIVE_MINUTES

DAY_MS: Final = DAY * 1000

# By itself SQLite would read everybody's rows of that time.
_BY_USER: Final = " INDEXED BY ix_rollup_user_id_span_start_ms"
_PIECE: Final = (
    "SELECT start_ms, model, charge FROM rollup{hint} WHERE user_id = :user_id AND span = :#span"
    " AND start_ms >= :#start AND start_ms < :#end{mine}"
)


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
    rows = _rows(connection, user_id, key_id, (days[0], days[-1] + DAY_MS), now_ms)
    day = (rows.c.start_ms - rows.c.start_ms % DAY_MS).label("day")
    amount = func.sum(rows.c.charge)
    query = (
        select(day, rows.c.model, amount)
        .group_by(day, rows.c.model)
        .having(amount > 0)
        .order_by(day, rows.c.model)
    )
    return [Spending(row[0], row[1], int(row[2])) for row in await connection.execute(query)]


async def spent_since(
    connection: AsyncConnection, user_id: int, key_id: int, since_ms: int, now_ms: int
) -> int:
    """Return what a key has spent since the start of a day."""
    rows = _rows(connection, user_id, key_id, (since_ms, now_ms + DAY_MS), now_ms)
    query = select(func.coalesce(func.sum(rows.c.charge), 0))
    return int((await connection.execute(query)).scalar_one())


async def most_charged(
    connection: AsyncConnection, pieces: Iterable[Piece], most: int
) -> list[tuple[int, int, int]]:
    """Return user, number of calls and net charge of those users who were charged most.

    Reads everybody's rows of these pieces, without their histograms: there is no view of users.
    """
    parts = [
        select(rollup.c.user_id, rollup.c.calls, rollup.c.charge).where(
            rollup.c.span == piece.span,
            rollup.c.start_ms >= piece.start_ms,
            rollup.c.start_ms < piece.end_ms,
        )
        for piece in pieces
    ]
    if not parts:
        return []
    part = union_all(*parts).subquery("part")
    calls, charge = func.sum(part.c.calls), func.sum(part.c.charge)
    query = (
        select(part.c.user_id, calls, charge)
        .group_by(part.c.user_id)
        .order_by(charge.desc(), calls.desc(), part.c.user_id)
        .limit(most)
    )
    return [(row[0], int(row[1]), int(row[2])) for row in await connection.execute(query)]


def _rows(
    connection: AsyncConnection,
    user_id: int,
    key_id: int | None,
    days: tuple[int, int],
    now_ms: int,
) -> Subquery:
    """Name the roll-ups of a time, each moment once: days, and five minutes of the last two."""
    start_ms, end_ms = days
    recent = now_ms - now_ms % DAY_MS - DAY_MS
    piece = _PIECE.format(
        hint=_BY_USER if connection.dialect.name == "sqlite" else "",
        mine="" if key_id is None else " AND key_id = :key_id",
    )
    text_ = text(" UNION ALL ".join(piece.replace(":#", f":{name}_") for name in ("day", "five")))
    values = {
        "user_id": user_id,
        **({} if key_id is None else {"key_id": key_id}),
        "day_span": DAY,
        "day_start": start_ms,
        "day_end": min(end_ms, recent),
        "five_span": FIVE_MINUTES,
        "five_start": max(start_ms, recent),
        "five_end": end_ms,
    }
    columns = (rollup.c.start_ms, rollup.c.model, rollup.c.charge)
    return text_.bindparams(**values).columns(*columns).subquery()
