"""The second factor: on by a code, off again, and each code taken once, whoever is quicker."""

import asyncio

import pytest

from tests.services.at_the_door import (
    VOICE,
    code_at,
    letters,
    row_of,
    switch_on,
    wrong_code,
)
from tests.services.pages import House
from tollbridge.catalog.channel_rows import open_sealed
from tollbridge.core.clock import now_ms
from tollbridge.core.secrets import Secrets
from tollbridge.identity.recovery import codes_left
from tollbridge.people.second_factor import (
    Enrolment,
    EnrolmentOver,
    WrongCode,
    begin_totp,
    confirm_totp,
    disable_totp,
    enrolment_of,
    new_recovery_codes,
    take_code,
)
from tollbridge.storage.unit_of_work import reading, working

STEP_MS = 30_000
LIFE_MS = 30 * 60_000


async def begun(house: House, user_id: int, at_ms: int) -> Enrolment:
    async with working(house.engine) as connection:
        return await begin_totp(connection, house.secrets, user_id, "Gate", "a code", at_ms)


async def confirmed(house: House, user_id: int, word: str, code: str, at_ms: int) -> list[str]:
    async with working(house.engine) as connection:
        return await confirm_totp(connection, house.secrets, user_id, word, code, VOICE, at_ms)


async def taken(house: House, user_id: int, code: str, at_ms: int) -> bool:
    try:
        async with working(house.engine) as connection:
            await take_code(connection, house.secrets, user_id, code, at_ms)
    except WrongCode:
        return False
    return True


async def test_a_right_code_switches_it_on_and_counts_as_used(house: House):
    user_id, at_ms = await house.user(), now_ms()
    enrolment = await begun(house, user_id, at_ms)
    with pytest.raises(WrongCode):
        await confirmed(house, user_id, enrolment.word, wrong_code(enrolment.secret, at_ms), at_ms)
    async with reading(house.engine) as connection:
        again = await enrolment_of(
            connection, house.secrets, user_id, enrolment.word, "Gate", "a code", at_ms
        )
    assert (again.secret, again.picture) == (enrolment.secret, enrolment.picture)
    assert (await row_of(house, user_id))["totp_secret"] is None
    code = code_at(enrolment.secret, at_ms)
    codes = await confirmed(house, user_id, enrolment.word, code, at_ms)
    assert len(codes) == 10
    assert not await taken(house, user_id, code, at_ms)
    assert await taken(house, user_id, code_at(enrolment.secret, at_ms + STEP_MS), at_ms)
    assert len(await letters(house)) == 1
    row = await row_of(house, user_id)
    assert enrolment.secret not in row["totp_secret"]
    # Rotation of keys opens it under this name.
    assert open_sealed(house.secrets, "user", row, "totp_secret") == enrolment.secret
    with pytest.raises(EnrolmentOver):
        await begun(house, user_id, at_ms)


async def test_what_was_begun_is_its_users_own_and_ends(house: House):
    ann, bob = await house.user(), await house.user("bob@example.com")
    at_ms = now_ms()
    first = await begun(house, ann, at_ms)
    second = await begun(house, ann, at_ms)
    later = at_ms + LIFE_MS
    for user_id, one, when in ((ann, first, at_ms), (bob, second, at_ms), (ann, second, later)):
        with pytest.raises(EnrolmentOver):
            await confirmed(house, user_id, one.word, code_at(one.secret, when), when)
    assert await confirmed(house, ann, second.word, code_at(second.secret, at_ms), at_ms)


async def test_a_step_is_taken_once_and_only_forward(house: House):
    user_id = await house.user()
    secret, _ = await switch_on(house, user_id)
    at_ms = now_ms()
    now, before, after = (code_at(secret, at_ms + by * STEP_MS) for by in (0, -1, 1))
    assert await taken(house, user_id, now, at_ms)
    assert not await taken(house, user_id, now, at_ms)
    assert not await taken(house, user_id, before, at_ms)
    assert await taken(house, user_id, after, at_ms)
    assert not await taken(house, user_id, code_at(secret, at_ms + 2 * STEP_MS), at_ms)


async def test_of_many_at_once_with_one_code_one_gets_in(house: House):
    user_id = await house.user()
    secret, codes = await switch_on(house, user_id)
    at_ms = now_ms()
    for code in (code_at(secret, at_ms), codes[0]):
        got = await asyncio.gather(*(taken(house, user_id, code, at_ms) for _ in range(5)))
        assert sorted(got) == [False] * 4 + [True]


async def test_off_is_off_and_new_codes_replace_the_old(house: House):
    user_id, at_ms = await house.user(), now_ms()
    secret, old = await switch_on(house, user_id)
    async with working(house.engine) as connection:
        fresh = await new_recovery_codes(connection, house.secrets, user_id)
    assert not await taken(house, user_id, old[0], at_ms)
    assert await taken(house, user_id, fresh[0], at_ms)
    async with working(house.engine) as connection:
        assert await disable_totp(connection, user_id, VOICE)
        assert not await disable_totp(connection, user_id, VOICE)
        assert await new_recovery_codes(connection, house.secrets, user_id) == []
        assert await codes_left(connection, user_id) == 0
    for code in (fresh[1], code_at(secret, at_ms)):
        assert not await taken(house, user_id, code, at_ms)
    row = await row_of(house, user_id)
    assert (row["totp_secret"], row["totp_step"]) == (None, None)
    assert len(await letters(house)) == 2


async def test_a_secret_that_no_key_opens_is_a_wrong_code(house: House):
    user_id, at_ms = await house.user(), now_ms()
    secret, codes = await switch_on(house, user_id)
    other = Secrets(b"p" * 32, {"k2": b"j" * 32}, "k2")
    async with working(house.engine) as connection:
        with pytest.raises(WrongCode):
            await take_code(connection, other, user_id, code_at(secret, at_ms), at_ms)
        await take_code(connection, other, user_id, codes[0], at_ms)
