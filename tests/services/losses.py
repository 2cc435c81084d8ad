"""Writes for tests what no wallet covered: a usage row and a journal line, at a time of choice."""

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage import books
from tollbridge.core.clock import first_id, new_tid
from tollbridge.storage.ledger_items import USAGE_COLUMNS
from tollbridge.storage.ledger_tables import journal, usage
from tollbridge.storage.unit_of_work import working


async def lost(
    engine: AsyncEngine, wallet_id: int, amount: int, at_ms: int, kind: str = "loss", tid: str = ""
) -> str:
    """Write a call that lost `amount`, or gave so much back when it is negative."""
    made = tid or new_tid()
    async with working(engine) as connection:
        if not tid:
            row = dict(zip(USAGE_COLUMNS, (*books.row(made, stream=False), 0, 0), strict=True))
            await connection.execute(insert(usage).values(row | {"wallet_id": wallet_id}))
        sides = ("operator_loss", "revenue") if amount > 0 else ("revenue", "operator_loss")
        line = {"id": first_id(at_ms), "at_ms": at_ms, "debit": sides[0], "credit": sides[1]}
        await connection.execute(
            insert(journal).values(**line, amount=abs(amount), kind=kind, ref=made)
        )
    return made
