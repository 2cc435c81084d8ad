"""Proof that tokens are recognised, forgotten when something changes, and never stored as they are."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.identity.rows import user_columns
from tollbridge.catalog.loader import change_version
from tollbridge.core.secrets import Secrets
from tollbridge.identity.access_tokens import (
    USED_EVERY_MS,
    AccessToken,
    TokenStore,
    add_token,
    find_token,
    list_tokens,
    mint,
    revoke_token,
    tag_ok,
)
from tollbridge.identity.scopes import Scope
from tollbridge.identity.users import add_user, change_user
from tollbridge.storage.engine import DATABASE_ERRORS, open_engine
from tollbridge.storage.tables import access_tokens
from tollbridge.storage.unit_of_work import reading, writing

ADA, BOB = 1, 2
# Nobody listens there.
NOBODY = "postgresql://postgres@127.0.0.1:1/none"
NOW = 1_767_225_600_000


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.ms = NOW

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(engine: AsyncEngine, secrets: Secrets, clock: Clock) -> AsyncIterator[TokenStore]:
    """Return a store over a database with two users."""
    async with writing(engine) as connection:
        for number, email in ((ADA, "ada@example.com"), (BOB, "bob@example.com")):
            await add_user(
                connection, number, email, 1, user_columns(role="admin", wallet_id=number)
            )
    opened = TokenStore(engine, secrets, clock_ms=clock, remembered_max=2)
    yield opened
    await opened.stop()


async def made(
    engine: AsyncEngine, secrets: Secrets, user: int = ADA, **more: Any
) -> tuple[int, str]:
    async with writing(engine) as connection:
        scopes = [Scope.TOKENS_READ, Scope.CHANNELS_READ]
        return await add_token(connection, secrets, user, "x", scopes, at_ms=NOW, **more)


async def used(engine: AsyncEngine, number: int) -> int | None:
    async with reading(engine) as connection:
        found = await find_token(connection, number)
    assert found is not None
    return found.used_ms


def test_a_minted_token_has_its_form_and_its_tag(secrets: Secrets):
    token = mint(secrets)
    assert token.startswith("tbp_") and len(token) == 50
    assert tag_ok(secrets, token)
    assert mint(secrets) != token
    other = Secrets(b"q" * 32, {"k1": b"k" * 32}, "k1")
    assert not tag_ok(other, token)


@given(st.one_of(st.text(), st.from_regex(r"tbp_[0-9A-Za-z]{46}", fullmatch=True)))
def test_what_we_did_not_mint_has_no_tag(token: str):
    assert not tag_ok(Secrets(b"p" * 32, {"k1": b"k" * 32}, "k1"), token)


async def test_a_token_is_found_by_its_secret_alone(
    engine: AsyncEngine, secrets: Secrets, store: TokenStore
):
    number, token = await made(engine, secrets, expires_ms=NOW + 5)
    found = await store.find(token)
    assert found == AccessToken(
        id=number,
        user_id=ADA,
        email="ada@example.com",
        role="admin",
        user_active=True,
        name="x",
        last6=token[-6:],
        scopes=("channels:read", "tokens:read"),
        created_ms=NOW,
        expires_ms=NOW + 5,
        revoked_ms=None,
        used_ms=None,
    )
    assert await store.find(mint(secrets)) is None
    assert await store.find(token[:-1]) is None
    async with reading(engine) as connection:
        row = (await connection.execute(select(access_tokens))).mappings().one()
    assert token not in str(dict(row)) and token.encode() not in row["hash"]
    assert row["hash"] != secrets.key_hash(token)


async def test_guesses_never_reach_the_database(secrets: Secrets):
    engine = open_engine(NOBODY)
    store = TokenStore(engine, secrets)
    assert await store.find("tbp_" + "x" * 46) is None
    with pytest.raises(DATABASE_ERRORS):
        await store.find(mint(secrets))
    await engine.dispose()


def test_when_a_token_is_dead():
    plain = {"id": 1, "user_id": 1, "email": "", "role": "admin", "user_active": True, "name": "",
             "last6": "", "scopes": (), "created_ms": 1, "expires_ms": None, "revoked_ms": None,
             "used_ms": None}  # fmt: skip

    def dead(**more: Any) -> str:
        return AccessToken(**{**plain, **more}).dead(NOW)

    assert dead() == dead(expires_ms=NOW + 1) == ""
    assert dead(expires_ms=NOW) == "expired"
    assert dead(revoked_ms=1, user_active=False) == "revoked"
    assert dead(user_active=False) == "suspended"


async def test_it_remembers_until_it_is_told_of_a_change(
    engine: AsyncEngine, secrets: Secrets, store: TokenStore
):
    number, token = await made(engine, secrets)
    unknown = mint(secrets)
    first = await store.find(token)
    assert await store.find(unknown) is None
    async with writing(engine) as connection:
        assert await revoke_token(connection, number, NOW)
        assert not await revoke_token(connection, number, NOW + 1)
        await change_user(connection, ADA, {"status": "suspended", "role": "staff"})
    assert await store.find(token) is first
    store.clear()
    found = await store.find(token)
    assert found is not None
    assert (found.revoked_ms, found.user_active, found.role) == (NOW, False, "staff")


async def test_what_was_read_before_a_change_is_not_kept(
    engine: AsyncEngine, secrets: Secrets, store: TokenStore
):
    number, token = await made(engine, secrets)
    asking = asyncio.create_task(store.find(token))
    await asyncio.sleep(0)
    store.clear()
    await asking
    async with writing(engine) as connection:
        await revoke_token(connection, number, NOW)
    found = await store.find(token)
    assert found is not None and found.revoked_ms == NOW


async def test_it_remembers_so_many_and_the_longest_unused_goes(
    engine: AsyncEngine, secrets: Secrets, store: TokenStore
):
    tokens = [(await made(engine, secrets))[1] for _ in range(3)]
    first = await store.find(tokens[0])
    second = await store.find(tokens[1])
    assert await store.find(tokens[0]) is first
    await store.find(tokens[2])
    assert await store.find(tokens[0]) is first
    assert await store.find(tokens[1]) is not second


async def test_a_use_is_written_once_a_minute_and_is_no_change(
    engine: AsyncEngine, secrets: Secrets, store: TokenStore, clock: Clock
):
    number, token = await made(engine, secrets)
    found = await store.find(token)
    assert found is not None
    async with reading(engine) as connection:
        before = await change_version(connection)
    seen = []
    for step in (0, 1, USED_EVERY_MS - 2, 1, USED_EVERY_MS, -USED_EVERY_MS * 3):
        clock.ms += step
        store.note_use(found)
        store.note_use(found)
        await store.stop()
        seen.append((await used(engine, number) or 0) - NOW)
    first, minute = 0, USED_EVERY_MS
    assert seen == [first, first, first, minute, 2 * minute, -minute]
    async with reading(engine) as connection:
        assert await change_version(connection) == before


async def test_another_process_wrote_a_moment_ago(
    engine: AsyncEngine, secrets: Secrets, store: TokenStore
):
    number, token = await made(engine, secrets)
    found = await store.find(token)
    assert found is not None
    async with writing(engine) as connection:
        await connection.execute(update(access_tokens).values(used_ms=NOW - 1))
    store.note_use(found)
    await store.stop()
    assert await used(engine, number) == NOW - 1


async def test_a_use_that_cannot_be_written_harms_nobody(secrets: Secrets):
    engine = open_engine(NOBODY)
    store = TokenStore(engine, secrets)
    token = AccessToken(1, 1, "", "admin", True, "", "", (), 1, None, None, None)
    store.note_use(token)
    await store.stop()
    await engine.dispose()


async def test_lists(engine: AsyncEngine, secrets: Secrets, store: TokenStore):
    numbers = [(await made(engine, secrets, user))[0] for user in (ADA, BOB, ADA)]
    async with reading(engine) as connection:
        assert [one.id for one in await list_tokens(connection)] == numbers
        assert [one.id for one in await list_tokens(connection, user_id=ADA)] == numbers[::2]
        assert [one.id for one in await list_tokens(connection, after=numbers[0], limit=1)] == [
            numbers[1]
        ]
        assert await find_token(connection, 7) is None
