"""Owns credit that an operator gives or takes by hand: exact, once a reference, never below zero.

One journal line between promo and the wallet, one relative change of its purse, and lots that
follow, in the caller's transaction (docs/decisions/0048-adjustments-and-codes.md). Other processes
may be holding and settling on the same purse. Amounts are nano-dollars. Must not know who may do it.
"""

from typing import Final, NamedTuple

from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing.lots import add_lot, attribute, lots_of
from tollbridge.core.clock import new_id
from tollbridge.core.money import MAX_AMOUNT, NANO
from tollbridge.storage.ledger_tables import journal, lot, purse
from tollbridge.storage.upsert import upsert

KIND: Final = "adjustment"
"""The journal line of credit given or taken by hand, and the origin of a lot that it made."""
REF_MAX: Final = 128
AMOUNT_MAX: Final = 10_000_000 * NANO
"""Far from what sums of columns can hold: more in one go is a slip of the hand."""


class Adjustment(NamedTuple):
    """What was given (above zero) or taken, and what the wallet has since.

    `repeated`: it had been done before, so nothing moved now.
    """

    amount: int
    available: int
    repeated: bool


class NotEnough(Exception):
    """More was to be taken than is free; `free` is what can be taken, in nano-dollars."""

    def __init__(self, free: int) -> None:
        super().__init__("there is less to be taken")
        self.free = free


class TooMuch(Exception):
    """The wallet would have more than a column of money holds."""


class ReferenceTaken(Exception):
    """The reference stands for another adjustment."""


async def adjust(
    connection: AsyncConnection, wallet_id: int, amount: int, ref: str, at_ms: int
) -> Adjustment:
    """Give `amount` to a wallet, or take it where it is below zero, once per `ref`.

    Needs a writing transaction that has not locked the wallet; whatever is raised must roll it
    back. ValueError for zero, more than AMOUNT_MAX either way, or no reference of 1 to REF_MAX
    characters; LookupError when there is no such wallet; NotEnough, TooMuch, ReferenceTaken. What
    calls hold cannot be taken.
    """
    if not 0 < abs(amount) <= AMOUNT_MAX or not 0 < len(ref) <= REF_MAX:
        raise ValueError("an adjustment has an amount and a reference")
    # The line comes first: of two with the same reference one waits for the other here.
    if not await _book(connection, wallet_id, amount, ref, at_ms):
        return await _repeated(connection, wallet_id, amount, ref)
    if amount > 0:
        available = await _give(connection, wallet_id, amount)
        await add_lot(connection, wallet_id, amount, KIND, ref, at_ms)
    else:
        available = await _take(connection, wallet_id, -amount, at_ms)
    return Adjustment(amount, available, repeated=False)


async def _book(
    connection: AsyncConnection, wallet_id: int, amount: int, ref: str, at_ms: int
) -> bool:
    wallet = f"wallet:{wallet_id}"
    debit, credit = ("promo", wallet) if amount > 0 else (wallet, "promo")
    line = upsert(connection, journal).values(
        id=new_id(), at_ms=at_ms, debit=debit, credit=credit, amount=abs(amount),
        currency="USD", kind=KIND, ref=ref,
    )  # fmt: skip
    written = await connection.execute(line.on_conflict_do_nothing(index_elements=["kind", "ref"]))
    return bool(written.rowcount)


async def _repeated(
    connection: AsyncConnection, wallet_id: int, amount: int, ref: str
) -> Adjustment:
    query = select(journal.c.debit, journal.c.credit, journal.c.amount)
    line = (
        await connection.execute(query.where(journal.c.kind == KIND, journal.c.ref == ref))
    ).one()
    wallet = f"wallet:{wallet_id}"
    signed = line.amount if line.credit == wallet else -line.amount
    if wallet not in (line.credit, line.debit) or signed != amount:
        raise ReferenceTaken
    return Adjustment(amount, (await _locked(connection, wallet_id))["available"], repeated=True)


async def _give(connection: AsyncConnection, wallet_id: int, amount: int) -> int:
    now = await _locked(connection, wallet_id)
    if now["available"] > MAX_AMOUNT - amount:
        raise TooMuch
    return await _change(connection, wallet_id, amount)


async def _take(connection: AsyncConnection, wallet_id: int, amount: int, at_ms: int) -> int:
    # Lots first learn what calls spent, so that the rest of them is what can be taken.
    await attribute(connection, wallet_id, at_ms)
    now = await _locked(connection, wallet_id)
    free = now["available"] - now["held"]
    if amount > free:
        raise NotEnough(free)
    available = await _change(connection, wallet_id, -amount)
    await _shrink(connection, wallet_id, amount)
    return available


async def _shrink(connection: AsyncConnection, wallet_id: int, amount: int) -> None:
    """Take it from lots in the order in which they are spent, but note no use: nobody spent it.

    Lots may be behind what just came to the wallet; `attribute` finds the rest of that.
    """
    for one in await lots_of(connection, wallet_id):
        part = min(one.remaining, amount)
        if part:
            amount -= part
            await connection.execute(
                update(lot).where(lot.c.id == one.id).values(remaining=lot.c.remaining - part)
            )


async def _locked(connection: AsyncConnection, wallet_id: int) -> RowMapping:
    query = select(purse.c.available, purse.c.held).where(
        purse.c.id == wallet_id, purse.c.kind == "wallet"
    )
    row = (await connection.execute(query.with_for_update())).mappings().one_or_none()
    if row is None:
        raise LookupError("there is no such wallet")
    return row


async def _change(connection: AsyncConnection, wallet_id: int, by: int) -> int:
    changed = (
        update(purse)
        .where(purse.c.id == wallet_id)
        .values(available=purse.c.available + by)
        .returning(purse.c.available)
    )
    return int((await connection.execute(changed)).scalar_one())
