"""The audit log as a page: filters, pages, details that people can read, nothing that runs."""

import re
from typing import Any

import pytest

from tests.people.operators import BOSS
from tests.services.pages import House
from tollbridge.core.clock import now_ms
from tollbridge.identity.audit import SHELL, Subject, note
from tollbridge.storage.unit_of_work import working


async def seen(house: House, who: int, query: str = "") -> Any:
    async with house.browser(who) as browser:
        return await browser.get(f"/backoffice/audit{query}")


def actions(text: str) -> list[str]:
    return re.findall(r'<th scope="row" class="mono">([^<]+)</th>', text)


async def log(house: House, *lines: tuple[Any, str, Subject, dict[str, Any]]) -> None:
    async with working(house.engine) as connection:
        for actor, action, subject, detail in lines:
            await note(connection, actor, action, subject, now_ms(), **detail)


async def test_staff_read_it_and_users_are_not_told(house: House) -> None:
    assert (await seen(house, await house.user())).status_code == 404
    for role in ("staff", "admin"):
        answer = await seen(house, await house.user(f"{role}@example.com", role))
        assert answer.status_code == 200 and "Nothing yet" in answer.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["channel.change", "user.role", "user.suspend"]),
        ("?action=user.role", ["user.role"]),
        ("?actor=7", ["user.suspend"]),
        ("?actor=Chief@Example.com", ["user.role"]),
        ("?actor=nobody@example.com", []),
        ("?kind=user", ["user.role", "user.suspend"]),
        ("?kind=user&subject=5", ["user.suspend"]),
        ("?subject=x", []),
        ("?before=x", ["channel.change", "user.role", "user.suspend"]),
    ],
)
async def test_filters(house: House, query: str, found: list[str]) -> None:
    chief = await house.user("chief@example.com", "admin")
    other = BOSS.__class__(chief, "chief@example.com", "api")
    await log(
        house,
        (BOSS, "user.suspend", Subject("user", 5, "ann"), {}),
        (other, "user.role", Subject("user", 6, "bob"), {}),
        (SHELL, "channel.change", Subject("channel", 5, "main"), {}),
    )
    answer = await seen(house, chief, query)
    assert (answer.status_code, actions(answer.text)) == (200, found)


async def test_details_are_names_and_values(house: House) -> None:
    boss = await house.user("boss@example.com", "admin")
    detail = {
        "before": {"rpm": 0, "tpm": 5}, "after": {}, "reason": "<b>spam</b>", "sure": True,
        "expires_ms": 1_000, "credit_days": None,
    }  # fmt: skip
    await log(house, (BOSS, "user.limits", Subject("user", 5, "<i>"), detail))
    text = (await seen(house, boss)).text
    assert re.findall(r'<dt class="mono">([^<]+)</dt><dd>([^<]*)</dd>', text) == [
        ("reason", "&lt;b&gt;spam&lt;/b&gt;"), ("before.rpm", "0"), ("before.tpm", "5"),
        ("after", "{}"), ("credit_days", "\u2013"), ("expires_ms", "1970-01-01T00:00:01Z"),
        ("sure", "true"),
    ]  # fmt: skip


async def test_pages_keep_the_filters(house: House) -> None:
    boss = await house.user("boss@example.com", "admin")
    subject = Subject("user", 5, "ann")
    await log(house, *((BOSS, f"user.a{number:02}", subject, {}) for number in range(51)))
    text = (await seen(house, boss, "?kind=user")).text
    assert len(actions(text)) == 50
    [older] = re.findall(r'href="/backoffice/audit(\?[^"]+before=[0-9]+)"', text)
    text = (await seen(house, boss, older.replace("&amp;", "&"))).text
    assert actions(text) == ["user.a00"] and 'href="/backoffice/audit?kind=user"' in text
