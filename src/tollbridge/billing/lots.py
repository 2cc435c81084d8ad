"""Owns lots: where the credit of a wallet came from, when it ends, and how much of it is left.

Every credit makes a lot in its own transaction. Charges are taken from lots afterwards, off the
call's path, by `attribute`: after it what is left of a wallet's lots is what the wallet has
(money.md, "Money in and out"; docs/decisions/0035-reversals-and-lots.md). Amounts are nano-dollars,
times milliseconds since 1970. Must not know when it runs.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.clock import new_id
from tollbridge.storage.ledger_tables import journal, lot, lot_use, purse
from tollbridge.storage.lot_days import spent_by_day
from tollbridge.storage.unit_of_work import take_turns
from tollbridge.storage.upsert import upsert

_DAY_MS = 86_400_000
_NEVER = 1 << 62


class Lot(NamedTuple):
    """A credit: what it was, what is left of it, and when that ends (None = never)."""

    id: int
    origin: str
    ref: str
    amount: int
    remaining: int
    created_ms: int
    expires_ms: int | None

    @property
    def turn(self) -> tuple[int, int, int]:
        """Which is spent first: what ends first, then what is oldest."""
        return (
            _NEVER if self.expires_ms is None else self.expires_ms,
            self.created_ms,
            self.id,
        )

    def is_over(self, now_ms: int) -> bool:
        """Whether nothing of it may be kept any more."""
        return self.expires_ms is not None and self.expires_ms <= now_ms


class _Share(NamedTuple):
    """What a day took from a lot; below zero when it was given back to it."""

    lot_id: int
    day_ms: int
    amount: int


async def add_lot(
    connection: AsyncConnection,
    wallet_id: int,
    amount: int,
    origin: str,
    ref: str,
    at_ms: int,
    *,
    expires_ms: int | None = None,
) -> int:
    """Note a credit, in the transaction that books it, and return the lot's id.

    A second lot of the same origin and reference is refused by the database.
    """
    lot_id = new_id()
    await connection.execute(
        insert(lot).values(
            id=lot_id, wallet_id=wallet_id, origin=origin, ref=ref, amount=amount,
            remaining=amount, created_ms=at_ms, expires_ms=expires_ms,
        )
    )  # fmt: skip
    return lot_id


async def lots_of(connection: AsyncConnection, wallet_id: int) -> list[Lot]:
    """Return a wallet's lots as far as they have been attributed, those first that are spent first."""
    columns = (lot.c[name] for name in Lot._fields)
    rows = await connection.execute(select(*columns).where(lot.c.wallet_id == wallet_id))
    return sorted((Lot(*row) for row in rows), key=lambda one: one.turn)


async def attribute(connection: AsyncConnection, wallet_id: int, now_ms: int) -> int:
    """Take from the lots of a wallet what was spent since the last time; return how much it was.

    Below zero when more came back than was spent. Needs a transaction that has not locked the
    wallet: processes that do the same wait for one another first. LookupError without a wallet.
    """
    await take_turns(connection, -wallet_id)
    missing = await _missing(connection, wallet_id)
    if missing > 0:
        await _take(connection, wallet_id, missing, now_ms)
    elif missing < 0:
        await _give(connection, wallet_id, -missing, now_ms)
    return missing


async def expire(connection: AsyncConnection, wallet_id: int, now_ms: int) -> int:
    """Take what is left of lots that are over out of the wallet; return how much it was.

    What running calls hold stays until they close (money.md, "Money in and out"): call it again.
    Attributes first, and raises as `attribute` does.
    """
    await attribute(connection, wallet_id, now_ms)
    query = select(purse.c.available, purse.c.held).where(purse.c.id == wallet_id)
    available, held = (await connection.execute(query.with_for_update())).one()
    free = available - held
    taken = 0
    for one in await lots_of(connection, wallet_id):
        amount = min(one.remaining, free - taken) if one.is_over(now_ms) else 0
        if amount > 0:
            await _end(connection, wallet_id, one, amount, now_ms)
            taken += amount
    if taken:
        await connection.execute(
            update(purse).where(purse.c.id == wallet_id).values(available=purse.c.available - taken)
        )
    return taken


async def _end(
    connection: AsyncConnection, wallet_id: int, one: Lot, amount: int, now_ms: int
) -> None:
    # What is left only falls once a lot is over, so no second line has the same reference.
    await connection.execute(
        insert(journal).values(
            id=new_id(), at_ms=now_ms, debit=f"wallet:{wallet_id}", credit="promo", amount=amount,
            currency="USD", kind="expiry", ref=f"{one.id}:{one.remaining}",
        )
    )  # fmt: skip
    await _change(connection, [(one.id, -amount)])


async def _missing(connection: AsyncConnection, wallet_id: int) -> int:
    """Return by how much the lots are ahead of the wallet, both as of one moment."""
    left = select(func.coalesce(func.sum(lot.c.remaining), 0)).where(lot.c.wallet_id == wallet_id)
    query = select(left.scalar_subquery() - purse.c.available).where(
        purse.c.id == wallet_id, purse.c.kind == "wallet"
    )
    missing = (await connection.execute(query)).scalar_one_or_none()
    if missing is None:
        raise LookupError("there is no such wallet")
    return int(missing)


async def _take(connection: AsyncConnection, wallet_id: int, missing: int, now_ms: int) -> None:
    lots = [one for one in await lots_of(connection, wallet_id) if one.remaining]
    today = now_ms - now_ms % _DAY_MS
    days = await spent_by_day(connection, wallet_id, missing, today)
    shares = list(_shares(lots, days))
    await _change(connection, [(one.lot_id, -one.amount) for one in shares])
    await _note(connection, shares)


def _shares(lots: Sequence[Lot], days: Iterable[tuple[int, int]]) -> Iterator[_Share]:
    """Say what each day took from which lot: of those that were there, by expiry and age.

    Where these do not reach (a credit and a charge of two clocks), later ones pay.
    """
    left = {one.id: one.remaining for one in lots}
    for day_ms, amount in days:
        there = [one for one in lots if one.created_ms < day_ms + _DAY_MS]
        rest = amount
        for one in (*there, *(one for one in lots if one not in there)):
            part = min(left[one.id], rest)
            if part:
                left[one.id] -= part
                rest -= part
                yield _Share(one.id, day_ms, part)


async def _give(connection: AsyncConnection, wallet_id: int, amount: int, now_ms: int) -> None:
    """Undo the last of what was taken, as a charge was corrected; a lot that is over stays so."""
    lots = [one for one in await lots_of(connection, wallet_id) if not one.is_over(now_ms)]
    undone = list(_undone(lots, await _uses(connection, lots), amount))
    await _change(connection, [(one.lot_id, -one.amount) for one in undone])
    await _note(connection, undone)
    rest = amount + sum(one.amount for one in undone)
    if rest:
        # Money came to the wallet of which no lot is known: it is one of its own from now on.
        await add_lot(connection, wallet_id, rest, "correction", str(new_id()), now_ms)


async def _uses(connection: AsyncConnection, lots: Sequence[Lot]) -> list[_Share]:
    among = lot_use.c.lot_id.in_([one.id for one in lots if one.remaining < one.amount])
    query = select(lot_use.c.lot_id, lot_use.c.day_ms, lot_use.c.amount).where(among)
    return [_Share(*row) for row in await connection.execute(query)]


def _undone(lots: Sequence[Lot], uses: Sequence[_Share], amount: int) -> Iterator[_Share]:
    turns = {one.id: one.turn for one in lots}
    for use in sorted(uses, key=lambda one: (one.day_ms, turns[one.lot_id]), reverse=True):
        part = min(use.amount, amount)
        if part:
            amount -= part
            yield use._replace(amount=-part)


async def _change(connection: AsyncConnection, changes: Iterable[tuple[int, int]]) -> None:
    for lot_id, by in changes:
        await connection.execute(
            update(lot).where(lot.c.id == lot_id).values(remaining=lot.c.remaining + by)
        )


async def _note(connection: AsyncConnection, shares: Sequence[_Share]) -> None:
    if not shares:
        return
    line = upsert(connection, lot_use)
    line = line.on_conflict_do_update(
        index_elements=["lot_id", "day_ms"],
        set_={"amount": lot_use.c.amount + line.excluded.amount},
    )
    await connection.execute(line, [share._asdict() for share in shares])
