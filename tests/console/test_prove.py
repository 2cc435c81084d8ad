"""Showing to be the owner again: by password, by code, or by signing in anew."""

from sqlalchemy import update

from tests.services.at_the_door import PASSWORD, code_at, switch_on, wrong_code
from tests.services.pages import COOKIE, House
from tollbridge.core.clock import now_ms
from tollbridge.identity.sessions import PROOF_MS, find_session
from tollbridge.storage.people_tables import sessions
from tollbridge.storage.unit_of_work import reading, working

PROVE = "/prove"


async def age(house: House) -> None:
    """Let every proof be a quarter of an hour old."""
    async with working(house.engine) as connection:
        await connection.execute(update(sessions).values(proved_ms=now_ms() - PROOF_MS))


async def proved(house: House, token: str | None) -> bool:
    async with reading(house.engine) as connection:
        session = await find_session(connection, house.secrets, token or "", now_ms())
    assert session is not None
    return session.proved(now_ms())


async def test_the_password_is_a_proof_for_a_while(house: House):
    user_id = await house.user(password=PASSWORD)
    async with house.browser(user_id) as browser:
        await age(house)
        page = await browser.get(PROVE, params={"next": "/console/profile"})
        assert page.status_code == 200 and 'type="password"' in page.text
        for password in ("another password", ""):
            wrong = await browser.post(PROVE, data={"password": password})
            assert wrong.status_code == 422
        assert not await proved(house, browser.cookies[COOKIE])
        form = {"password": PASSWORD, "next": "/console/profile"}
        right = await browser.post(PROVE, data=form)
        assert (right.status_code, right.headers["location"]) == (303, "/console/profile")
        assert await proved(house, browser.cookies[COOKIE])


async def test_guesses_meet_the_door(house: House):
    user_id = await house.user(password=PASSWORD)
    async with house.browser(user_id) as browser:
        await age(house)
        got = [
            (await browser.post(PROVE, data={"password": "another password"})).status_code
            for _ in range(5)
        ]
        shut = await browser.post(PROVE, data={"password": PASSWORD})
        assert (got, shut.status_code) == ([422] * 5, 429)
        assert not await proved(house, browser.cookies[COOKIE])


async def test_without_a_password_a_code_is_a_proof_once(house: House):
    user_id = await house.user()
    secret, _ = await switch_on(house, user_id)
    async with house.browser(user_id) as browser:
        await age(house)
        page = await browser.get(PROVE)
        assert "one-time-code" in page.text and 'type="password"' not in page.text
        code = code_at(secret, now_ms())
        wrong = await browser.post(PROVE, data={"code": wrong_code(secret, now_ms())})
        # What is not asked for is no proof.
        other = await browser.post(PROVE, data={"password": PASSWORD})
        assert (wrong.status_code, other.status_code) == (422, 422)
        right = await browser.post(PROVE, data={"code": code})
        assert (right.status_code, right.headers["location"]) == (303, "/console")
        await age(house)
        assert (await browser.post(PROVE, data={"code": code})).status_code == 422
        assert not await proved(house, browser.cookies[COOKIE])


async def test_who_has_neither_signs_in_again_and_comes_back(house: House):
    user_id = await house.user()
    async with house.browser(user_id) as browser:
        await age(house)
        page = await browser.get(PROVE, params={"next": "/console/profile"})
        assert 'action="/sign-out"' in page.text
        sent = await browser.post(PROVE, data={"password": "x", "code": "123456"})
        assert sent.status_code == 422
        assert not await proved(house, browser.cookies[COOKIE])
        out = await browser.post("/sign-out", data={"next": "/console/profile"})
        assert out.headers["location"] == "/sign-in?next=%2Fconsole%2Fprofile"
