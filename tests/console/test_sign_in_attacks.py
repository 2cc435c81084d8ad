"""Attacks on signing in, as a table: replay, fixation, open redirects, telling who has an account,
links to another host, guessing, and sessions that must be worth nothing.
"""

import asyncio
import re

import httpx2
import pytest

from tests.services.at_the_door import (
    EMAIL,
    PASSWORD,
    code_at,
    letters,
    sign_in,
    stages,
    suspend,
    switch_on,
)
from tests.services.pages import COOKIE, SITE, House
from tollbridge.backoffice.parts import PARTS as OFFICE
from tollbridge.console.parts import PARTS as CONSOLE
from tollbridge.console.sign_in import BY_ADDRESS, BY_EMAIL, BY_USER
from tollbridge.core.clock import now_ms
from tollbridge.identity.users import change_user
from tollbridge.storage.unit_of_work import working

SECOND = "/sign-in/second"
ELSEWHERE = (
    "//evil.test",
    "/\\evil.test",
    "https://evil.test/",
    "https:evil.test",
    "/\t/evil.test",
    "\t//evil.test",
    " //evil.test",
    "/\n/evil.test",
    "javascript:alert(1)",
    "evil.test",
    "/console\r\nset-cookie: a=b",
    "/\u2044evil.test",
    "///evil.test",
    "/" + "x" * 600,
)


async def second(browser: httpx2.AsyncClient, code: str, wish: str = "") -> httpx2.Response:
    return await browser.post(SECOND, data={"code": code, "next": wish})


@pytest.mark.parametrize("kind", ["app", "recovery"])
async def test_replay_of_a_code(house: House, kind: str):
    user_id = await house.user(password=PASSWORD)
    secret, codes = await switch_on(house, user_id)
    code = code_at(secret, now_ms()) if kind == "app" else codes[0]
    async with house.browser() as own, house.browser() as thief:
        await sign_in(own)
        await sign_in(thief)
        assert (await second(own, code)).headers["location"] == "/console"
        assert (await second(thief, code)).status_code == 422
    assert sorted(await stages(house, user_id)) == ["full", "second"]


async def test_the_same_code_twice_at_once(house: House):
    user_id = await house.user(password=PASSWORD)
    secret, _ = await switch_on(house, user_id)
    async with house.browser() as one, house.browser() as other:
        await sign_in(one)
        await sign_in(other)
        code = code_at(secret, now_ms())
        answers = await asyncio.gather(second(one, code), second(other, code))
    assert sorted(answer.status_code for answer in answers) == [303, 422]


async def test_replay_of_a_half_session(house: House):
    user_id = await house.user(password=PASSWORD)
    _, codes = await switch_on(house, user_id)
    async with house.browser() as own, house.browser() as thief:
        await sign_in(own)
        thief.cookies.set(COOKIE, own.cookies[COOKIE], domain="site.test")
        await second(own, codes[0])
        late = await second(thief, codes[1])
        assert late.headers["location"].startswith("/sign-in?")
        assert (await thief.get("/console")).headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("with_code", [False, True])
async def test_fixation(house: House, with_code: bool):
    user_id = await house.user(password=PASSWORD)
    thiefs = await house.user("eve@example.com")
    planted = await house.session(thiefs)
    _, codes = await switch_on(house, user_id) if with_code else ("", [])
    seen = {planted}
    async with house.browser() as browser:
        browser.cookies.set(COOKIE, planted, domain="site.test")
        await sign_in(browser)
        seen.add(browser.cookies[COOKIE])
        if with_code:
            await second(browser, codes[0])
            seen.add(browser.cookies[COOKIE])
        assert len(seen) == 2 + with_code
        assert (await browser.get("/sign-in")).status_code == 303
    # The planted cookie is worth nothing, whoever holds it.
    assert (await stages(house, thiefs), await stages(house, user_id)) == ([], ["full"])
    async with house.browser() as thief:
        thief.cookies.set(COOKIE, planted, domain="site.test")
        assert (await thief.get("/sign-in")).status_code == 200


async def test_open_redirects(house: House):
    for place, wish in enumerate(ELSEWHERE):
        user_id = await house.user(f"{place}@example.com")
        _, codes = await switch_on(house, user_id)
        async with house.browser() as browser:
            form = await browser.get("/sign-in", params={"next": wish})
            assert 'name="next" value="/console"' in form.text, wish
            nobody = await browser.get(SECOND, params={"next": wish})
            assert nobody.headers["location"] == "/sign-in?next=%2Fconsole", wish
        async with house.browser(user_id) as browser:
            for answer in (
                await browser.get("/sign-in", params={"next": wish}),
                await browser.post("/prove", data={"code": codes[0], "next": wish}),
            ):
                assert (answer.status_code, answer.headers["location"]) == (303, "/console"), wish
            page = await browser.get("/prove", params={"next": wish})
            assert 'name="next" value="/console"' in page.text, wish
            out = await browser.post("/sign-out", data={"next": wish})
            assert out.headers["location"] == "/sign-in", wish


async def test_open_redirects_after_a_password(house: House):
    user_id = await house.user(password=PASSWORD)
    wish = ELSEWHERE[1]
    async with house.browser() as browser:
        assert (await sign_in(browser, next=wish)).headers["location"] == "/console"
    _, codes = await switch_on(house, user_id)
    async with house.browser() as browser:
        half = await sign_in(browser, next=wish)
        assert half.headers["location"] == f"{SECOND}?next=%2Fconsole"
        assert (await second(browser, codes[0], wish)).headers["location"] == "/console"


async def test_telling_who_has_an_account(house: House):
    emails = [f"{name}@example.com" for name in ("known", "away", "gone", "other", "nobody")]
    ids = [await house.user(email, password=PASSWORD) for email in emails[:3]]
    # Without a password: from another site, for instance. A link gives it one.
    await house.user(emails[3])
    await suspend(house, ids[1])
    async with working(house.engine) as connection:
        await change_user(connection, ids[2], {"status": "suspended", "deleted_ms": 5})
    for path, form in (("/sign-in", {"password": "not the password"}), ("/reset", {})):
        answers = set()
        for place, email in enumerate(emails):
            async with _from(house, f"198.51.100.{place}") as browser:
                answer = await browser.post(path, data={"email": email, **form})
            headers = sorted(set(answer.headers) - {"content-length"})
            body = answer.text.replace(email, "…")
            answers.add((answer.status_code, tuple(headers), body))
        assert len(answers) == 1, path
    assert [mail["to"] for mail in await letters(house)] == [emails[0], emails[3]]


async def test_a_link_to_the_host_that_a_request_names(house: House):
    await house.user()
    evil = {"host": "evil.test", "x-forwarded-host": "evil.test", "forwarded": "host=evil.test"}
    async with house.browser() as browser:
        await browser.post("/reset", data={"email": EMAIL}, headers=evil)
    (mail,) = await letters(house)
    assert f"{SITE}/reset/new?token=" in mail["text"] and "evil" not in repr(mail)


async def test_guessing_one_password(house: House):
    user_id = await house.user(password=PASSWORD)
    async with house.browser() as browser:
        got = [(await sign_in(browser, f"guess number {n}")).status_code for n in range(5)]
        shut = await sign_in(browser)
    assert (got, shut.status_code) == ([422] * 5, 429)
    assert int(shut.headers["retry-after"]) >= 1
    # Its owner, elsewhere, is not kept out by that.
    async with _from(house, "198.51.100.9") as browser:
        assert (await sign_in(browser)).status_code == 303
    assert await stages(house, user_id) == ["full"]


async def test_guessing_many_passwords_or_from_many_places(house: House):
    await house.user(password=PASSWORD)
    doors, at_ms = house.services.doors, now_ms()
    for door, who in ((BY_ADDRESS, "198.51.100.1"), (BY_EMAIL, EMAIL)):
        for _ in range(door.per_minute):
            await doors.knock(door, who, at_ms)
    async with _from(house, "198.51.100.1") as browser:
        assert (await sign_in(browser, email="bob@example.com")).status_code == 429
    async with _from(house, "198.51.100.2") as browser:
        assert (await sign_in(browser, email=EMAIL.upper())).status_code == 429
        assert (await sign_in(browser, email="bob@example.com")).status_code == 422


async def test_guessing_codes(house: House):
    user_id = await house.user(password=PASSWORD)
    _, codes = await switch_on(house, user_id)
    for _ in range(BY_USER.per_minute):
        await house.services.doors.knock(BY_USER, str(user_id), now_ms())
    async with house.browser() as browser:
        await sign_in(browser)
        assert (await second(browser, codes[0])).status_code == 429
    assert await stages(house, user_id) == ["second"]


async def test_replay_of_a_reset_link(house: House):
    user_id = await house.user(password=PASSWORD)
    async with house.browser() as browser, house.browser() as thief:
        words = []
        for _ in range(2):
            await browser.post("/reset", data={"email": EMAIL})
            found = re.search(r"token=([\w-]+)", (await letters(house))[-1]["text"])
            assert found is not None
            words.append(found[1])
        older, newer = ({"token": word, "password": "a boat in october"} for word in words)
        assert (await thief.post("/reset/new", data=older)).status_code == 422
        assert (await browser.post("/reset/new", data=newer)).status_code == 303
        assert (await thief.post("/reset/new", data=newer)).status_code == 422
    assert await stages(house, user_id) == ["full"]


async def test_the_session_of_a_suspended_user(house: House):
    user_id = await house.user()
    async with house.browser(user_id) as browser:
        assert (await browser.get("/prove")).status_code == 200
        await suspend(house, user_id)
        assert (await browser.get("/prove")).headers["location"].startswith("/sign-in")


async def test_a_half_session_opens_no_page_that_needs_somebody(house: House):
    admin = await house.user("root@example.com", "admin", password=PASSWORD)
    await switch_on(house, admin)
    async with house.browser() as browser:
        await sign_in(browser, email="root@example.com")
        assert await stages(house, admin) == ["second"]
        for part in (*CONSOLE, *OFFICE):
            for (method, path), need in part.needs.items():
                if not need.signed_in:
                    continue
                real = re.sub(r"\{\w+(:\w+)?\}", "1", path)
                answer = await browser.request(method, real)
                assert answer.status_code == 303, (method, path)
                assert answer.headers["location"].startswith("/sign-in"), (method, path)


def _from(house: House, address: str) -> httpx2.AsyncClient:
    """Return a browser at another address."""
    transport = httpx2.ASGITransport(house.app, client=(address, 1234))
    headers = {"sec-fetch-site": "same-origin", "accept-language": "en"}
    return httpx2.AsyncClient(transport=transport, base_url=SITE, headers=headers)
