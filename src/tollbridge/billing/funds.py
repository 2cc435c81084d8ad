"""Owns what a key's owner is told of money: balance, reserved, spent, and what is left of a limit.

Balance is what is not yet charged; what running calls hold of it is shown beside it (money.md,
"Rows"). Amounts are nano-dollars. Must not know how they are shown.
"""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.ledger_items import Figures
from tollbridge.storage.purse_reads import credited, figures_of, limit_of


@dataclass(frozen=True, slots=True)
class KeyLimit:
    """A key's spending limit: what is left of it, and how much of that running calls hold."""

    limit: int
    remaining: int
    reserved: int
    spent: int


@dataclass(frozen=True, slots=True)
class Balance:
    """The wallet's figures and the key's limit, None where it has none."""

    balance: int
    reserved: int
    limit: KeyLimit | None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a balance widget computes with: granted - spent = left, always and exactly.

    `left` is the balance, or what is left of the key's limit where that is less. `spent` is the
    wallet's spending since it exists, or the key's own where it has a limit.
    """

    left: int
    spent: int

    @property
    def granted(self) -> int:
        """What there was before anything was spent."""
        return self.left + self.spent


async def read_balance(
    connection: AsyncConnection, wallet_id: int, key_id: int, limit_purse_id: int | None
) -> Balance:
    """Return the balance as a key sees it; LookupError when its wallet does not exist."""
    ids = (wallet_id,) if limit_purse_id is None else (wallet_id, limit_purse_id)
    purses = await figures_of(connection, ids)
    wallet = purses[wallet_id]
    purse = purses.get(limit_purse_id) if limit_purse_id is not None else None
    limit = await _limit(connection, key_id, purse) if purse is not None else None
    return Balance(wallet.available, wallet.held, limit)


async def read_allowance(
    connection: AsyncConnection, wallet_id: int, key_id: int, limit_purse_id: int | None
) -> Allowance:
    """Return what a key may still spend and what was spent; LookupError as `read_balance`."""
    now = await read_balance(connection, wallet_id, key_id, limit_purse_id)
    if now.limit is not None:
        return Allowance(min(now.balance, now.limit.remaining), now.limit.spent)
    return Allowance(now.balance, await credited(connection, wallet_id) - now.balance)


async def _limit(connection: AsyncConnection, key_id: int, purse: Figures) -> KeyLimit | None:
    """The limit may have been taken away since the key was looked up."""
    row = await limit_of(connection, key_id)
    if row is None:
        return None
    # A limit lowered below what was spent leaves the excess as a debt (billing.limits).
    spent = row.limit + row.excess - purse.available
    return KeyLimit(row.limit, purse.available, purse.held, spent)
