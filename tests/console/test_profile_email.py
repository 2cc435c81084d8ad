"""Another address: proved, by a link, that acts by a button, once, for its own user."""

import httpx2
import pytest
from sqlalchemy import update

from tests.console.letters import letters, link_word
from tests.services.at_the_door import row_of, stages
from tests.services.pages import House
from tollbridge.storage.people_tables import sessions
from tollbridge.storage.unit_of_work import working

EMAIL = "/console/profile/email"
CONFIRM = f"{EMAIL}/confirm"


async def unprove(house: House) -> None:
    """Let the proof of all sessions be long ago."""
    async with working(house.engine) as connection:
        await connection.execute(update(sessions).values(proved_ms=0))


async def ask(house: House, browser: httpx2.AsyncClient, email: str) -> str:
    answer = await browser.post(EMAIL, data={"email": email})
    assert answer.status_code == 200 and email in answer.text
    return await link_word(house)


async def test_the_whole_way(house: House):
    ann = await house.user()
    await house.session(ann)
    async with house.browser(ann) as browser:
        assert (await browser.get(EMAIL)).status_code == 200
        word = await ask(house, browser, "new@example.com")
        looked = await browser.get(CONFIRM, params={"token": word})
        assert looked.status_code == 200 and "new@example.com" in looked.text
        assert (await row_of(house, ann))["email"] == "ann@example.com"
        done = await browser.post(CONFIRM, data={"token": word})
        assert (done.status_code, done.headers["location"]) == (303, "/console/profile")
        assert "new@example.com" in (await browser.get("/console/profile")).text
        replayed = await browser.post(CONFIRM, data={"token": word})
    assert replayed.status_code == 410
    assert (await row_of(house, ann))["email"] == "new@example.com"
    assert len(await stages(house, ann)) == 1
    assert [mail["to"] for mail in await letters(house)] == ["new@example.com", "ann@example.com"]


async def test_another_users_link_does_nothing(house: House):
    ann, eve = await house.user(), await house.user("eve@example.com")
    async with house.browser(ann) as browser:
        word = await ask(house, browser, "new@example.com")
    async with house.browser(eve) as browser:
        looked = await browser.get(CONFIRM, params={"token": word})
        done = await browser.post(CONFIRM, data={"token": word})
    assert (looked.status_code, done.status_code) == (410, 410)
    assert "new@example.com" not in looked.text
    assert (await row_of(house, eve))["email"] == "eve@example.com"
    async with house.browser() as nobody:
        sent = await nobody.post(CONFIRM, data={"token": word})
    assert sent.headers["location"] == "/sign-in"


async def test_without_a_proof_nothing_is_sent(house: House):
    ann = await house.user()
    async with house.browser(ann) as browser:
        await unprove(house)
        looked = await browser.get(EMAIL)
        asked = await browser.post(EMAIL, data={"email": "new@example.com"})
    assert looked.headers["location"].startswith("/prove?")
    assert asked.headers["location"].startswith("/prove?")
    assert not await letters(house)


async def test_a_taken_address_is_told_the_same(house: House):
    ann = await house.user()
    await house.user("bob@example.com")
    async with house.browser(ann) as browser:
        free = await browser.post(EMAIL, data={"email": "bobby@example.com"})
        taken = await browser.post(EMAIL, data={"email": "bob@example.com"})
    assert taken.status_code == free.status_code == 200
    assert taken.text.replace("bob@", "bobby@") == free.text
    assert "token=" not in (await letters(house))[-1]["text"]


@pytest.mark.parametrize(
    "email", ["", "nobody", "a@b@c", "x\r\nBcc: y@z.test", "new@blocked.test", "ann@example.com"]
)
async def test_an_address_that_cannot_be_used(house: House, email: str):
    ann = await house.user()
    await house.set_site(email_blocked=["blocked.test"])
    async with house.browser(ann) as browser:
        answer = await browser.post(EMAIL, data={"email": email})
    assert answer.status_code == 422 and 'role="alert"' in answer.text
    assert not await letters(house)


async def test_an_address_that_was_taken_meanwhile(house: House):
    ann = await house.user()
    async with house.browser(ann) as browser:
        word = await ask(house, browser, "new@example.com")
        await house.user("new@example.com")
        done = await browser.post(CONFIRM, data={"token": word})
    assert done.status_code == 409


async def test_letters_are_few(house: House):
    ann = await house.user()
    async with house.browser(ann) as browser:
        found = [
            (await browser.post(EMAIL, data={"email": f"n{n}@example.com"})).status_code
            for n in range(4)
        ]
    assert found == [200, 200, 200, 429]
