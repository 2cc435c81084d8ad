"""Owns the sums of the books as a whole: all wallets, all open holds, how many lines are new.

For those who look after the books; nothing here is asked for a call. Amounts are nano-dollars.
"""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.ledger_tables import hold, journal, purse


@dataclass(frozen=True, slots=True)
class Wallets:
    """All wallets together: how many, what they have, and what is held of that."""

    count: int
    available: int
    held: int


@dataclass(frozen=True, slots=True)
class Holds:
    """All open holds together: how many, how much, and when the oldest began (None: there is none)."""

    count: int
    amount: int
    oldest_ms: int | None


async def sum_wallets(connection: AsyncConnection) -> Wallets:
    """Return what all wallets have."""
    sums = select(func.count(), func.sum(purse.c.available), func.sum(purse.c.held))
    count, available, held = (await connection.execute(sums.where(purse.c.kind == "wallet"))).one()
    return Wallets(count, int(available or 0), int(held or 0))


async def sum_holds(connection: AsyncConnection) -> Holds:
    """Return what running calls hold."""
    sums = select(func.count(), func.sum(hold.c.amount), func.min(hold.c.at_ms))
    count, amount, oldest_ms = (await connection.execute(sums)).one()
    return Holds(count, int(amount or 0), oldest_ms)


async def lines_since(connection: AsyncConnection, line_id: int | None, most: int) -> int:
    """Return how many lines the journal has from one on (None: in all); counts no further than `most`."""
    lines = select(journal.c.id).limit(most)
    if line_id is not None:
        lines = lines.where(journal.c.id >= line_id)
    count = select(func.count()).select_from(lines.subquery())
    found: int = (await connection.execute(count)).scalar_one()
    return found
