"""Owns credit that nobody paid for, and the opening of wallets (money.md, "Rows").

A grant is one journal line, one lot and one relative change of a purse in the caller's transaction. Other
processes may be holding and settling on the same purse, so nothing here writes a figure it read.
"""

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing.lots import add_lot
from tollbridge.core.clock import new_id
from tollbridge.storage.ledger_tables import journal, purse
from tollbridge.storage.upsert import upsert


async def open_wallet(connection: AsyncConnection, user_id: int) -> int:
    """Create the empty wallet of a user and return its purse id."""
    purse_id = new_id()
    await connection.execute(
        insert(purse).values(
            id=purse_id, kind="wallet", owner_id=user_id, period_start=0, available=0, held=0
        )
    )
    return purse_id


async def grant(
    connection: AsyncConnection,
    wallet_id: int,
    amount: int,
    ref: str,
    at_ms: int,
    *,
    expires_ms: int | None = None,
) -> bool:
    """Credit a wallet with `amount` nano-dollars once per `ref`; tell whether this was the once.

    What is left of it at `expires_ms` is taken back, None = never (billing.lots).
    ValueError when the amount is not positive, LookupError when there is no such wallet.
    """
    if amount <= 0:
        raise ValueError("a grant must be above zero")
    line = upsert(connection, journal).values(
        id=new_id(),
        at_ms=at_ms,
        debit="promo",
        credit=f"wallet:{wallet_id}",
        amount=amount,
        currency="USD",
        kind="grant",
        ref=ref,
    )
    written = await connection.execute(line.on_conflict_do_nothing(index_elements=["kind", "ref"]))
    if not written.rowcount:
        return False
    credited = await connection.execute(
        update(purse)
        .where(purse.c.id == wallet_id, purse.c.kind == "wallet")
        .values(available=purse.c.available + amount)
    )
    if not credited.rowcount:
        raise LookupError("there is no such wallet")
    await add_lot(connection, wallet_id, amount, "grant", ref, at_ms, expires_ms=expires_ms)
    return True
