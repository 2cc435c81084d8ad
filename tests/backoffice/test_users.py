"""The list of users: filters, pages, balances; only for operators."""

import re

import pytest

from tests.services.pages import House


async def page(house: House, who: int, path: str = "/backoffice/users") -> tuple[int, str]:
    async with house.browser(who) as browser:
        answer = await browser.get(path)
    return answer.status_code, answer.text


def emails(text: str) -> list[str]:
    return re.findall(r'<a href="/backoffice/users/\d+">([^<]+)</a>', text)


async def test_operators_see_everybody_with_their_balance(house: House) -> None:
    await house.user(credit=1_500_000_000)
    for role in ("staff", "admin"):
        status, text = await page(house, await house.user(f"{role}@example.com", role))
        assert status == 200
        assert "ann@example.com" in emails(text) and "$1.50" in text


async def test_users_are_not_told_that_there_is_a_list(house: House) -> None:
    assert (await page(house, await house.user()))[0] == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=BOB", ["bob@example.org"]),
        ("role=admin", ["boss@example.com"]),
        ("status=suspended", ["bob@example.org"]),
        ("group=friends", ["ann@example.com"]),
        ("q=example.com&role=user", ["ann@example.com"]),
        ("q=nobody", []),
        # What is no filter of ours filters nothing; what is no id is no page.
        (
            "role=owner&status=x&before=y",
            ["boss@example.com", "bob@example.org", "ann@example.com"],
        ),
    ],
)
async def test_filters(house: House, query: str, found: list[str]) -> None:
    await house.user(group_name="friends")
    bob = await house.user("bob@example.org")
    boss = await house.user("boss@example.com", "admin")
    async with house.browser(boss) as browser:
        await browser.post(f"/backoffice/users/{bob}/suspend", data={"suspend_reason": "spam"})
    status, text = await page(house, boss, f"/backoffice/users?{query}")
    assert (status, emails(text)) == (200, found)


async def test_pages_keep_the_filters(house: House) -> None:
    boss = await house.user("boss@example.com", "admin")
    for number in range(51):
        await house.user(f"u{number:02}@example.com")
    _, text = await page(house, boss, "/backoffice/users?q=u&role=user")
    first = emails(text)
    [older] = re.findall(r'href="(/backoffice/users\?[^"]+)"', text)
    _, text = await page(house, boss, older.replace("&amp;", "&"))
    assert (len(first), emails(text)) == (50, ["u00@example.com"])
    assert 'href="/backoffice/users?q=u&amp;role=user"' in text
