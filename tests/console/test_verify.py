"""Behind the link is a button; pressing it makes the account, and signs in the browser that asked."""

import asyncio

import httpx2
import pytest
from sqlalchemy import func, select

from tests.console.letters import letters, link_word
from tests.services.pages import COOKIE, House
from tollbridge.core.clock import now_ms
from tollbridge.identity.audit import SHELL
from tollbridge.identity.one_time import Purpose, issue
from tollbridge.people.invites import Wish, make_invite
from tollbridge.storage.ledger_tables import journal, purse
from tollbridge.storage.people_tables import sessions
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading, working

FLOW = "__Host-flow"
USD = 1_000_000_000


async def ask(house: House, browser: httpx2.AsyncClient, email: str, **more: str) -> str:
    """Ask for an account in a browser and return the word of the link."""
    await house.set_site(sign_up="invite" if "invite" in more else "open")
    sent = {"email": email, "password": "ten letters or more", "terms": "1", **more}
    answer = await browser.post("/sign-up", data=sent)
    assert answer.status_code == 200, answer.text
    return await link_word(house)


async def press(browser: httpx2.AsyncClient, word: str) -> httpx2.Response:
    return await browser.post("/verify", data={"token": word})


async def rows(house: House, table: object) -> int:
    async with reading(house.engine) as connection:
        query = select(func.count()).select_from(table)  # type: ignore[arg-type]
        return int((await connection.execute(query)).scalar_one())


async def test_looking_at_the_link_does_nothing(house: House) -> None:
    async with house.browser() as browser:
        word = await ask(house, browser, "ann@example.com")
        pages = [await browser.get("/verify", params={"token": word}) for _ in range(3)]
        head = await browser.head("/verify", params={"token": word})
        assert await rows(house, users) == await rows(house, sessions) == 0
        done = await press(browser, word)
    assert {page.status_code for page in (*pages, head)} == {200}
    assert "ann@example.com" in pages[0].text and f'value="{word}"' in pages[0].text
    assert pages[0].headers["referrer-policy"] == "no-referrer"
    assert done.status_code == 303


async def test_the_browser_that_asked_is_signed_in_with_a_new_session(house: House) -> None:
    async with house.browser() as browser:
        browser.cookies.set(COOKIE, "planted", domain="site.test")
        word = await ask(house, browser, "ann@example.com")
        done = await press(browser, word)
        session = browser.cookies.get(COOKIE)
        again = await browser.get("/sign-up")
    assert (done.status_code, done.headers["location"]) == (303, "/console")
    assert session and session != "planted"
    assert again.headers["location"] == "/console"
    assert not browser.cookies.get(FLOW)
    async with reading(house.engine) as connection:
        wallets = (await connection.execute(select(purse.c.available))).scalars().all()
        lines = (await connection.execute(select(journal.c.kind, journal.c.amount))).all()
    assert list(wallets) == [USD] and [tuple(line) for line in lines] == [("grant", USD)]


@pytest.mark.parametrize("flow", [None, "another", ""])
async def test_another_browser_sets_a_password_of_its_own(house: House, flow: str | None) -> None:
    async with house.browser() as browser:
        word = await ask(house, browser, "ann@example.com")
    async with house.browser() as other:
        if flow is not None:
            other.cookies.set(FLOW, flow, domain="site.test")
        done = await press(other, word)
        assert not other.cookies.get(COOKIE)
        assert (done.status_code, done.headers["location"]) == (303, "/reset")
        assert "__Host-said=joined" in done.headers["set-cookie"]
        assert "Set a password to sign in" in (await other.get("/reset")).text
        assert (await rows(house, users), await rows(house, sessions)) == (1, 0)
        stranger = {"email": "ann@example.com", "password": "ten letters or more"}
        assert (await other.post("/sign-in", data=stranger)).status_code == 422
        own = {"token": await link_word(house), "password": "a password of my own"}
        assert (await other.post("/reset/new", data=own)).headers["location"] == "/console"
        assert other.cookies.get(COOKIE)
    assert await rows(house, sessions) == 1


async def test_whoever_is_signed_in_as_another_becomes_the_new_user_only_with_the_own_link(
    house: House,
) -> None:
    async with house.browser() as attacker:
        word = await ask(house, attacker, "ann@example.com")
    bob = await house.user("bob@example.com")
    async with house.browser(bob) as browser:
        before = browser.cookies.get(COOKIE)
        done = await press(browser, word)
        assert browser.cookies.get(COOKIE) == before
    assert done.headers["location"] == "/reset"


async def test_a_link_that_was_used_says_so(house: House) -> None:
    async with house.browser() as browser:
        word = await ask(house, browser, "ann@example.com")
        await press(browser, word)
    async with house.browser() as browser:
        replayed = await press(browser, word)
        looked = await browser.get("/verify", params={"token": word})
        assert not browser.cookies.get(COOKIE)
    for page in (replayed, looked):
        assert page.status_code == 410 and 'href="/sign-up"' in page.text
    assert await rows(house, users) == 1


async def test_of_two_browsers_at_once_one_makes_the_account(house: House) -> None:
    async with house.browser() as browser:
        word = await ask(house, browser, "ann@example.com")
        found = await asyncio.gather(press(browser, word), press(browser, word))
    assert sorted(answer.status_code for answer in found) == [303, 410]
    assert await rows(house, users) == await rows(house, journal) == 1


@pytest.mark.parametrize("word", ["", "nothing", "x" * 5000, "é", "\x00", "../../etc"])
async def test_no_other_word_opens_anything(house: House, word: str) -> None:
    async with house.browser() as browser:
        looked = await browser.get("/verify", params={"token": word})
        done = await press(browser, word)
        bare = await browser.post("/verify", data={"other": "x"})
    # What no database can hold is no word either.
    assert looked.status_code == (400 if word == "\x00" else 410)
    assert [answer.status_code for answer in (done, bare)] == [410] * 2


async def test_a_word_for_something_else_or_too_old_is_none(house: House) -> None:
    async with working(house.engine) as connection:
        reset = await issue(
            connection, house.secrets, Purpose.RESET, at_ms=now_ms(), life_ms=60_000
        )
        old = await issue(
            connection, house.secrets, Purpose.SIGN_UP, at_ms=now_ms() - 60_000, life_ms=60_000
        )
    async with house.browser() as browser:
        found = [await press(browser, word) for word in (reset, old)]
    assert [answer.status_code for answer in found] == [410, 410]


async def test_an_address_that_was_taken_meanwhile(house: House) -> None:
    async with house.browser() as browser:
        word = await ask(house, browser, "ann+x@gmail.com")
        await house.user("a.nn@googlemail.com")
        done = await press(browser, word)
        assert not browser.cookies.get(COOKIE)
    assert done.status_code == 409 and 'href="/sign-in"' in done.text
    assert (await rows(house, users), await rows(house, journal)) == (1, 0)


async def test_an_invite_that_others_have_used_up(house: House) -> None:
    async with working(house.engine) as connection:
        code = await make_invite(connection, house.secrets, SHELL, Wish(uses_max=1), now_ms())
    async with house.browser() as browser:
        words = [await ask(house, browser, f"u{n}@example.com", invite=code) for n in range(2)]
        found = await asyncio.gather(*(press(browser, word) for word in words))
    assert sorted(answer.status_code for answer in found) == [303, 409]
    assert await rows(house, users) == 1


async def test_where_it_goes_is_not_the_requests_to_say(house: House) -> None:
    async with house.browser() as browser:
        word = await ask(house, browser, "ann@example.com")
        done = await browser.post(
            "/verify?next=//evil.test&back=https://evil.test",
            data={"token": word, "next": "https://evil.test", "back": "//evil.test"},
            headers={"host": "evil.test"},
        )
    assert done.headers["location"] == "/console"
    assert "evil" not in done.text


async def test_guessing_is_slow(house: House) -> None:
    async with house.browser() as browser:
        found = [(await press(browser, f"guess {n}")).status_code for n in range(11)]
    assert found == [410] * 10 + [429]
    assert not await letters(house)
