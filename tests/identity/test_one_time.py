"""The twin of identity/one_time.py: a word works once, for its purpose, for its time."""

import asyncio

import pytest
from sqlalchemy import select

from tests.identity.rows import user_columns
from tollbridge.identity.one_time import Purpose, forget_expired, issue, look_at, revoke, use
from tollbridge.identity.users import add_user
from tollbridge.storage.people_tables import one_time
from tollbridge.storage.unit_of_work import reading, working

AT = 1_700_000_000_000
LIFE = 3_600_000


async def made(engine, secrets, purpose=Purpose.RESET, **more):
    async with working(engine) as connection:
        return await issue(connection, secrets, purpose, at_ms=AT, life_ms=LIFE, **more)


async def used(engine, secrets, word, purpose=Purpose.RESET, at_ms=AT):
    async with working(engine) as connection:
        return await use(connection, secrets, purpose, word, at_ms)


async def looked(engine, secrets, word, purpose=Purpose.RESET, at_ms=AT):
    async with reading(engine) as connection:
        return await look_at(connection, secrets, purpose, word, at_ms)


async def test_a_word_is_used_once_and_looked_at_before(engine, secrets):
    word = await made(engine, secrets, Purpose.SIGN_UP, data={"email": "é@example.com", "n": [1]})
    seen = await looked(engine, secrets, word, Purpose.SIGN_UP)
    assert seen == await looked(engine, secrets, word, Purpose.SIGN_UP)
    assert (seen.user_id, seen.data, seen.created_ms) == (
        None, {"email": "é@example.com", "n": [1]}, AT,
    )  # fmt: skip
    assert await used(engine, secrets, word, Purpose.SIGN_UP) == seen
    assert await used(engine, secrets, word, Purpose.SIGN_UP) is None
    assert await looked(engine, secrets, word, Purpose.SIGN_UP) is None


async def test_of_many_at_the_same_time_one_has_it(engine, secrets):
    word = await made(engine, secrets)
    answers = await asyncio.gather(*(used(engine, secrets, word) for _ in range(8)))
    assert sum(answer is not None for answer in answers) == 1


async def test_a_use_that_was_rolled_back_leaves_it_good(engine, secrets):
    word = await made(engine, secrets)
    async with working(engine) as connection:
        assert await use(connection, secrets, Purpose.RESET, word, AT)
        await connection.rollback()
    assert await used(engine, secrets, word)


@pytest.mark.parametrize("purpose", list(Purpose))
async def test_a_word_is_good_for_one_purpose(engine, secrets, purpose):
    word = await made(engine, secrets, purpose)
    for other in set(Purpose) - {purpose}:
        assert await looked(engine, secrets, word, other) is None
        assert await used(engine, secrets, word, other) is None
    assert await used(engine, secrets, word, purpose)


async def test_after_its_time_it_is_good_for_nothing(engine, secrets):
    word = await made(engine, secrets)
    assert await looked(engine, secrets, word, at_ms=AT + LIFE) is None
    assert await used(engine, secrets, word, at_ms=AT + LIFE) is None
    assert await used(engine, secrets, word, at_ms=AT + LIFE - 1)


@pytest.mark.parametrize("wrong", ["", "x", "é", "x" * 129, "x" * 10**6, "\x00"])
async def test_what_is_no_word_is_refused(engine, secrets, wrong):
    await made(engine, secrets)
    assert await looked(engine, secrets, wrong) is None
    assert await used(engine, secrets, wrong) is None


async def test_no_word_is_stored_as_it_is(engine, secrets):
    word = await made(engine, secrets, word="a code to type")
    assert word == "a code to type"
    async with reading(engine) as connection:
        (row,) = (await connection.execute(select(one_time))).all()
    assert not any(word in str(value) for value in row)


async def test_a_users_words_for_a_purpose_are_revoked(engine, secrets):
    async with working(engine) as connection:
        for user_id in (1, 2):
            columns = user_columns(wallet_id=user_id)
            await add_user(connection, user_id, f"u{user_id}@example.com", AT, columns)
    first, second = [await made(engine, secrets, user_id=1) for _ in range(2)]
    other = await made(engine, secrets, user_id=2)
    mail = await made(engine, secrets, Purpose.NEW_EMAIL, user_id=1)
    async with working(engine) as connection:
        await revoke(connection, Purpose.RESET, 1)
    assert await used(engine, secrets, first) is None
    assert await used(engine, secrets, second) is None
    assert (await used(engine, secrets, other)).user_id == 2
    assert (await used(engine, secrets, mail, Purpose.NEW_EMAIL)).user_id == 1


async def test_what_nobody_can_use_is_removed(engine, secrets):
    await made(engine, secrets)
    async with working(engine) as connection:
        assert await forget_expired(connection, AT + LIFE - 1) == 0
        assert await forget_expired(connection, AT + LIFE) == 1
