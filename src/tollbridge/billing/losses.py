"""Owns the question which cost no wallet has covered since somebody asked last (money.md, step 7).

Reads the journal by its growing ids, a bounded piece at a time. Must not know who is told.
"""

from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.clock import first_id
from tollbridge.storage.ledger_tables import journal, usage

_LOSS = "operator_loss"
_KINDS = ("loss", "late_loss")
_LINES_MAX = 100_000


class Loss(NamedTuple):
    """What one wallet did not cover: nano-dollars, in how many calls, the last of them when."""

    wallet_id: int
    amount: int
    calls: int
    last_ms: int


class Piece(NamedTuple):
    """The losses of a piece of the journal, up to the line `upto`; `more` may follow."""

    losses: list[Loss]
    upto: int
    more: bool


async def losses_after(
    connection: AsyncConnection, after: int, before_ms: int, *, most: int = _LINES_MAX
) -> Piece:
    """Look at the next `most` journal lines after the line `after`, whose ids were made by `before_ms`.

    Choose `before_ms` so long ago that every line of then has been committed: nodes commit lines
    in another order than that of their ids. What a late settlement gave back is taken off.
    """
    next_lines = (
        select(journal.c.id)
        .where(journal.c.id > after, journal.c.id < first_id(before_ms))
        .order_by(journal.c.id)
        .limit(most)
        .subquery()
    )
    bounds = await connection.execute(
        select(func.max(next_lines.c.id), func.count(next_lines.c.id))
    )
    upto, lines = bounds.one()
    if upto is None:
        return Piece([], after, more=False)
    amount = func.sum(case((journal.c.debit == _LOSS, journal.c.amount), else_=-journal.c.amount))
    query = (
        select(
            usage.c.wallet_id,
            amount,
            func.count(journal.c.ref.distinct()),
            func.max(journal.c.at_ms),
        )
        .join(usage, usage.c.tid == journal.c.ref)
        .where(journal.c.id > after, journal.c.id <= upto, journal.c.kind.in_(_KINDS))
        .group_by(usage.c.wallet_id)
        .having(amount > 0)
        .order_by(usage.c.wallet_id)
    )
    rows = await connection.execute(query)
    losses = [Loss(row[0], int(row[1]), row[2], row[3]) for row in rows]
    return Piece(losses, upto, more=lines == most)
