"""Password, second factor and the end of an account ask for a proof; secrets are shown once."""

import re

import httpx2
import pytest

from tests.console.test_profile_email import unprove
from tests.services.at_the_door import (
    EMAIL,
    PASSWORD,
    code_at,
    letters,
    row_of,
    sign_in,
    stages,
    switch_on,
    wrong_code,
)
from tests.services.pages import COOKIE, House
from tollbridge.core.clock import now_ms
from tollbridge.identity.recovery import codes_left
from tollbridge.storage.unit_of_work import reading

PROFILE = "/console/profile"
SECOND = f"{PROFILE}/second-factor"
DANGEROUS = [
    "/password", "/second-factor/begin", "/second-factor/confirm", "/second-factor/off",
    "/second-factor/codes", "/delete", "/tokens",
]  # fmt: skip


async def begin(browser: httpx2.AsyncClient) -> tuple[str, str]:
    """Begin to switch the second factor on; return the word and the secret."""
    page = await browser.post(f"{SECOND}/begin")
    assert page.status_code == 200 and page.headers["cache-control"] == "no-store"
    assert "<svg" in page.text
    word = re.search(r'name="word" value="([\w-]+)"', page.text)
    secret = re.search(r'<pre id="secret"[^>]*>([A-Z2-7]{32})</pre>', page.text)
    assert word and secret
    return word[1], secret[1]


@pytest.mark.parametrize("path", DANGEROUS)
async def test_without_a_proof_nothing_is_done(house: House, path: str):
    ann = await house.user(password=PASSWORD)
    before = await row_of(house, ann)
    async with house.browser(ann) as browser:
        await unprove(house)
        data = {"password": "another lantern", "email": EMAIL, "name": "t", "scopes": "own:read"}
        answer = await browser.post(PROFILE + path, data=data)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/prove?next=%2Fconsole%2Fprofile"
    assert await row_of(house, ann) == before
    assert len(await stages(house, ann)) == 1


async def test_a_new_password_ends_the_other_sessions(house: House):
    ann = await house.user(password=PASSWORD)
    await house.session(ann)
    async with house.browser(ann) as browser:
        assert (await browser.get(f"{PROFILE}/password")).status_code == 200
        data = {"password": "another lantern"}
        done = await browser.post(f"{PROFILE}/password", data=data)
        assert (done.status_code, done.headers["location"]) == (303, PROFILE)
        assert (await browser.get(PROFILE)).status_code == 200
    assert len(await stages(house, ann)) == 1
    assert [mail["to"] for mail in await letters(house)] == [EMAIL]
    async with house.browser() as other:
        assert (await sign_in(other)).status_code == 422
        assert (await sign_in(other, "another lantern")).status_code == 303


@pytest.mark.parametrize("password", ["", "short", "x" * 201, EMAIL])
async def test_a_weak_password_is_refused_and_not_shown(house: House, password: str):
    ann = await house.user(password=PASSWORD)
    before = await row_of(house, ann)
    async with house.browser(ann) as browser:
        answer = await browser.post(f"{PROFILE}/password", data={"password": password})
    assert answer.status_code == 422 and 'role="alert"' in answer.text
    assert await row_of(house, ann) == before


async def test_the_second_factor_on_new_codes_and_off(house: House):
    ann = await house.user(password=PASSWORD)
    async with house.browser(ann) as browser:
        assert (await browser.get(SECOND)).status_code == 200
        word, secret = await begin(browser)
        data = {"word": word, "code": wrong_code(secret, now_ms())}
        wrong = await browser.post(f"{SECOND}/confirm", data=data)
        assert wrong.status_code == 422 and secret in wrong.text
        data = {"word": word, "code": code_at(secret, now_ms())}
        on = await browser.post(f"{SECOND}/confirm", data=data)
        codes = re.findall(r"^(?:\s*<pre[^>]*>)?([a-z2-9]{5}-[a-z2-9]{5})\b", on.text, re.MULTILINE)
        assert on.status_code == 200 and len(set(codes)) == 10
        assert on.headers["cache-control"] == "no-store"
        shown = (await browser.get(SECOND)).text + (await browser.get(PROFILE)).text
        assert secret not in shown and codes[0] not in shown
        fresh = await browser.post(f"{SECOND}/codes")
        assert fresh.status_code == 200 and codes[0] not in fresh.text
        again = await browser.post(f"{SECOND}/begin")
        assert again.headers["location"] == SECOND
        off = await browser.post(f"{SECOND}/off")
        assert off.headers["location"] == PROFILE
        none = await browser.post(f"{SECOND}/codes")
        assert none.headers["location"] == SECOND
    assert (await row_of(house, ann))["totp_secret"] is None
    async with reading(house.engine) as connection:
        assert await codes_left(connection, ann) == 0


async def test_what_another_has_begun_is_not_to_be_confirmed(house: House):
    ann, eve = await house.user(), await house.user("eve@example.com")
    async with house.browser(ann) as browser:
        word, secret = await begin(browser)
    async with house.browser(eve) as browser:
        data = {"word": word, "code": code_at(secret, now_ms())}
        answer = await browser.post(f"{SECOND}/confirm", data=data)
    assert answer.status_code == 410 and secret not in answer.text
    assert (await row_of(house, eve))["totp_secret"] is None
    assert (await row_of(house, ann))["totp_secret"] is None


async def test_an_account_is_deleted_by_typing_its_address(house: House):
    ann = await house.user(password=PASSWORD, credit=1_500_000_000)
    await switch_on(house, ann)
    await house.session(ann)
    async with house.browser(ann) as browser:
        page = await browser.get(f"{PROFILE}/delete")
        assert "$1.50" in page.text
        for typed in ("", "eve@example.com", "ann"):
            refused = await browser.post(f"{PROFILE}/delete", data={"email": typed})
            assert refused.status_code == 422
        done = await browser.post(f"{PROFILE}/delete", data={"email": " Ann@Example.com"})
        assert done.status_code == 200
        assert not browser.cookies.get(COOKIE)
        assert (await browser.get(PROFILE)).headers["location"].startswith("/sign-in")
    assert await stages(house, ann) == []
    assert (await letters(house))[-1]["to"] == EMAIL
    async with house.browser() as other:
        assert (await sign_in(other)).status_code == 422


async def test_the_last_admin_stays(house: House):
    ann = await house.user(role="admin")
    async with house.browser(ann) as browser:
        answer = await browser.post(f"{PROFILE}/delete", data={"email": EMAIL})
    assert answer.status_code == 409
    assert (await row_of(house, ann))["deleted_ms"] is None
