"""Owns the reading of purses: their figures, what was ever credited, a key's limit and budget.

Reads only. All of it must come from one transaction to fit together. Amounts are nano-dollars.
"""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.ledger_items import Figures
from tollbridge.storage.ledger_tables import journal, purse
from tollbridge.storage.tables import api_keys

_CHARGE = "charge"
# These correct a charge after the fact, so they count as spending too.
_CORRECTIONS = ("late", "return", "reversal")


class LimitRow(NamedTuple):
    """A key's limit, and what of an earlier, higher one was spent above it."""

    limit: int
    excess: int


class BudgetRow(NamedTuple):
    """A key's budget for each day, week or month."""

    budget: int
    period: str


class BudgetPurse(NamedTuple):
    """The purse of a key's budget for one period: `granted - available` of it is spent."""

    id: int
    available: int
    held: int
    granted: int


async def figures_of(connection: AsyncConnection, ids: Iterable[int]) -> dict[int, Figures]:
    """Return the figures of the purses that exist among `ids`."""
    query = select(purse.c.id, purse.c.available, purse.c.held).where(purse.c.id.in_(tuple(ids)))
    rows = (await connection.execute(query)).all()
    return {row.id: Figures(row.available, row.held) for row in rows}


async def credited(connection: AsyncConnection, wallet_id: int) -> int:
    """Return all that was ever put into a wallet less what was taken out other than by calls.

    Charges are most of the journal and are skipped over by its index on the kind.
    """
    name = f"wallet:{wallet_id}"
    line = journal.c
    query = select(func.sum(case((line.credit == name, line.amount), else_=-line.amount))).where(
        or_(line.kind < _CHARGE, line.kind > _CHARGE),
        line.kind.not_in(_CORRECTIONS),
        or_(line.credit == name, line.debit == name),
    )
    return int((await connection.execute(query)).scalar_one() or 0)


async def limit_of(connection: AsyncConnection, key_id: int) -> LimitRow | None:
    """Return the limit of a key, None when it has none or is gone."""
    query = select(api_keys.c.limit_nano, api_keys.c.limit_excess_nano).where(
        api_keys.c.id == key_id, api_keys.c.limit_nano.is_not(None)
    )
    row = (await connection.execute(query)).one_or_none()
    return LimitRow(row.limit_nano, row.limit_excess_nano) if row else None


async def budget_of(
    connection: AsyncConnection, key_id: int, *, lock: bool = False
) -> BudgetRow | None:
    """Return the budget of a key, None when it has none or is gone.

    With `lock` nobody changes it before the transaction ends.
    """
    query = select(api_keys.c.budget_nano, api_keys.c.budget_period).where(
        api_keys.c.id == key_id, api_keys.c.budget_nano.is_not(None)
    )
    query = query.with_for_update(read=True) if lock else query
    row = (await connection.execute(query)).one_or_none()
    return BudgetRow(row.budget_nano, row.budget_period) if row else None


async def budget_purse(
    connection: AsyncConnection, key_id: int, start_ms: int
) -> BudgetPurse | None:
    """Return the purse of the budget of a key for the period begun then; None if not yet opened."""
    query = select(purse.c.id, purse.c.available, purse.c.held, purse.c.granted).where(
        purse.c.kind == "key_budget",
        purse.c.owner_id == key_id,
        purse.c.period_start == start_ms,
    )
    row = (await connection.execute(query)).one_or_none()
    return BudgetPurse(row.id, row.available, row.held, row.granted) if row else None
