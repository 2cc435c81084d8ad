"""Invites: the code and its link are shown once, to who may make them; a revoked one lets nobody in."""

import re
from typing import Any

import pytest

from tests.people.operators import noted
from tests.services.pages import House
from tollbridge.backoffice.invites import PATH
from tollbridge.core.clock import now_ms
from tollbridge.people.invites import find_invite, list_invites
from tollbridge.storage.unit_of_work import reading

FIELDS = {"uses": "2", "expires": "2090-01-31T08:00", "note": "for <b>Eve</b>"}
CODE = re.compile(r"tbi_[A-Za-z0-9_-]{32}")


async def sent(house: House, who: int, path: str, **fields: str) -> Any:
    async with house.browser(who) as browser:
        return await browser.post(PATH + path, data=fields)


async def seen(house: House, who: int, path: str = "") -> Any:
    async with house.browser(who) as browser:
        return await browser.get(PATH + path)


async def rows(house: House) -> Any:
    async with reading(house.engine) as connection:
        return await list_invites(connection)


async def good(house: House, code: str) -> bool:
    async with reading(house.engine) as connection:
        return await find_invite(connection, house.secrets, code, now_ms()) is not None


async def boss_of(house: House) -> int:
    return await house.user("boss@example.com", "admin", zone="Asia/Shanghai")


async def test_it_is_shown_once_with_its_link(house: House):
    boss = await boss_of(house)
    answer = await sent(house, boss, "/new", **FIELDS)
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    [code] = set(CODE.findall(answer.text))
    assert f"https://site.test/sign-up?invite={code}" in answer.text
    assert await good(house, code)
    text = (await seen(house, boss)).text
    assert not CODE.search(text) and f"…{code[-6:]}" in text and "<b>Eve" not in text
    [row] = await rows(house)
    assert (row["uses_max"], row["expires_ms"]) == (2, 3_789_504_000_000)
    assert [line[0] for line in await noted(house)] == ["invite.make"]


async def test_it_is_revoked_once(house: House):
    boss = await boss_of(house)
    answer = await sent(house, boss, "/new", **FIELDS)
    [code] = set(CODE.findall(answer.text))
    [row] = await rows(house)
    assert (await sent(house, boss, f"/{row['id']}/revoke")).headers["location"] == PATH
    assert not await good(house, code)
    assert "Revoked</span>" in (await seen(house, boss)).text
    for number in (str(row["id"]), "1", "x"):
        assert (await sent(house, boss, f"/{number}/revoke")).status_code == 404
    assert [line[0] for line in await noted(house)] == ["invite.make", "invite.revoke"]


@pytest.mark.parametrize("role", ["user", "staff"])
async def test_only_admins_make_and_revoke(house: House, role: str):
    boss, who = await boss_of(house), await house.user("who@example.com", role)
    await sent(house, boss, "/new", **FIELDS)
    [row] = await rows(house)
    assert (await sent(house, who, "/new", **FIELDS)).status_code == 404
    assert (await seen(house, who, "/new")).status_code == 404
    assert (await sent(house, who, f"/{row['id']}/revoke")).status_code == 404
    answer = await seen(house, who)
    assert answer.status_code == (404 if role == "user" else 200)
    assert "/new" not in answer.text and "/revoke" not in answer.text
    assert len(await rows(house)) == 1 and len(await noted(house)) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("uses", "0"), ("uses", ""), ("uses", "100001"), ("uses", "x"), ("note", "x" * 201),
        ("expires", "2020-01-01T00:00"), ("expires", "soon"),
    ],
)  # fmt: skip
async def test_what_the_form_refuses(house: House, field: str, value: str):
    boss = await boss_of(house)
    answer = await sent(house, boss, "/new", **FIELDS | {field: value})
    assert answer.status_code == 422 and f'id="d-{field}" role="alert"' in answer.text
    assert await rows(house) == []


@pytest.mark.parametrize(
    ("policy", "words"), [("open", "Anybody may"), ("closed", "Nobody may"), ("invite", "")]
)
async def test_it_says_whether_invites_count(house: House, policy: str, words: str):
    boss = await boss_of(house)
    await house.set_site(sign_up=policy)
    text = (await seen(house, boss)).text
    assert "No invites yet" in text
    assert [one in text for one in ("Anybody may", "Nobody may")] == [
        one == words for one in ("Anybody may", "Nobody may")
    ]
