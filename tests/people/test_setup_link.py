"""Proof that one link at a time opens the first run, for a day, and none once there is an admin."""

from tests.services.pages import SITE, House
from tollbridge.core.clock import now_ms
from tollbridge.core.secrets import Secrets
from tollbridge.identity.users import change_user
from tollbridge.people.setup_link import LIFE_MS, has_admin, new_link, opens
from tollbridge.storage.unit_of_work import reading, working


async def link(house: House, at_ms: int) -> str | None:
    return await new_link(house.engine, house.secrets, SITE, at_ms)


def word_of(link: str | None) -> str:
    assert link is not None and link.startswith(f"{SITE}/setup?token=")
    return link.partition("token=")[2]


async def is_good(house: House, word: str, at_ms: int, secrets: Secrets | None = None) -> bool:
    async with reading(house.engine) as connection:
        return await opens(connection, secrets or house.secrets, word, at_ms)


async def test_a_link_is_good_for_a_day(house: House) -> None:
    at_ms = now_ms()
    word = word_of(await link(house, at_ms))
    assert await is_good(house, word, at_ms + LIFE_MS - 1)
    assert not await is_good(house, word, at_ms + LIFE_MS)
    for other in ("", "x", word[:-1], word + "x", "x" * 5_000):
        assert not await is_good(house, other, at_ms)


async def test_the_next_start_makes_it_worthless(house: House) -> None:
    at_ms = now_ms()
    first, second = word_of(await link(house, at_ms)), word_of(await link(house, at_ms + 1))
    assert not await is_good(house, first, at_ms + 2)
    assert await is_good(house, second, at_ms + 2)


async def test_a_word_of_another_installation_opens_nothing(house: House) -> None:
    at_ms, other = now_ms(), Secrets(b"q" * 32, {"k1": b"k" * 32}, "k1")
    word = word_of(await new_link(house.engine, other, SITE, at_ms))
    assert not await is_good(house, word, at_ms)
    assert await is_good(house, word, at_ms, other)


async def test_there_is_none_with_an_admin(house: House) -> None:
    await house.user("staff@example.com", "staff")
    assert await link(house, now_ms()) is not None
    boss = await house.user("boss@example.com", "admin")
    assert await link(house, now_ms()) is None
    # Who is kept out can set nothing up.
    async with working(house.engine) as connection:
        await change_user(connection, boss, {"status": "suspended"})
        assert not await has_admin(connection)
    assert await link(house, now_ms()) is not None
