"""Owns credit that somebody gets once ever: for an address that was shown to work, for a Telegram account.

What is kept of whom is a keyed hash that outlives the account (product.md, S0-bonus). Must not know
when somebody deserves it.
"""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing.grants import grant
from tollbridge.core.secrets import Secrets
from tollbridge.storage.people_tables import bonus_marks
from tollbridge.storage.upsert import upsert

SIGN_UP: Final = "sign_up"
"""The kind of bonus for a verified address; `whose` is its folded form."""


async def give_once(
    connection: AsyncConnection,
    secrets: Secrets,
    kind: str,
    whose: str,
    wallet_id: int,
    amount: int,
    at_ms: int,
) -> bool:
    """Grant `amount` nano-dollars unless `whose` had a bonus of this kind before; tell whether it was.

    Two at the same time: one gets it. `whose` says what it is where it is no address, as in
    "telegram:42", because it alone names the ledger's line. No amount, no bonus and no mark.
    LookupError when there is no such wallet.
    """
    if amount <= 0:
        return False
    mark = secrets.mark("bonus", whose)
    first = upsert(connection, bonus_marks).values(kind=kind, mark=mark, at_ms=at_ms)
    marked = await connection.execute(first.on_conflict_do_nothing(index_elements=["kind", "mark"]))
    if not marked.rowcount:
        return False
    return await grant(connection, wallet_id, amount, f"bonus:{mark.hex()}", at_ms)
