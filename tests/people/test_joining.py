"""An account comes of a link that was followed, once; one person has one, unless aliases are allowed."""

import asyncio
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.services.pages import SITE, House
from tollbridge.core.clock import now_ms
from tollbridge.identity.audit import SHELL
from tollbridge.identity.one_time import forget_expired
from tollbridge.identity.users import find_user
from tollbridge.people.invites import Wish, find_invite, list_invites, make_invite
from tollbridge.people.joining import (
    AddressTaken,
    Application,
    CannotJoin,
    InviteUsedUp,
    Joined,
    LinkOver,
    Place,
    account_of,
    address_of,
    ask_to_join,
    join,
)
from tollbridge.storage.ledger_tables import journal, purse
from tollbridge.storage.people_tables import bonus_marks, one_time
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading, working, writing
from tollbridge.storage.work_tables import job

USD = 1_000_000_000
HOUR_MS = 3_600_000
PLACE = Place("The house", SITE, folds=True, bonus=USD)
ALLOW = replace(PLACE, folds=False)


def application(email: str, **changes: Any) -> Application:
    made = Application(email, "$argon2id$hash", "en", "7", None, "mark of a browser")
    return replace(made, **changes)


async def letters(house: House) -> list[dict[str, str]]:
    """Return all mail that waits, the oldest first."""
    async with reading(house.engine) as connection:
        query = select(job.c.payload).where(job.c.kind == "mail").order_by(job.c.id)
        return [json.loads(text) for text in (await connection.execute(query)).scalars()]


async def ask(
    house: House, email: str, place: Place = PLACE, at_ms: int | None = None, **changes: Any
) -> str:
    """Ask for an account and return the word of the link, "" when there was none in the letter."""
    async with working(house.engine) as connection:
        await ask_to_join(
            connection, house.secrets, application(email, **changes), place, at_ms or now_ms()
        )
    found = re.search(r"token=([\w-]+)", (await letters(house))[-1]["text"])
    return found[1] if found else ""


async def joined(
    house: House,
    word: str,
    place: Place = PLACE,
    at_ms: int | None = None,
    flow: str = "mark of a browser",
) -> Joined:
    async with writing(house.engine) as connection:
        return await join(connection, house.secrets, word, flow, place, at_ms or now_ms())


async def outcome(house: House, word: str, place: Place = PLACE) -> Joined | CannotJoin:
    try:
        return await joined(house, word, place)
    except CannotJoin as error:
        return error


async def count(house: House, table: Any) -> int:
    async with reading(house.engine) as connection:
        counted = (await connection.execute(select(func.count()).select_from(table))).scalar_one()
    return int(counted)


async def balances(house: House) -> list[int]:
    async with reading(house.engine) as connection:
        query = select(purse.c.available).where(purse.c.kind == "wallet").order_by(purse.c.id)
        return list((await connection.execute(query)).scalars())


async def test_nothing_of_a_user_is_there_before_the_link_was_followed(house: House) -> None:
    word = await ask(house, "Ann@example.com")
    assert await count(house, users) == await count(house, purse) == 0
    async with reading(house.engine) as connection:
        assert await address_of(connection, house.secrets, word, now_ms()) == "Ann@example.com"
    assert await count(house, users) == 0


async def test_the_link_makes_the_account(house: House) -> None:
    asked_ms = now_ms() - HOUR_MS
    word = await ask(house, "Ann@example.com", at_ms=asked_ms, language="zh_Hans")
    made = await joined(house, word, at_ms=asked_ms + HOUR_MS)
    async with reading(house.engine) as connection:
        row = await find_user(connection, "ann@example.com")
    assert row is not None
    assert made == Joined(row["id"], trusted=True, bonus_given=True)
    assert (row["email"], row["role"], row["group_name"]) == ("Ann@example.com", "user", "default")
    assert (row["verified_ms"], row["terms_ms"]) == (asked_ms + HOUR_MS, asked_ms)
    assert (row["terms_version"], row["language"]) == ("7", "zh_Hans")
    assert (row["password_hash"], row["status"]) == ("$argon2id$hash", "active")
    assert await balances(house) == [USD]


@pytest.mark.parametrize("flow", ["", "mark of another", "märk"])
async def test_another_browser_makes_the_account_without_a_strangers_password(
    house: House, flow: str
) -> None:
    made = await joined(house, await ask(house, "ann@example.com"), flow=flow)
    async with reading(house.engine) as connection:
        row = await find_user(connection, "ann@example.com")
    assert row is not None
    assert made == Joined(row["id"], trusted=False, bonus_given=True)
    assert (row["password_hash"], row["status"]) == (None, "active")
    sent = await letters(house)
    assert len(sent) == 2
    assert sent[-1]["to"] == "ann@example.com" and f"{SITE}/reset/new?token=" in sent[-1]["text"]


async def test_a_link_works_once(house: House) -> None:
    word = await ask(house, "ann@example.com")
    await joined(house, word)
    with pytest.raises(LinkOver):
        await joined(house, word)
    assert (await count(house, users), await balances(house)) == (1, [USD])


async def test_of_one_link_followed_many_times_at_once_comes_one_account(house: House) -> None:
    word = await ask(house, "ann@example.com")
    found = await asyncio.gather(*(outcome(house, word) for _ in range(4)))
    assert sorted(type(each).__name__ for each in found) == ["Joined", *["LinkOver"] * 3]
    assert (await count(house, users), await balances(house)) == (1, [USD])


async def test_a_link_is_good_for_a_day(house: House) -> None:
    asked_ms = now_ms()
    word = await ask(house, "ann@example.com", at_ms=asked_ms)
    with pytest.raises(LinkOver):
        await joined(house, word, at_ms=asked_ms + 24 * HOUR_MS)
    async with reading(house.engine) as connection:
        assert await address_of(connection, house.secrets, word, asked_ms + 24 * HOUR_MS) is None
    await joined(house, word, at_ms=asked_ms + 24 * HOUR_MS - 1)


@pytest.mark.parametrize("word", ["", "x", "é", "x" * 200])
async def test_no_other_word_is_a_link(house: House, word: str) -> None:
    with pytest.raises(LinkOver):
        await joined(house, word)


async def test_an_address_with_an_account_gets_another_letter(house: House) -> None:
    await house.user("ann@example.com", language="zh_Hans")
    assert await ask(house, "ANN@example.com") == ""
    (mail,) = await letters(house)
    assert mail["to"] == "ann@example.com"
    assert f"{SITE}/sign-in" in mail["text"] and f"{SITE}/reset" in mail["text"]
    assert await count(house, one_time) == 0


async def test_no_alias_is_told_of_the_account_that_it_belongs_to(house: House) -> None:
    await house.user("a.nn@gmail.com")
    assert await ask(house, "ann+shop@googlemail.com") == ""
    assert [mail["to"] for mail in await letters(house)] == ["a.nn@gmail.com"]


async def test_two_aliases_of_one_person_at_once_are_one_account(house: House) -> None:
    words = [await ask(house, f"ann+{n}@example.com") for n in range(3)]
    found = await asyncio.gather(*(outcome(house, word) for word in words))
    assert sorted(type(each).__name__ for each in found) == ["AddressTaken"] * 2 + ["Joined"]
    assert (await count(house, users), await balances(house)) == (1, [USD])


async def test_allowed_aliases_are_accounts_of_their_own_with_one_bonus(house: House) -> None:
    words = [await ask(house, f"ann+{n}@example.com", ALLOW) for n in range(3)]
    found = await asyncio.gather(*(outcome(house, word, ALLOW) for word in words))
    assert sorted(isinstance(each, Joined) and each.bonus_given for each in found) == [
        False,
        False,
        True,
    ]
    assert sorted(await balances(house)) == [0, 0, USD]


async def test_the_bonus_is_given_once_ever_though_the_account_was_deleted(house: House) -> None:
    await joined(house, await ask(house, "ann+1@gmail.com"))
    async with writing(house.engine) as connection:
        await connection.execute(users.delete())
    again = await joined(house, await ask(house, "a.n.n@googlemail.com"))
    assert not again.bonus_given
    assert await balances(house) == [USD, 0]
    assert await count(house, bonus_marks) == await count(house, journal) == 1


async def test_without_a_bonus_there_is_an_empty_wallet(house: House) -> None:
    place = replace(PLACE, bonus=0)
    made = await joined(house, await ask(house, "ann@example.com", place), place)
    assert not made.bonus_given
    assert (await balances(house), await count(house, bonus_marks)) == ([0], 0)


async def test_an_address_that_was_taken_meanwhile_changes_nothing(house: House) -> None:
    word = await ask(house, "ann@example.com")
    await house.user("ann@example.com")
    with pytest.raises(AddressTaken):
        await joined(house, word)
    assert (await count(house, users), await balances(house)) == (1, [0])


async def invited(house: House, uses_max: int) -> int:
    async with working(house.engine) as connection:
        wish = Wish(uses_max=uses_max, expires_ms=now_ms() + HOUR_MS)
        code = await make_invite(connection, house.secrets, SHELL, wish, now_ms())
        found = await find_invite(connection, house.secrets, code, now_ms())
    assert found is not None
    return found


async def test_an_invite_counts_accounts_and_lets_in_no_more_than_it_says(house: House) -> None:
    invite_id = await invited(house, 2)
    words = [await ask(house, f"u{n}@example.com", invite_id=invite_id) for n in range(4)]
    async with reading(house.engine) as connection:
        assert (await list_invites(connection))[0]["uses"] == 0
    found = await asyncio.gather(*(outcome(house, word) for word in words))
    assert sorted(type(each).__name__ for each in found) == ["InviteUsedUp"] * 2 + ["Joined"] * 2
    assert await count(house, users) == 2


async def test_who_asked_before_the_invite_expired_comes_in_afterwards(house: House) -> None:
    invite_id = await invited(house, 1)
    word = await ask(house, "ann@example.com", invite_id=invite_id)
    await joined(house, word, at_ms=now_ms() + 2 * HOUR_MS)
    other = await ask(house, "bob@example.com", at_ms=now_ms() + 2 * HOUR_MS, invite_id=invite_id)
    with pytest.raises(InviteUsedUp):
        await joined(house, other, at_ms=now_ms() + 3 * HOUR_MS)


@pytest.mark.parametrize(
    ("stored", "asked", "same"),
    [
        ("ann@example.com", "ann+x@example.com", True),
        ("ann+y@example.com", "ann+x@example.com", True),
        ("ann+y@example.com", "ann@example.com", True),
        ("a_n@example.com", "axn@example.com", False),
        ("axn+1@example.com", "a_n@example.com", False),
        ("axxn+1@example.com", "a%n@example.com", False),
        ("a%n+1@example.com", "a%n@example.com", True),
        ("ann+x@other.example.com", "ann@example.com", False),
        ("joann+x@example.com", "ann@example.com", False),
        ("a.n.n+y@googlemail.com", "ann@gmail.com", True),
        ("a.n.n@example.com", "ann@example.com", False),
        ("ann@gmailcom", "ann@gmail.com", False),
        ("+ann@example.com", "+bob@example.com", False),
        ("..+a@gmail.com", "..@gmail.com", True),
    ],
)
async def test_which_address_has_which_account(
    house: House, stored: str, asked: str, same: bool
) -> None:
    user_id = await house.user(stored)
    async with reading(house.engine) as connection:
        found = await account_of(connection, asked, folds=True)
        plain = await account_of(connection, asked, folds=False)
    assert (None if found is None else found["id"]) == (user_id if same else None)
    assert plain is None


async def test_of_several_the_exact_address_is_the_account(house: House) -> None:
    await house.user("ann+1@example.com")
    second = await house.user("ann+2@example.com")
    async with reading(house.engine) as connection:
        found = await account_of(connection, "Ann+2@example.com", folds=True)
    assert found is not None and found["id"] == second


async def test_what_was_asked_is_gone_with_its_link(house: House) -> None:
    await ask(house, "ann@example.com", at_ms=now_ms())
    async with working(house.engine) as connection:
        assert await forget_expired(connection, now_ms() + 24 * HOUR_MS) == 1
    assert await count(house, one_time) == 0
