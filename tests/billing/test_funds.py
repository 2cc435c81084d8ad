"""Proof that what a key is told of money adds up: granted - spent = left."""

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.identity.rows import key_columns, user_columns
from tests.services.control_plane import database_url, engine
from tollbridge.billing.funds import Allowance, Balance, KeyLimit, read_allowance, read_balance
from tollbridge.billing.grants import grant, open_wallet
from tollbridge.billing.limits import move_limit, open_limit
from tollbridge.storage.ledger_tables import journal, purse
from tollbridge.storage.tables import api_keys, users
from tollbridge.storage.unit_of_work import writing

__all__ = ["database_url", "engine"]

USER, KEY = 5, 6


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
        assert await read_balance(connection, wallet, KEY, None) == Balance(700, 50, None)
        allowance = await read_allowance(connection, wallet, KEY, None)
    assert allowance == Allowance(left=700, spent=300)
    assert allowance.granted == 1000


async def test_with_a_limit(engine: AsyncEngine):
    async with writing(engine) as connection:
        wallet, limit = await open_purses(connection)
        await spend(connection, 500, wallet)
        await spend(connection, 30, wallet, limit, held=20)
        balance = await read_balance(connection, wallet, KEY, limit)
        assert balance == Balance(470, 20, KeyLimit(limit=100, remaining=70, reserved=20, spent=30))
        assert await read_allowance(connection, wallet, KEY, limit) == Allowance(70, 30)
        await spend(connection, 450, wallet)
        assert await read_allowance(connection, wallet, KEY, limit) == Allowance(20, 30)


async def test_a_limit_lowered_below_what_was_spent(engine: AsyncEngine):
    async with writing(engine) as connection:
        wallet, limit = await open_purses(connection)
        await spend(connection, 30, wallet, limit)
        excess = await move_limit(connection, limit, 10 - 100)
        await connection.execute(update(api_keys).values(limit_nano=10, limit_excess_nano=excess))
        found = (await read_balance(connection, wallet, KEY, limit)).limit
    assert found == KeyLimit(limit=10, remaining=0, reserved=0, spent=30)


async def test_a_limit_that_is_gone_counts_no_more(engine: AsyncEngine):
    async with writing(engine) as connection:
        wallet, limit = await open_purses(connection)
        await connection.execute(update(api_keys).values(limit_nano=None))
        assert (await read_balance(connection, wallet, KEY, limit)).limit is None
        assert await read_allowance(connection, wallet, KEY, limit) == Allowance(1000, 0)


async def test_a_wallet_that_does_not_exist(engine: AsyncEngine):
    async with writing(engine) as connection:
        with pytest.raises(LookupError):
            await read_balance(connection, 1, KEY, None)
