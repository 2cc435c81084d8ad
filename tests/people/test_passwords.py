"""Passwords: which are taken, the same work for nobody, changing them, and links to set them."""

import asyncio
import re

import pytest

from tests.services.at_the_door import EMAIL, PASSWORD, VOICE, letters, row_of, stages
from tests.services.pages import SITE, House
from tollbridge.core.clock import now_ms
from tollbridge.identity.passwords import password_matches, password_outdated
from tollbridge.identity.sessions import sessions_of
from tollbridge.identity.users import change_user
from tollbridge.people.passwords import (
    LinkOver,
    ask_reset,
    change_password,
    hashed,
    matches,
    reset_for,
    reset_password,
    weakness,
)
from tollbridge.storage.unit_of_work import reading, working

LIFE_MS = 30 * 60_000


@pytest.mark.parametrize(
    ("password", "found"),
    [
        ("ninechars", "short"),
        ("tenletters", None),
        ("x" * 10, "plain"),
        ("abcdabcdabcd", "plain"),
        ("Ann.Meier@example.com", "plain"),
        ("ann.meier ", "plain"),
        ("春眠不觉晓处处闻啼鸟", None),
        ("ab cd ef" * 25, None),
        ("ab cd ef" * 26, "long"),
    ],
)
def test_a_password_is_long_and_not_plain(password: str, found: str | None):
    assert weakness(password, "ann.meier@example.com") == found


async def test_nobodys_password_costs_the_same_check_and_never_matches():
    seen = []

    def check(stored: str, password: str) -> bool:
        seen.append(stored)
        return True

    assert await matches("a hash", "a password", check)
    assert not await matches(None, "a password", check)
    assert seen[0] == "a hash"
    # Were its parameters not today's, the work would not be the same.
    assert not password_outdated(seen[1])


async def test_hashing_goes_on_beside_the_loop():
    made = await asyncio.gather(hashed(PASSWORD), hashed(PASSWORD))
    assert made[0] != made[1]
    assert all(password_matches(one, PASSWORD) for one in made)


async def asked(house: House, email: str = EMAIL, at_ms: int | None = None) -> str | None:
    """Ask for a link and return its word, None when no mail was posted."""
    before = len(await letters(house))
    async with working(house.engine) as connection:
        await ask_reset(connection, house.secrets, email, SITE, VOICE, at_ms or now_ms())
    posted = (await letters(house))[before:]
    if not posted:
        return None
    found = re.search(rf"{SITE}/reset/new\?token=([\w-]+)", posted[0]["text"])
    assert found is not None and posted[0]["to"] == "ann@example.com"
    return found[1]


async def used(house: House, word: str, at_ms: int | None = None) -> None:
    async with working(house.engine) as connection:
        await reset_password(connection, house.secrets, word, "new", VOICE, at_ms or now_ms())


async def test_a_link_sets_the_password_once_and_ends_every_session(house: House):
    user_id = await house.user(password_hash="old")
    await house.session(user_id)
    await house.session(user_id)
    word = await asked(house, " Ann@Example.com ")
    assert word is not None
    async with reading(house.engine) as connection:
        assert (await reset_for(connection, house.secrets, word, now_ms()))["id"] == user_id
    await used(house, word)
    assert (await row_of(house, user_id))["password_hash"] == "new"
    assert await stages(house, user_id) == []
    assert "password" in (await letters(house))[-1]["subject"].lower()
    with pytest.raises(LinkOver):
        await used(house, word)


async def test_of_two_uses_at_once_one_counts(house: House):
    await house.user(password_hash="old")
    word = await asked(house)
    assert word is not None
    done = await asyncio.gather(used(house, word), used(house, word), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["LinkOver", "NoneType"]


async def test_a_link_ends_by_time_and_by_a_newer_one(house: House):
    await house.user(password_hash="old")
    at_ms = now_ms()
    first = await asked(house, at_ms=at_ms)
    second = await asked(house, at_ms=at_ms)
    assert first and second
    for word, when in ((first, at_ms), (second, at_ms + LIFE_MS), ("", at_ms), ("x" * 500, at_ms)):
        with pytest.raises(LinkOver):
            await used(house, word, when)
    await used(house, second, at_ms + LIFE_MS - 1)


@pytest.mark.parametrize(
    "columns", [{"status": "suspended"}, {"deleted_ms": 5}, {"email": "bob@example.com"}]
)
async def test_nobody_active_gets_no_link_and_a_link_dies_with_its_user(
    house: House, columns: dict[str, object]
):
    user_id = await house.user(password_hash="old")
    word = await asked(house)
    async with working(house.engine) as connection:
        change = {"email_norm": columns["email"], **columns} if "email" in columns else columns
        await change_user(connection, user_id, change)
    assert await asked(house) is None
    assert word is not None
    if "email" not in columns:
        with pytest.raises(LinkOver):
            await used(house, word)
        assert (await row_of(house, user_id))["password_hash"] == "old"


async def test_changing_keeps_the_session_where_it_was_done(house: House):
    user_id = await house.user(password_hash="old")
    word = await asked(house)
    await house.session(user_id)
    await house.session(user_id)
    async with reading(house.engine) as connection:
        kept = (await sessions_of(connection, user_id, now_ms()))[0]["id"]
    async with working(house.engine) as connection:
        await change_password(connection, user_id, "new", VOICE, keep_session=kept)
    async with reading(house.engine) as connection:
        left = [row["id"] for row in await sessions_of(connection, user_id, now_ms())]
    assert left == [kept]
    assert word is not None
    with pytest.raises(LinkOver):
        await used(house, word)
