"""Signing in as use cases: the same work for everybody, renewed hashes, half sessions and their end."""

from typing import Any

import pytest
from argon2 import PasswordHasher

from tests.services.at_the_door import (
    EMAIL,
    PASSWORD,
    VOICE,
    code_at,
    letters,
    row_of,
    stages,
    switch_on,
    wrong_code,
)
from tests.services.pages import House
from tollbridge.core.clock import now_ms
from tollbridge.identity.passwords import password_matches, password_outdated
from tollbridge.identity.sessions import find_session
from tollbridge.identity.users import change_user
from tollbridge.people.second_factor import WrongCode
from tollbridge.people.signing_in import (
    HALF_MS,
    Browser,
    Entry,
    NotRecognised,
    SignedOut,
    Suspended,
    end_half,
    enter,
    finish,
    half_of,
    leave,
    prove,
    recognise,
)
from tollbridge.storage.unit_of_work import reading, working


async def entered(house: House, user_id: int, cookie: str = "", **more: Any) -> Entry:
    browser = Browser("192.0.2.7", "a browser", cookie)
    async with working(house.engine) as connection:
        return await enter(connection, house.secrets, user_id, browser, now_ms(), **more)


async def finished(house: House, token: str, code: str) -> Entry:
    at_ms = now_ms()
    async with reading(house.engine) as connection:
        half = await half_of(connection, house.secrets, token, at_ms)
    assert half is not None
    async with working(house.engine) as connection:
        return await finish(connection, house.secrets, half, code, Browser("", ""), at_ms)


@pytest.mark.parametrize(
    ("columns", "email", "password", "outcome"),
    [
        ({}, EMAIL, PASSWORD, None),
        ({}, " ANN@example.com ", PASSWORD, None),
        ({}, EMAIL, "another password", NotRecognised),
        ({}, "nobody@example.com", PASSWORD, NotRecognised),
        ({"password_hash": None}, EMAIL, PASSWORD, NotRecognised),
        ({"password_hash": "junk"}, EMAIL, PASSWORD, NotRecognised),
        ({"status": "suspended"}, EMAIL, "another password", NotRecognised),
        ({"status": "suspended"}, EMAIL, PASSWORD, Suspended),
        ({"status": "suspended", "deleted_ms": 5}, EMAIL, PASSWORD, NotRecognised),
    ],
)
async def test_everybody_costs_one_check(
    house: House,
    columns: dict[str, Any],
    email: str,
    password: str,
    outcome: type[Exception] | None,
):
    user_id = await house.user(password=PASSWORD)
    async with working(house.engine) as connection:
        await change_user(connection, user_id, columns)
    checks = []

    def check(stored: str, typed: str) -> bool:
        checks.append(stored)
        return password_matches(stored, typed)

    if outcome is None:
        found = await recognise(house.engine, email, password, check=check)
        assert found.user_id == user_id
    else:
        with pytest.raises(outcome):
            await recognise(house.engine, email, password, check=check)
    assert len(checks) == 1
    # What is checked costs as much as a hash of today, unless the row itself is damaged.
    assert not password_outdated(checks[0]) or checks == ["junk"]


async def test_a_hash_with_old_parameters_is_renewed_by_a_right_password(house: House):
    old = PasswordHasher(time_cost=1, memory_cost=1024).hash(PASSWORD)
    user_id = await house.user(password_hash=old)
    with pytest.raises(NotRecognised):
        await recognise(house.engine, EMAIL, "another password")
    assert (await row_of(house, user_id))["password_hash"] == old
    found = await recognise(house.engine, EMAIL, PASSWORD)
    renewed = (await row_of(house, user_id))["password_hash"]
    assert renewed == found.password_hash != old
    assert not password_outdated(renewed)
    assert password_matches(renewed, PASSWORD)


async def test_a_password_changed_in_between_lets_nobody_in(house: House):
    user_id = await house.user(password_hash="newer")
    with pytest.raises(NotRecognised):
        await entered(house, user_id, password_hash="older")
    assert await stages(house, user_id) == []
    assert (await entered(house, user_id, password_hash="newer")).stage == "full"


@pytest.mark.parametrize("columns", [{"status": "suspended"}, {"deleted_ms": 5}])
async def test_who_must_not_be_here_gets_no_session(house: House, columns: dict[str, Any]):
    user_id = await house.user(**({} if "status" in columns else columns))
    async with working(house.engine) as connection:
        await change_user(connection, user_id, columns)
    with pytest.raises(Suspended):
        await entered(house, user_id)


async def test_every_entry_is_a_new_session_and_ends_the_browsers_old_one(house: House):
    user_id = await house.user()
    first = await entered(house, user_id)
    second = await entered(house, user_id, cookie=first.token)
    assert first.token != second.token
    async with reading(house.engine) as connection:
        assert await find_session(connection, house.secrets, first.token, now_ms()) is None
        assert await find_session(connection, house.secrets, second.token, now_ms())
    async with working(house.engine) as connection:
        await leave(connection, house.secrets, second.token, now_ms())
        await leave(connection, house.secrets, "nonsense", now_ms())
    assert await stages(house, user_id) == []


async def test_a_code_turns_half_into_a_new_full_session(house: House):
    user_id = await house.user()
    secret, codes = await switch_on(house, user_id)
    half = await entered(house, user_id)
    assert half.stage == "second"
    with pytest.raises(WrongCode):
        await finished(house, half.token, wrong_code(secret, now_ms()))
    assert await stages(house, user_id) == ["second"]
    full = await finished(house, half.token, code_at(secret, now_ms()))
    assert (full.stage, full.token != half.token) == ("full", True)
    assert await stages(house, user_id) == ["full"]
    other = await entered(house, user_id)
    assert (await finished(house, other.token, codes[3])).stage == "full"


async def test_a_half_session_ends_after_ten_minutes_and_full_ones_are_none(house: House):
    user_id = await house.user()
    full = await entered(house, user_id)
    await switch_on(house, user_id)
    half = await entered(house, user_id)
    async with reading(house.engine) as connection:
        found = await half_of(connection, house.secrets, half.token, now_ms())
        assert found is not None
        over = found.created_ms + HALF_MS
        assert await half_of(connection, house.secrets, half.token, over - 1)
        assert await half_of(connection, house.secrets, half.token, over) is None
        assert await half_of(connection, house.secrets, full.token, now_ms()) is None


async def test_a_half_session_that_is_over_takes_no_code(house: House):
    user_id = await house.user()
    _, codes = await switch_on(house, user_id)
    half = await entered(house, user_id)
    async with reading(house.engine) as connection:
        found = await half_of(connection, house.secrets, half.token, now_ms())
    assert found is not None
    async with working(house.engine) as connection:
        await end_half(connection, found, VOICE)
        await end_half(connection, found, VOICE)
    assert [mail["to"] for mail in (await letters(house))[1:]] == [EMAIL]
    with pytest.raises(SignedOut):
        async with working(house.engine) as connection:
            await finish(connection, house.secrets, found, codes[0], Browser("", ""), now_ms())
    # Nothing was done: the code is still good.
    again = await entered(house, user_id)
    assert (await finished(house, again.token, codes[0])).stage == "full"


async def test_a_proof_is_the_users_own_password(house: House):
    ann = await house.user(password=PASSWORD)
    bob = await house.user("bob@example.com")
    assert await prove(house.engine, ann, PASSWORD)
    assert not await prove(house.engine, ann, "another password")
    assert not await prove(house.engine, bob, PASSWORD)
