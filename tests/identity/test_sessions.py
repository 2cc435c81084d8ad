"""The twin of identity/sessions.py: a session is its cookie's alone, and ends when it should."""

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.identity.rows import user_columns
from tollbridge.core.secrets import Secrets
from tollbridge.identity.sessions import (
    IDLE_MS,
    LIFE_MS,
    PROOF_MS,
    end_session,
    end_sessions,
    find_session,
    forget_ended,
    note_proof,
    note_visit,
    sessions_of,
    start_session,
)
from tollbridge.identity.users import add_user
from tollbridge.storage.people_tables import sessions
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading, working

AT = 1_700_000_000_000


@pytest.fixture
async def house(engine: AsyncEngine) -> AsyncEngine:
    """Two users, 1 and 2."""
    async with working(engine) as connection:
        for user_id in (1, 2):
            columns = user_columns(wallet_id=10 + user_id)
            await add_user(connection, user_id, f"u{user_id}@example.com", AT, columns)
    return engine


async def start(engine, secrets, user_id=1, at_ms=AT, stage="full", agent="a browser"):
    async with working(engine) as connection:
        return await start_session(
            connection, secrets, user_id, stage, at_ms, address="192.0.2.7", agent=agent
        )


async def find(engine, secrets, token, at_ms=AT):
    async with reading(engine) as connection:
        return await find_session(connection, secrets, token, at_ms)


async def test_a_session_is_found_by_its_cookie(house, secrets):
    token = await start(house, secrets)
    found = await find(house, secrets, token)
    assert (found.user_id, found.email, found.role, found.group) == (
        1, "u1@example.com", "user", "default",
    )  # fmt: skip
    assert (found.stage, found.wallet_id, found.second_factor) == ("full", 11, False)
    assert (found.language, found.zone) == (None, None)
    assert found.created_ms == found.seen_ms == found.proved_ms == AT


async def test_no_cookie_is_stored_nor_another_installations_good_here(house, secrets):
    token = await start(house, secrets)
    async with reading(house) as connection:
        stored = [str(value) for row in await connection.execute(select(sessions)) for value in row]
    assert not any(token in value for value in stored)
    assert await find(house, Secrets(b"q" * 32, {"k1": b"k" * 32}, "k1"), token) is None


async def test_every_sign_in_is_a_new_session(house, secrets):
    tokens = {await start(house, secrets) for _ in range(5)}
    assert len(tokens) == 5
    assert all([await find(house, secrets, token) for token in tokens])


@pytest.mark.parametrize("wrong", ["", "x", "é" * 9, "x" * 129, "x" * 10**6, "\x00", "' OR 1=1"])
async def test_what_is_no_cookie_of_ours_finds_nothing(house, secrets, wrong):
    token = await start(house, secrets)
    assert await find(house, secrets, wrong) is None
    assert await find(house, secrets, token + wrong) is None or not wrong


async def test_a_session_ends_a_month_after_it_began(house, secrets):
    token = await start(house, secrets)
    found = await find(house, secrets, token)
    async with working(house) as connection:
        await note_visit(connection, found.id, AT + LIFE_MS - 1)
    assert await find(house, secrets, token, AT + LIFE_MS - 1)
    assert await find(house, secrets, token, AT + LIFE_MS) is None


async def test_a_week_without_a_visit_ends_it(house, secrets):
    token = await start(house, secrets)
    found = await find(house, secrets, token, AT + IDLE_MS - 1)
    assert await find(house, secrets, token, AT + IDLE_MS) is None
    async with working(house) as connection:
        await note_visit(connection, found.id, AT + IDLE_MS - 1)
    assert (await find(house, secrets, token, AT + IDLE_MS)).seen_ms == AT + IDLE_MS - 1


async def test_who_was_suspended_is_out_at_once(house, secrets):
    token = await start(house, secrets)
    async with working(house) as connection:
        await connection.execute(update(users).where(users.c.id == 1).values(status="suspended"))
    assert await find(house, secrets, token) is None


async def test_a_proof_is_good_for_a_quarter_of_an_hour(house, secrets):
    token = await start(house, secrets)
    found = await find(house, secrets, token)
    assert found.proved(AT + PROOF_MS - 1) and not found.proved(AT + PROOF_MS)
    async with working(house) as connection:
        await note_proof(connection, found.id, AT + PROOF_MS)
    again = await find(house, secrets, token)
    assert again.proved(AT + PROOF_MS) and again.seen_ms == AT


async def test_a_user_sees_the_living_ones_alone_the_last_used_first(house, secrets):
    for back, agent in ((2, "older"), (1, "newer"), (IDLE_MS, "asleep")):
        await start(house, secrets, at_ms=AT - back, agent=agent)
    await start(house, secrets, stage="second", agent="half in")
    await start(house, secrets, user_id=2, agent="somebody else's")
    await start(house, secrets, agent="x" * 999)
    async with reading(house) as connection:
        listed = await sessions_of(connection, 1, AT)
    assert [row["agent"] for row in listed] == ["x" * 200, "newer", "older"]
    assert set(listed[0]) == {"id", "created_ms", "seen_ms", "address", "agent"}


async def test_ones_own_session_is_ended_and_nobody_elses(house, secrets):
    token = await start(house, secrets)
    mine = (await find(house, secrets, token)).id
    async with working(house) as connection:
        assert not await end_session(connection, 2, mine)
        assert await end_session(connection, 1, mine)
        assert not await end_session(connection, 1, mine)
    assert await find(house, secrets, token) is None


async def test_all_are_ended_but_perhaps_this_one(house, secrets):
    tokens = [await start(house, secrets) for _ in range(3)]
    other = await start(house, secrets, user_id=2)
    this = (await find(house, secrets, tokens[0])).id
    async with working(house) as connection:
        assert await end_sessions(connection, 1, but=this) == 2
    assert [await find(house, secrets, token) is None for token in tokens] == [False, True, True]
    async with working(house) as connection:
        assert await end_sessions(connection, 1) == 1
    assert await find(house, secrets, other)


async def test_rows_of_what_is_over_are_removed(house, secrets):
    await start(house, secrets, at_ms=AT - LIFE_MS)
    await start(house, secrets, at_ms=AT - IDLE_MS)
    token = await start(house, secrets)
    async with working(house) as connection:
        assert await forget_ended(connection, AT) == 2
        left = await connection.execute(select(func.count()).select_from(sessions))
        assert left.scalar_one() == 1
    assert await find(house, secrets, token)
