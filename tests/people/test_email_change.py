"""An account moves to another address by a link that works once, for its own user alone."""

import asyncio
import re
from typing import Any

import pytest
from sqlalchemy import select

from tests.services.at_the_door import VOICE, letters, row_of, stages
from tests.services.pages import SITE, House
from tollbridge.core.clock import now_ms
from tollbridge.identity.one_time import Purpose, issue, look_at
from tollbridge.identity.sessions import find_session
from tollbridge.people.email_change import (
    LINK_HOURS,
    AddressTaken,
    LinkOver,
    SameAddress,
    ask_new_email,
    change_email,
    masked,
    new_email_of,
)
from tollbridge.people.joining import Place
from tollbridge.storage.people_tables import one_time
from tollbridge.storage.unit_of_work import reading, working, writing

PLACE = Place("The house", SITE, folds=True, bonus=0)
HOUR_MS = 3_600_000


async def ask(house: House, user_id: int, email: str, at_ms: int | None = None) -> str:
    """Ask for a link and return its word, "" when the letter has none."""
    async with working(house.engine) as connection:
        await ask_new_email(
            connection, house.secrets, user_id, email, PLACE, VOICE, at_ms or now_ms()
        )
    found = re.search(r"email/confirm\?token=([\w-]+)", (await letters(house))[-1]["text"])
    return found[1] if found else ""


async def change(house: House, user_id: int, word: str, session: int = 0) -> Any:
    async with writing(house.engine) as connection:
        return await change_email(
            connection, house.secrets, user_id, session, word, PLACE, VOICE, now_ms()
        )


async def session_id(house: House, cookie: str) -> int:
    async with reading(house.engine) as connection:
        found = await find_session(connection, house.secrets, cookie, now_ms())
    assert found is not None
    return found.id


async def test_the_link_moves_the_account_and_ends_other_sessions(house: House):
    ann = await house.user()
    here = await house.session(ann)
    await house.session(ann)
    word = await ask(house, ann, "New@example.com")
    assert (await letters(house))[-1]["to"] == "New@example.com"
    assert (await row_of(house, ann))["email"] == "ann@example.com"
    await change(house, ann, word, await session_id(house, here))
    row = await row_of(house, ann)
    assert (row["email"], row["email_norm"]) == ("New@example.com", "new@example.com")
    assert await stages(house, ann) == ["full"] and await session_id(house, here)
    told = (await letters(house))[-1]
    assert told["to"] == "ann@example.com"
    assert "N…@example.com" in told["text"] and "New@example.com" not in told["text"]


async def test_a_link_works_once(house: House):
    ann = await house.user()
    word = await ask(house, ann, "new@example.com")
    found = await asyncio.gather(
        change(house, ann, word), change(house, ann, word), return_exceptions=True
    )
    assert sorted(isinstance(one, LinkOver) for one in found) == [False, True]


async def test_another_users_link_is_none_and_stays_good(house: House):
    ann, eve = await house.user(), await house.user("eve@example.com")
    word = await ask(house, ann, "new@example.com")
    with pytest.raises(LinkOver):
        await change(house, eve, word)
    async with reading(house.engine) as connection:
        with pytest.raises(LinkOver):
            await new_email_of(connection, house.secrets, eve, word, now_ms())
        address = await new_email_of(connection, house.secrets, ann, word, now_ms())
    assert address == "new@example.com"
    assert (await row_of(house, eve))["email"] == "eve@example.com"


async def test_a_newer_link_replaces_an_older_one(house: House):
    ann = await house.user()
    words = [await ask(house, ann, f"new{n}@example.com") for n in range(2)]
    with pytest.raises(LinkOver):
        await change(house, ann, words[0])
    await change(house, ann, words[1])
    assert (await row_of(house, ann))["email"] == "new1@example.com"


async def test_a_link_is_too_old_after_its_hours(house: House):
    ann = await house.user()
    word = await ask(house, ann, "new@example.com", now_ms() - LINK_HOURS * HOUR_MS)
    with pytest.raises(LinkOver):
        await change(house, ann, word)


async def test_a_word_for_something_else_is_none(house: House):
    ann = await house.user()
    async with working(house.engine) as connection:
        word = await issue(
            connection, house.secrets, Purpose.RESET, at_ms=now_ms(), life_ms=HOUR_MS, user_id=ann
        )
    for each in (word, "", "é", "x" * 5000):
        with pytest.raises(LinkOver):
            await change(house, ann, each)


@pytest.mark.parametrize("taken", ["bob@example.com", "BOB+tag@example.com"])
async def test_an_address_that_is_taken_gets_a_letter_without_a_link(house: House, taken: str):
    ann = await house.user()
    await house.user("bob@example.com")
    assert await ask(house, ann, taken) == ""
    told = (await letters(house))[-1]
    assert told["to"] == "bob@example.com" and "ann" not in told["text"]
    async with reading(house.engine) as connection:
        assert (await connection.execute(select(one_time.c.id))).first() is None


async def test_an_address_that_is_taken_meanwhile(house: House):
    ann = await house.user()
    word = await ask(house, ann, "bob@example.com")
    await house.user("bob+1@example.com")
    with pytest.raises(AddressTaken):
        await change(house, ann, word)
    assert (await row_of(house, ann))["email"] == "ann@example.com"


async def test_two_who_move_to_one_address_at_once(house: House):
    ann, bob = await house.user(), await house.user("bob@example.com")
    words = [await ask(house, user, "new@example.com") for user in (ann, bob)]
    found = await asyncio.gather(
        change(house, ann, words[0]), change(house, bob, words[1]), return_exceptions=True
    )
    assert sorted(isinstance(one, AddressTaken) for one in found) == [False, True]


async def test_the_own_address_and_an_alias_of_it(house: House):
    ann = await house.user()
    with pytest.raises(SameAddress):
        await ask(house, ann, "ann@example.com")
    await change(house, ann, await ask(house, ann, "ann+new@example.com"))
    assert (await row_of(house, ann))["email"] == "ann+new@example.com"


async def test_a_reset_that_the_old_address_was_sent_is_worthless_afterwards(house: House):
    ann, at_ms = await house.user(), now_ms()
    async with working(house.engine) as connection:
        reset = await issue(
            connection, house.secrets, Purpose.RESET, at_ms=at_ms, life_ms=HOUR_MS, user_id=ann
        )
    await change(house, ann, await ask(house, ann, "new@example.com"))
    async with reading(house.engine) as connection:
        found = await look_at(connection, house.secrets, Purpose.RESET, reset, at_ms)
    assert found is None


def test_a_masked_address():
    assert masked("ann@example.com") == "a…@example.com"
