"""The twin of console/start.py: the address without a path leads on."""

import pytest

from tests.services.pages import House


async def test_strangers_go_to_the_sign_in(house: House):
    await house.user("boss@example.com", role="admin")
    async with house.browser() as browser:
        answer = await browser.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


async def test_a_site_that_is_not_set_up_says_so(house: House):
    async with house.browser() as browser:
        answer = await browser.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/setup")


@pytest.mark.parametrize("role", ["user", "staff", "admin"])
async def test_users_go_to_their_console(house: House, role: str):
    async with house.browser(await house.user(role=role)) as browser:
        answer = await browser.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
