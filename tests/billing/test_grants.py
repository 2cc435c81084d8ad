"""Proof that a grant is one journal line and one relative change, once a reference."""

import asyncio

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services.control_plane import database_url, engine
from tollbridge.billing.grants import grant, open_wallet
from tollbridge.storage.ledger_tables import journal, purse
from tollbridge.storage.unit_of_work import reading, writing

__all__ = ["database_url", "engine"]


@pytest.fixture
async def wallet(engine: AsyncEngine) -> int:
    async with writing(engine) as connection:
        return await open_wallet(connection, 5)


async def books(engine: AsyncEngine) -> tuple[int, list[tuple[str, str, int, str, str]]]:
    columns = (journal.c.debit, journal.c.credit, journal.c.amount, journal.c.kind, journal.c.ref)
    async with reading(engine) as connection:
        available = (await connection.execute(select(purse.c.available))).scalar_one()
        rows = (await connection.execute(select(*columns).order_by(journal.c.ref))).all()
    return available, [tuple(row) for row in rows]


async def test_a_wallet_begins_empty(engine: AsyncEngine, wallet: int):
    async with reading(engine) as connection:
        row = (await connection.execute(select(purse))).one()
    assert tuple(row) == (wallet, "wallet", 5, 0, 0, 0, 0)


async def test_a_grant_counts_once_a_reference(engine: AsyncEngine, wallet: int):
    async with writing(engine) as connection:
        assert await grant(connection, wallet, 7, "a", 1)
        assert not await grant(connection, wallet, 7, "a", 2)
        assert await grant(connection, wallet, 3, "b", 3)
    credit = f"wallet:{wallet}"
    expected = [("promo", credit, 7, "grant", "a"), ("promo", credit, 3, "grant", "b")]
    assert await books(engine) == (10, expected)


async def test_many_at_once_lose_nothing(engine: AsyncEngine, wallet: int):
    async def give(number: int) -> bool:
        async with writing(engine) as connection:
            return await grant(connection, wallet, 1 << number, f"r{number}", 1)

    # Each reference comes twice, as repeated callbacks do.
    given = await asyncio.gather(*(give(number) for number in [*range(5), *range(5)]))
    assert sorted(given) == [False] * 5 + [True] * 5
    available, lines = await books(engine)
    assert available == sum(line[2] for line in lines) == 31


async def test_a_grant_leaves_holds_alone(engine: AsyncEngine, wallet: int):
    async with writing(engine) as connection:
        await connection.execute(update(purse).values(available=5, held=5))
        await grant(connection, wallet, 1, "a", 1)
        row = (await connection.execute(select(purse.c.available, purse.c.held))).one()
    assert tuple(row) == (6, 5)


@pytest.mark.parametrize("amount", [0, -1])
async def test_only_more_than_nothing_is_granted(engine: AsyncEngine, wallet: int, amount: int):
    async with writing(engine) as connection:
        with pytest.raises(ValueError, match="above zero"):
            await grant(connection, wallet, amount, "a", 1)


async def test_a_wallet_that_does_not_exist_gets_no_journal_line(engine: AsyncEngine, wallet: int):
    async def give() -> None:
        async with writing(engine) as connection:
            await grant(connection, wallet + 1, 1, "a", 1)

    with pytest.raises(LookupError):
        await give()
    assert await books(engine) == (0, [])
