"""Proof that what a key is told of money adds up: granted - spent = left."""

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.billing.budgeted import DAY_MS, record
from tests.identity.rows import key_columns, user_columns
from tests.services.control_plane import database_url, engine
from tollbridge.billing.budgets import move_budget, open_budget
from tollbridge.billing.funds import (
    Allowance,
    Balance,
    KeyBudget,
    KeyLimit,
    read_allowance,
    read_balance,
)
from tollbridge.billing.grants import grant, open_wallet
from tollbridge.billing.limits import move_limit, open_limit
from tollbridge.core.periods import period_at
from tollbridge.storage.ledger_tables import journal, purse
from tollbridge.storage.tables import api_keys, users
from tollbridge.storage.unit_of_work import writing

__all__ = ["database_url", "engine"]

USER, KEY = 5, 6
AT = 10 * DAY_MS + 5


async def open_purses(connection: AsyncConnection) -> tuple[int, int]:
    """Return (wallet, limit): 1000 granted, and a key that may spend 100 of it."""
    wallet = await open_wallet(connection, USER)
    await grant(connection, wallet, 1000, "a", 1)
    limit = await open_limit(connection, KEY, 100)
    user = user_columns(email="a@b.c", email_norm="a@b.c", status="active", wallet_id=wallet)
    await connection.execute(insert(users).values(id=USER, created_ms=1, **user))
    await connection.execute(
        insert(api_keys).values(
            id=KEY, user_id=USER, hash=b"h", last6="", created_ms=1, limit_nano=100,
            limit_purse_id=limit, **key_columns(),
        )
    )  # fmt: skip
    return wallet, limit


async def spend(connection: AsyncConnection, amount: int, *purses: int, held: int = 0) -> None:
    """Charge a call of `amount` to purses, the wallet first, beside one that holds `held`."""
    await connection.execute(
        update(purse)
        .where(purse.c.id.in_(purses))
        .values(available=purse.c.available - amount, held=held)
    )
    if amount:
        number = len((await connection.execute(select(journal.c.id))).all())
        await connection.execute(
            insert(journal).values(
                id=number, at_ms=1, debit=f"wallet:{purses[0]}", credit="revenue", amount=amount,
                kind="charge", ref=str(number),
            )
        )  # fmt: skip


async def test_without_a_limit(engine: AsyncEngine):
    async with writing(engine) as connection:
        wallet, _ = await open_purses(connection)
        await spend(connection, 300, wallet, held=50)
        assert await read_balance(connection, wallet, KEY, None, AT) == Balance(700, 50, None, None)
        allowance = await read_allowance(connection, wallet, KEY, None, AT)
    assert allowance == Allowance(left=700, spent=300)
    assert allowance.granted == 1000


async def test_with_a_limit(engine: AsyncEngine):
    async with writing(engine) as connection:
        wallet, limit = await open_purses(connection)
        await spend(connection, 500, wallet)
        await spend(connection, 30, wallet, limit, held=20)
        balance = await read_balance(connection, wallet, KEY, limit, AT)
        of_key = KeyLimit(limit=100, remaining=70, reserved=20, spent=30)
        assert balance == Balance(470, 20, of_key, None)
        assert await read_allowance(connection, wallet, KEY, limit, AT) == Allowance(
            70, 30, own=True
        )
        await spend(connection, 450, wallet)
        assert await read_allowance(connection, wallet, KEY, limit, AT) == Allowance(
            20, 30, own=True
        )


async def test_a_limit_lowered_below_what_was_spent(engine: AsyncEngine):
    async with writing(engine) as connection:
        wallet, limit = await open_purses(connection)
        await spend(connection, 30, wallet, limit)
        excess = await move_limit(connection, limit, 10 - 100)
        await connection.execute(update(api_keys).values(limit_nano=10, limit_excess_nano=excess))
        found = (await read_balance(connection, wallet, KEY, limit, AT)).limit
    assert found == KeyLimit(limit=10, remaining=0, reserved=0, spent=30)


async def test_a_limit_that_is_gone_counts_no_more(engine: AsyncEngine):
    async with writing(engine) as connection:
        wallet, limit = await open_purses(connection)
        await connection.execute(update(api_keys).values(limit_nano=None))
        assert (await read_balance(connection, wallet, KEY, limit, AT)).limit is None
        assert await read_allowance(connection, wallet, KEY, limit, AT) == Allowance(1000, 0)


async def test_a_wallet_that_does_not_exist(engine: AsyncEngine):
    async with writing(engine) as connection:
        with pytest.raises(LookupError):
            await read_balance(connection, 1, KEY, None, AT)


async def budgeted(connection: AsyncConnection, budget: int, *, limit: int | None = None) -> int:
    """Give the key a budget of a day beside this limit or none; return the period's purse."""
    await connection.execute(
        update(api_keys).values(budget_nano=budget, budget_period="day", limit_nano=limit)
    )
    key = record(id=KEY, budget_nano=budget)
    return await open_budget(connection, key, period_at("day", AT).start_ms)


async def test_a_budget_before_its_purse_is_opened(engine: AsyncEngine):
    async with writing(engine) as connection:
        wallet, _ = await open_purses(connection)
        await connection.execute(
            update(api_keys).values(budget_nano=60, budget_period="week", limit_nano=None)
        )
        found = (await read_balance(connection, wallet, KEY, None, AT)).budget
        end = period_at("week", AT).end_ms
        assert found == KeyBudget("week", 60, remaining=60, reserved=0, spent=0, resets_ms=end)
        assert await read_allowance(connection, wallet, KEY, None, AT) == Allowance(60, 0, own=True)


async def test_with_a_budget_alone(engine: AsyncEngine):
    async with writing(engine) as connection:
        wallet, _ = await open_purses(connection)
        budget = await budgeted(connection, 60)
        await spend(connection, 500, wallet)
        await spend(connection, 25, wallet, budget, held=10)
        found = await read_balance(connection, wallet, KEY, None, AT)
        of_key = KeyBudget("day", 60, remaining=35, reserved=10, spent=25, resets_ms=11 * DAY_MS)
        assert found == Balance(475, 10, None, of_key)
        assert await read_allowance(connection, wallet, KEY, None, AT) == Allowance(
            35, 25, own=True
        )
        tomorrow = AT + DAY_MS
        assert await read_allowance(connection, wallet, KEY, None, tomorrow) == Allowance(
            60, 0, own=True
        )
        await spend(connection, 455, wallet)
        assert await read_allowance(connection, wallet, KEY, None, AT) == Allowance(
            20, 25, own=True
        )


@pytest.mark.parametrize(("budget", "left"), [(60, 30), (200, 70)])
async def test_with_a_limit_and_a_budget(engine: AsyncEngine, budget: int, left: int):
    async with writing(engine) as connection:
        wallet, limit = await open_purses(connection)
        purse_id = await budgeted(connection, budget, limit=100)
        await spend(connection, 30, wallet, limit, purse_id)
        allowance = await read_allowance(connection, wallet, KEY, limit, AT)
        assert allowance == Allowance(left, 30, own=True)
        assert allowance.granted == left + 30


async def test_a_budget_lowered_below_what_was_spent(engine: AsyncEngine):
    async with writing(engine) as connection:
        wallet, _ = await open_purses(connection)
        purse_id = await budgeted(connection, 60)
        await spend(connection, 30, wallet, purse_id)
        await connection.execute(update(api_keys).values(budget_nano=10))
        await move_budget(connection, KEY, 10, period_at("day", AT))
        found = (await read_balance(connection, wallet, KEY, None, AT)).budget
        assert found == KeyBudget("day", 10, 0, 0, spent=30, resets_ms=11 * DAY_MS)
        assert await read_allowance(connection, wallet, KEY, None, AT) == Allowance(0, 30, own=True)
