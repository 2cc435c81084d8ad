"""Owns what becomes of calls that ran when a backup was made: they are void, and cost nothing.

What they came to was settled in books that are gone, so nothing may be charged for them; each gets
a usage row that says so (money.md, "Engines"). Part of the transaction that restores.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing.recovery import posting
from tollbridge.storage.ledger_batch import OpenHold
from tollbridge.storage.ledger_items import USAGE_COLUMNS, Settle, UsageRow
from tollbridge.storage.ledger_tables import hold, purse, usage

_AT_ONCE = 500
_FLAGS = USAGE_COLUMNS.index("flags")
_NOTHING = (0, 0)
# What a driver raises for a value that its table cannot hold.
_REFUSED: tuple[type[Exception], ...] = (SQLAlchemyError, OverflowError, ValueError)


async def void_holds(connection: AsyncConnection) -> int:
    """End every hold that stands: its purses are free of it, its call costs nothing.

    Returns how many there were. Database errors as they come.
    """
    freed: Counter[int] = Counter()
    holds = 0
    while rows := (await connection.execute(select(hold).limit(_AT_ONCE))).mappings().all():
        standing = [_open_hold(row) for row in rows]
        for one in standing:
            freed.update(dict.fromkeys(one.purses, one.amount))
        await _write(connection, [posting(one) for one in standing])
        await connection.execute(delete(hold).where(hold.c.tid.in_([one.tid for one in standing])))
        holds += len(rows)
    if freed:
        await connection.execute(
            update(purse)
            .where(purse.c.id == bindparam("purse"))
            .values(held=purse.c.held - bindparam("amount")),
            [{"purse": purse_id, "amount": amount} for purse_id, amount in sorted(freed.items())],
        )
    return holds


def _open_hold(row: Any) -> OpenHold:
    purses = (row["wallet_id"], row["key_purse_id"], row["other_purse_id"])
    return OpenHold(
        row["tid"],
        tuple(one for one in purses if one is not None),
        row["amount"],
        row["covered"],
        row["at_ms"],
        row["bill"],
    )


async def _write(connection: AsyncConnection, settles: Sequence[Settle]) -> None:
    """One bill that the tables refuse must not keep a shop from being restored: it goes plain."""
    try:
        await _insert(connection, [_voided(settle.row) for settle in settles])
    except _REFUSED:
        if len(settles) == 1:
            await _insert(connection, [_voided(settles[0].plain().row)])
        else:
            for settle in settles:
                await _write(connection, [settle])


async def _insert(connection: AsyncConnection, rows: Sequence[UsageRow]) -> None:
    # A refusal ends the transaction on PostgreSQL, but no more than this part of it.
    async with connection.begin_nested():
        await connection.execute(
            insert(usage), [dict(zip(USAGE_COLUMNS, row, strict=True)) for row in rows]
        )


def _voided(row: UsageRow) -> UsageRow:
    values = list(row)
    values[_FLAGS] = "voided"
    return (*values, *_NOTHING)
