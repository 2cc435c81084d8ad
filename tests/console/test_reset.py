"""The pages of a forgotten password."""

import re

from tests.services.at_the_door import (
    EMAIL,
    PASSWORD,
    letters,
    row_of,
    sign_in,
    stages,
    switch_on,
)
from tests.services.pages import COOKIE, SITE, House

NEW = "a boat in october"


async def word_of(house: House) -> str:
    """Return the word of the link that was posted last."""
    found = re.search(rf"{SITE}/reset/new\?token=([\w-]+)", (await letters(house))[-1]["text"])
    assert found is not None
    return found[1]


async def test_a_link_is_looked_at_freely_and_sets_the_password_once(house: House):
    user_id = await house.user(password=PASSWORD)
    await house.session(user_id)
    async with house.browser() as browser:
        assert (await browser.get("/reset")).status_code == 200
        sent = await browser.post("/reset", data={"email": " Ann@Example.com"})
        assert sent.status_code == 200 and "30 minutes" in sent.text
        word = await word_of(house)
        old = (await row_of(house, user_id))["password_hash"]
        for _ in range(2):
            page = await browser.get("/reset/new", params={"token": word})
            assert page.status_code == 200 and word in page.text
        assert (await row_of(house, user_id))["password_hash"] == old
        for weak, said in (("short", "at least 10"), ("", "fill in"), (EMAIL, "easy to guess")):
            bad = await browser.post("/reset/new", data={"token": word, "password": weak})
            assert bad.status_code == 422 and said in bad.text
        done = await browser.post("/reset/new", data={"token": word, "password": NEW})
        assert (done.status_code, done.headers["location"]) == (303, "/console")
        assert COOKIE in browser.cookies
        # The session of before is gone, this one is there.
        assert await stages(house, user_id) == ["full"]
    async with house.browser() as browser:
        assert (await sign_in(browser)).status_code == 422
        assert (await sign_in(browser, NEW)).status_code == 303
        for answer in (
            await browser.get("/reset/new", params={"token": word}),
            await browser.post("/reset/new", data={"token": word, "password": PASSWORD}),
        ):
            assert answer.status_code == 422 and "This link is over" in answer.text
    assert len(await letters(house)) == 2


async def test_with_a_second_factor_a_link_alone_lets_nobody_in(house: House):
    user_id = await house.user(password=PASSWORD)
    await switch_on(house, user_id)
    async with house.browser() as browser:
        await browser.post("/reset", data={"email": EMAIL})
        word = await word_of(house)
        done = await browser.post("/reset/new", data={"token": word, "password": NEW})
        assert (done.status_code, done.headers["location"]) == (303, "/sign-in")
        assert COOKIE not in browser.cookies
        assert "The password is changed." in (await browser.get("/sign-in")).text
        assert await stages(house, user_id) == []
        assert (await sign_in(browser, NEW)).headers["location"].startswith("/sign-in/second")


async def test_what_is_no_address_is_said_so(house: House):
    async with house.browser() as browser:
        for email in ("", "ann", "a@b\nc"):
            answer = await browser.post("/reset", data={"email": email})
            assert answer.status_code == 422 and 'role="alert"' in answer.text


async def test_mail_is_in_the_language_of_the_browser_unless_one_was_chosen(house: House):
    await house.user(language="zh_Hans")
    await house.user("bob@example.com")
    async with house.browser() as browser:
        for email in (EMAIL, "bob@example.com"):
            await browser.post("/reset", data={"email": email})
    chinese, english = await letters(house)
    assert 'lang="zh-Hans"' in chinese["html"] and 'lang="en"' in english["html"]
