"""Recovery codes: ten, each good once, for their user alone, and nothing of them in the database."""

import asyncio

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.identity.rows import user_columns
from tollbridge.core.secrets import Secrets
from tollbridge.identity.recovery import (
    COUNT,
    codes_left,
    forget_codes,
    new_code,
    replace_codes,
    use_code,
)
from tollbridge.identity.users import add_user
from tollbridge.storage.people_tables import recovery_codes
from tollbridge.storage.unit_of_work import reading, working

ANN, BOB = 1, 2


async def given(engine: AsyncEngine, secrets: Secrets) -> list[str]:
    """Return the codes of Ann, who is there with Bob."""
    async with working(engine) as connection:
        for user_id in (ANN, BOB):
            more = user_columns(wallet_id=user_id)
            await add_user(connection, user_id, f"{user_id}@example.com", 1, more)
        return await replace_codes(connection, secrets, ANN)


async def used(engine: AsyncEngine, secrets: Secrets, user_id: int, typed: str) -> bool:
    async with working(engine) as connection:
        return await use_code(connection, secrets, user_id, typed, 5)


def test_a_code_is_two_groups_that_cannot_be_misread():
    code = new_code()
    assert len(code) == 11 and code[5] == "-"
    assert not set(code) & set("01oil")


async def test_each_code_works_once_however_it_is_typed(engine: AsyncEngine, secrets: Secrets):
    codes = await given(engine, secrets)
    assert len(set(codes)) == COUNT
    assert await used(engine, secrets, ANN, f" {codes[0].upper().replace('-', ' ')} ")
    assert not await used(engine, secrets, ANN, codes[0])
    assert await used(engine, secrets, ANN, codes[1])
    async with reading(engine) as connection:
        assert await codes_left(connection, ANN) == COUNT - 2


async def test_of_two_at_once_one_has_it(engine: AsyncEngine, secrets: Secrets):
    codes = await given(engine, secrets)
    took = await asyncio.gather(*(used(engine, secrets, ANN, codes[0]) for _ in range(4)))
    assert sorted(took) == [False, False, False, True]


async def test_codes_are_their_users_own_and_new_ones_replace_them(
    engine: AsyncEngine, secrets: Secrets
):
    codes = await given(engine, secrets)
    for typed in ("", "aaaaa-aaaaa", "x" * 500, "ä" * 10):
        assert not await used(engine, secrets, ANN, typed)
    assert not await used(engine, secrets, BOB, codes[0])
    async with working(engine) as connection:
        fresh = await replace_codes(connection, secrets, ANN)
    assert not await used(engine, secrets, ANN, codes[0])
    assert await used(engine, secrets, ANN, fresh[0])
    async with working(engine) as connection:
        await forget_codes(connection, ANN)
    assert not await used(engine, secrets, ANN, fresh[1])


async def test_the_database_has_nothing_that_could_be_typed(engine: AsyncEngine, secrets: Secrets):
    codes = await given(engine, secrets)
    async with reading(engine) as connection:
        rows = (await connection.execute(select(recovery_codes))).all()
    shown = repr(rows)
    assert not any(code in shown or code.replace("-", "") in shown for code in codes)
