"""A bonus is given once ever to whoever it is for, whatever becomes of the account (S0-bonus)."""

import asyncio

import pytest
from sqlalchemy import func, select

from tests.services.pages import House
from tollbridge.core.clock import new_id, now_ms
from tollbridge.identity.users import find_user
from tollbridge.people.bonus import give_once
from tollbridge.storage.ledger_tables import journal, lot, purse
from tollbridge.storage.people_tables import bonus_marks
from tollbridge.storage.unit_of_work import reading, writing

USD = 1_000_000_000
WHOSE = "ann@example.com"


async def wallet_of(house: House, email: str) -> int:
    await house.user(email)
    async with reading(house.engine) as connection:
        row = await find_user(connection, email)
    assert row is not None
    wallet: int = row["wallet_id"]
    return wallet


async def give(house: House, wallet_id: int, *, kind: str = "sign_up", whose: str = WHOSE) -> bool:
    async with writing(house.engine) as connection:
        return await give_once(connection, house.secrets, kind, whose, wallet_id, USD, now_ms())


async def balance(house: House, wallet_id: int) -> int:
    async with reading(house.engine) as connection:
        query = select(purse.c.available).where(purse.c.id == wallet_id)
        return (await connection.execute(query)).scalar_one()


async def test_a_bonus_is_a_line_and_a_lot_named_by_a_mark(house: House) -> None:
    wallet = await wallet_of(house, WHOSE)
    assert await give(house, wallet)
    async with reading(house.engine) as connection:
        line = (await connection.execute(select(journal).where(journal.c.kind == "grant"))).one()
        lots = (await connection.execute(select(func.count()).select_from(lot))).scalar_one()
    mark = house.secrets.mark("bonus", WHOSE)
    assert (line.ref, line.amount, line.credit) == (f"bonus:{mark.hex()}", USD, f"wallet:{wallet}")
    assert lots == 1
    assert await balance(house, wallet) == USD


async def test_the_same_person_with_another_wallet_gets_none(house: House) -> None:
    first = await wallet_of(house, WHOSE)
    second = await wallet_of(house, "later@example.com")
    assert await give(house, first)
    assert not await give(house, second)
    assert not await give(house, first)
    assert (await balance(house, first), await balance(house, second)) == (USD, 0)


async def test_of_many_at_once_one_gets_it(house: House) -> None:
    wallets = [await wallet_of(house, f"ann{n}@example.com") for n in range(4)]
    given = await asyncio.gather(*(give(house, wallet) for wallet in wallets))
    assert sorted(given) == [False, False, False, True]
    assert sum([await balance(house, wallet) for wallet in wallets]) == USD


async def test_other_kinds_and_other_people_have_their_own(house: House) -> None:
    wallet = await wallet_of(house, WHOSE)
    assert await give(house, wallet)
    assert await give(house, wallet, whose="bob@example.com")
    assert await give(house, wallet, kind="telegram", whose="telegram:42")
    assert not await give(house, wallet, kind="telegram", whose="telegram:42")
    assert await balance(house, wallet) == 3 * USD


async def test_no_amount_leaves_no_mark(house: House) -> None:
    wallet = await wallet_of(house, WHOSE)
    async with writing(house.engine) as connection:
        given = await give_once(connection, house.secrets, "sign_up", WHOSE, wallet, 0, now_ms())
    assert not given
    assert await give(house, wallet)


async def test_without_a_wallet_nothing_is_kept(house: House) -> None:
    with pytest.raises(LookupError):
        await give(house, new_id())
    async with reading(house.engine) as connection:
        assert not (await connection.execute(select(bonus_marks))).all()
        assert not (await connection.execute(select(journal))).all()
