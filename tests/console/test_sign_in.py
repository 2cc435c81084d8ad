"""The pages of signing in and out, as a browser walks through them."""

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
    wrong_code,
)
from tests.services.pages import COOKIE, House
from tollbridge.core.clock import now_ms

SECOND = "/sign-in/second"


async def test_a_right_password_leads_to_where_somebody_was_going(house: House):
    user_id = await house.user(password=PASSWORD)
    async with house.browser() as browser:
        shown = await browser.get("/sign-in", params={"next": "/console/usage?days=7"})
        assert shown.status_code == 200
        assert 'name="next" value="/console/usage?days=7"' in shown.text
        answer = await sign_in(browser, next="/console/usage?days=7")
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/usage?days=7")
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=")
        for word in ("HttpOnly", "Secure", "Path=/", "SameSite=lax"):
            assert word in cookie
        again = await browser.get("/sign-in", params={"next": "/console/wallet"})
        assert (again.status_code, again.headers["location"]) == (303, "/console/wallet")
    assert await stages(house, user_id) == ["full"]


@pytest.mark.parametrize(
    ("email", "password", "status"),
    [
        (EMAIL, "another password", 422),
        ("", PASSWORD, 422),
        (EMAIL, "", 422),
        ("x" * 300, PASSWORD, 422),
        (f"{EMAIL}\x00", PASSWORD, 422),
        ("ü@example.com", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), 422),
    ],
)
async def test_what_is_wrong_is_shown_with_the_address_kept(
    house: House, email: str, password: str, status: int
):
    user_id = await house.user(password=PASSWORD)
    async with house.browser() as browser:
        answer = await sign_in(browser, password, email)
    assert answer.status_code == status
    assert 'role="alert"' in answer.text
    assert "another password" not in answer.text
    assert await stages(house, user_id) == []


async def test_only_the_suspended_user_hears_of_it(house: House):
    await suspend(house, await house.user("bob@example.com", password=PASSWORD))
    async with house.browser() as browser:
        wrong = await sign_in(browser, "another password", "bob@example.com")
        right = await sign_in(browser, PASSWORD, "bob@example.com")
    assert wrong.status_code == right.status_code == 422
    assert "suspended" not in wrong.text and "is suspended" in right.text
    assert "set-cookie" not in right.headers


async def test_the_second_step_asks_for_a_code_and_then_lets_in(house: House):
    user_id = await house.user(password=PASSWORD)
    secret, codes = await switch_on(house, user_id)
    for code in (code_at(secret, now_ms()), codes[0]):
        async with house.browser() as browser:
            half = await sign_in(browser, next="/console/keys")
            assert half.headers["location"] == f"{SECOND}?next=%2Fconsole%2Fkeys"
            page = await browser.get(half.headers["location"])
            assert page.status_code == 200 and "one-time-code" in page.text
            empty = await browser.post(SECOND, data={"code": " "})
            assert empty.status_code == 422
            before = browser.cookies[COOKIE]
            full = await browser.post(SECOND, data={"code": code, "next": "/console/keys"})
            assert (full.status_code, full.headers["location"]) == (303, "/console/keys")
            assert browser.cookies[COOKIE] != before
            assert (await browser.get("/sign-in")).status_code == 303
    assert await stages(house, user_id) == ["full", "full"]


async def test_without_a_password_before_there_is_no_second_step(house: House):
    user_id = await house.user(password=PASSWORD)
    async with house.browser() as browser:
        shown = await browser.get(SECOND, params={"next": "/console/keys"})
        sent = await browser.post(SECOND, data={"code": "123456"})
    assert shown.headers["location"] == "/sign-in?next=%2Fconsole%2Fkeys"
    assert sent.headers["location"].startswith("/sign-in?")
    async with house.browser(user_id) as browser:
        assert (await browser.get(SECOND)).headers["location"].startswith("/sign-in?")


async def test_five_wrong_codes_end_the_half_session_and_are_told(house: House):
    user_id = await house.user(password=PASSWORD)
    secret, codes = await switch_on(house, user_id)
    wrong = wrong_code(secret, now_ms())
    async with house.browser() as browser:
        await sign_in(browser)
        for _ in range(4):
            answer = await browser.post(SECOND, data={"code": wrong})
            assert answer.status_code == 422 and "not right" in answer.text
        last = await browser.post(SECOND, data={"code": wrong})
        assert (last.status_code, last.headers["location"][:9]) == (303, "/sign-in?")
        assert await stages(house, user_id) == []
        told = await browser.get("/sign-in")
        assert "Too many wrong codes" in told.text
        # The door of the user stays shut for a while, whatever the session.
        await sign_in(browser)
        shut = await browser.post(SECOND, data={"code": codes[0]})
        assert shut.status_code == 429
    assert [mail["to"] for mail in (await letters(house))[1:]] == [EMAIL]


async def test_signing_out_ends_the_session(house: House):
    user_id = await house.user(password=PASSWORD)
    async with house.browser(user_id) as browser:
        gone = await browser.get("/sign-out")
        assert gone.status_code == 405
        out = await browser.post("/sign-out", data={"next": ""})
        assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
        assert COOKIE not in browser.cookies
        assert "You are signed out." in (await browser.get("/sign-in")).text
    assert await stages(house, user_id) == []
    async with house.browser() as browser:
        assert (await browser.post("/sign-out", data={"next": ""})).status_code == 303


@pytest.mark.parametrize(("mode", "linked"), [("open", True), ("invite", True), ("closed", False)])
async def test_the_way_to_sign_up_is_shown_where_there_is_one(
    house: House, mode: str, linked: bool
):
    await house.set_site(sign_up=mode)
    async with house.browser() as browser:
        page = await browser.get("/sign-in")
    assert ('href="/sign-up"' in page.text) is linked
