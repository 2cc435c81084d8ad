"""What operators announce: written, shown to readers, changed, ended; nothing in it can run."""

import re
from typing import Any

import pytest

from tests.people.operators import noted
from tests.services.pages import House
from tollbridge.backoffice.announcements import PATH
from tollbridge.core.clock import now_ms
from tollbridge.people.announcements import list_all
from tollbridge.people.news import news_of_now
from tollbridge.storage.unit_of_work import reading

FIELDS = {
    "title": "Maintenance", "level": "warning", "language": "", "body": "We are **away**.",
    "starts": "", "ends": "",
}  # fmt: skip
EVIL = (
    "<script>alert(1)</script> <img src=x onerror=alert(2)> [a](javascript:alert(3))"
    " ![b](https://other.test/x.png) <a href='x' onclick='alert(4)'>c</a>"
)


async def boss_of(house: House, **columns: Any) -> int:
    return await house.user("boss@example.com", "admin", **columns)


async def sent(house: House, who: int, path: str, **fields: str) -> Any:
    async with house.browser(who) as browser:
        return await browser.post(PATH + path, data=fields)


async def seen(house: House, who: int, path: str = "") -> Any:
    async with house.browser(who) as browser:
        return await browser.get(PATH + path)


async def rows(house: House) -> Any:
    async with reading(house.engine) as connection:
        return await list_all(connection)


async def news(house: House, language: str = "en") -> list[str]:
    async with reading(house.engine) as connection:
        return [one.title for one in await news_of_now(connection, language, now_ms() + 1)]


@pytest.mark.parametrize("role", ["user", "staff"])
async def test_only_admins_announce(house: House, role: str):
    boss, who = await boss_of(house), await house.user("who@example.com", role)
    await sent(house, boss, "/new", **FIELDS)
    [row] = await rows(house)
    for path in ("/new", f"/{row['id']}", f"/{row['id']}/end", "/preview"):
        assert (await sent(house, who, path, **FIELDS)).status_code == 404
    answer = await seen(house, who)
    assert answer.status_code == (404 if role == "user" else 200)
    assert "/new" not in answer.text and "/end" not in answer.text
    assert [line[0] for line in await noted(house)] == ["announcement.make"]


async def test_it_is_written_changed_and_ended(house: House):
    boss = await boss_of(house)
    assert (await sent(house, boss, "/new", **FIELDS)).headers["location"] == PATH
    [row] = await rows(house)
    assert await news(house) == ["Maintenance"]
    page = await seen(house, boss, f"/{row['id']}")
    assert "<strong>away</strong>" in page.text and "We are **away**." in page.text
    begins = re.findall(r'name="starts" type="datetime-local" value="([^"]+)"', page.text)[0]
    changed = FIELDS | {"title": "Back soon", "starts": begins}
    assert (await sent(house, boss, f"/{row['id']}", **changed)).status_code == 303
    assert await news(house) == ["Back soon"]
    assert "Shown now" in (await seen(house, boss)).text
    for _ in range(2):
        assert (await sent(house, boss, f"/{row['id']}/end")).status_code == 303
    assert await news(house) == []
    assert "Ended" in (await seen(house, boss)).text
    made, saved, ended = await noted(house)
    assert [made[0], saved[0], ended[0]] == [
        "announcement.make", "announcement.change", "announcement.end",
    ]  # fmt: skip
    assert saved[2]["before"]["title"] == "Maintenance"
    assert saved[2]["after"]["title"] == "Back soon"
    assert {made[1], saved[1], ended[1]} == {row["id"]}


async def test_readers_of_a_language(house: House):
    boss = await boss_of(house)
    await sent(house, boss, "/new", **FIELDS | {"language": "zh_Hans"})
    assert (await news(house), await news(house, "zh_Hans")) == ([], ["Maintenance"])


async def test_times_are_those_of_the_operators_zone(house: House):
    boss = await boss_of(house, zone="Asia/Shanghai")
    times = {"starts": "2090-01-31T08:00", "ends": "2090-02-01T00:00"}
    await sent(house, boss, "/new", **FIELDS | times)
    [row] = await rows(house)
    assert (row["starts_ms"], row["ends_ms"]) == (3_789_504_000_000, 3_789_561_600_000)
    assert "To come" in (await seen(house, boss)).text
    assert 'value="2090-01-31T08:00"' in (await seen(house, boss, f"/{row['id']}")).text
    # What was ended before its begin never begins.
    await sent(house, boss, f"/{row['id']}/end")
    [row] = await rows(house)
    assert row["starts_ms"] <= row["ends_ms"] <= now_ms()


async def test_nothing_in_it_can_run(house: House):
    boss, ann = await boss_of(house), await house.user()
    evil = FIELDS | {"body": EVIL, "title": "<script>alert(0)</script>"}
    await sent(house, boss, "/new", **evil)
    [row] = await rows(house)
    texts = [(await sent(house, boss, "/preview", **evil)).text]
    texts.append((await seen(house, boss, f"/{row['id']}")).text)
    texts.append((await seen(house, boss)).text)
    async with house.browser(ann) as browser:
        texts.append((await browser.get("/console")).text)
    for text in texts:
        assert "alert(0)" in text
        assert not re.search(
            r"<script>|<img src=x|<img [^>]*other\.test|<[a-z][^>]*\son\w+\s*=", text
        )
        assert 'href="javascript' not in text


async def test_a_preview_is_a_part_or_a_page(house: House):
    boss = await boss_of(house)
    page = await sent(house, boss, "/preview", **FIELDS)
    assert page.status_code == 200 and "<strong>away</strong>" in page.text
    assert 'value="Maintenance"' in page.text and f'action="{PATH}/new"' in page.text
    again = await sent(house, boss, "/preview", **FIELDS | {"id": "12"})
    assert f'action="{PATH}/12"' in again.text
    async with house.browser(boss) as browser:
        part = await browser.post(f"{PATH}/preview", data=FIELDS, headers={"hx-request": "true"})
    assert "<strong>away</strong>" in part.text and "<html" not in part.text
    assert await rows(house) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""), ("title", "x" * 201), ("body", ""), ("body", "x" * 20_001), ("level", "loud"),
        ("language", "de"), ("starts", "soon"), ("ends", "2020-01-01T00:00"), ("ends", "x"),
    ],
)  # fmt: skip
async def test_what_the_form_refuses(house: House, field: str, value: str):
    boss = await boss_of(house)
    answer = await sent(house, boss, "/new", **FIELDS | {field: value})
    assert answer.status_code == 422 and f'id="d-{field}" role="alert"' in answer.text
    assert await rows(house) == []


async def test_what_is_not_there(house: House):
    boss = await boss_of(house)
    for path in ("/1", "/x", f"/{2**63}"):
        assert (await seen(house, boss, path)).status_code == 404
        assert (await sent(house, boss, path, **FIELDS)).status_code == 404
        assert (await sent(house, boss, f"{path}/end")).status_code == 404
    assert "No announcements yet" in (await seen(house, boss)).text
