"""Owns what a key's owner is told of money: balance, reserved, spent, and what is left of a limit
and of a budget.

Balance is what is not yet charged; what running calls hold of it is shown beside it (money.md,
"Rows"). Amounts are nano-dollars. Must not know how they are shown.
"""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.periods import period_at
from tollbridge.storage.ledger_items import Figures
from tollbridge.storage.purse_reads import (
    budget_of,
    budget_purse,
    credited,
    figures_of,
    limit_of,
)


@dataclass(frozen=True, slots=True)
class KeyLimit:
    """A key's spending limit: what is left of it, and how much of that running calls hold."""

    limit: int
    remaining: int
    reserved: int
    spent: int


@dataclass(frozen=True, slots=True)
class KeyBudget:
    """A key's budget of this day, week or month, as KeyLimit; it begins anew at `resets_ms`."""

    period: str
    budget: int
    remaining: int
    reserved: int
    spent: int
    resets_ms: int


@dataclass(frozen=True, slots=True)
class Balance:
    """The wallet's figures, and the key's limit and budget, None where it has none."""

    balance: int
    reserved: int
    limit: KeyLimit | None
    budget: KeyBudget | None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a balance widget computes with: granted - spent = left, always and exactly.

    `left` is the balance, or what is left of the key's limit or budget where that is less. `spent`
    is the wallet's spending since it exists; for a key with a limit the key's own, and for one with
    a budget alone the key's own in the period.
    """

    left: int
    spent: int
    own: bool = False
    """Whether it is the key's own, not the wallet's."""

    @property
    def granted(self) -> int:
        """What there was before anything was spent."""
        return self.left + self.spent


async def read_balance(
    connection: AsyncConnection,
    wallet_id: int,
    key_id: int,
    limit_purse_id: int | None,
    at_ms: int,
) -> Balance:
    """Return the balance as a key sees it at a moment; LookupError when it has no wallet."""
    ids = (wallet_id,) if limit_purse_id is None else (wallet_id, limit_purse_id)
    purses = await figures_of(connection, ids)
    wallet = purses[wallet_id]
    purse = purses.get(limit_purse_id) if limit_purse_id is not None else None
    limit = await _limit(connection, key_id, purse) if purse is not None else None
    budget = await _budget(connection, key_id, at_ms)
    return Balance(wallet.available, wallet.held, limit, budget)


async def read_allowance(
    connection: AsyncConnection,
    wallet_id: int,
    key_id: int,
    limit_purse_id: int | None,
    at_ms: int,
) -> Allowance:
    """Return what a key may still spend and what was spent; LookupError as `read_balance`."""
    now = await read_balance(connection, wallet_id, key_id, limit_purse_id, at_ms)
    guards = [guard for guard in (now.limit, now.budget) if guard is not None]
    if not guards:
        return Allowance(now.balance, await credited(connection, wallet_id) - now.balance)
    left = min(now.balance, *(guard.remaining for guard in guards))
    return Allowance(left, guards[0].spent, own=True)


async def _limit(connection: AsyncConnection, key_id: int, purse: Figures) -> KeyLimit | None:
    """The limit may have been taken away since the key was looked up."""
    row = await limit_of(connection, key_id)
    if row is None:
        return None
    # A limit lowered below what was spent leaves the excess as a debt (billing.limits).
    spent = row.limit + row.excess - purse.available
    return KeyLimit(row.limit, purse.available, purse.held, spent)


async def _budget(connection: AsyncConnection, key_id: int, at_ms: int) -> KeyBudget | None:
    """All of a period's budget is left until the first call of the period opens its purse."""
    row = await budget_of(connection, key_id)
    if row is None:
        return None
    period = period_at(row.period, at_ms)
    purse = await budget_purse(connection, key_id, period.start_ms)
    remaining, held, granted = (
        (row.budget, 0, row.budget)
        if purse is None
        else (purse.available, purse.held, purse.granted)
    )
    spent = granted - remaining
    return KeyBudget(row.period, row.budget, remaining, held, spent, period.end_ms)
