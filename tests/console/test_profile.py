"""The profile shows what is one's own, and what is another's is not there."""

from typing import Any

import pytest
from sqlalchemy import insert

from tests.services.at_the_door import row_of, stages
from tests.services.pages import COOKIE, House
from tollbridge.console.profile import zone_names
from tollbridge.core.clock import new_id, now_ms
from tollbridge.identity.sessions import find_session
from tollbridge.storage.people_tables import external_identities
from tollbridge.storage.unit_of_work import reading, working

PROFILE = "/console/profile"
USD = 1_000_000_000


async def session_id(house: House, cookie: str) -> int:
    async with reading(house.engine) as connection:
        found = await find_session(connection, house.secrets, cookie, now_ms())
    assert found is not None
    return found.id


async def test_the_page_shows_what_is_ones_own(house: House):
    ann = await house.user(password="a lantern in june")
    async with working(house.engine) as connection:
        await connection.execute(
            insert(external_identities).values(
                id=new_id(),
                user_id=ann,
                provider="hub",
                subject="1",
                email="ann@hub.test",
                created_ms=now_ms(),
            )
        )
    async with house.browser(ann) as browser:
        page = await browser.get(PROFILE)
    assert page.status_code == 200
    for shown in ("ann@example.com", "ann@hub.test", "192.0.2.7", "a browser", "this one"):
        assert shown in page.text
    assert "argon2" not in page.text
    assert 'value="Europe/Berlin"' in page.text


@pytest.mark.parametrize(
    "path", ["", "/email", "/password", "/second-factor", "/delete", "/tokens", "/tokens/new"]
)
async def test_strangers_are_sent_to_sign_in(house: House, path: str):
    async with house.browser() as browser:
        answer = await browser.get(PROFILE + path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=")


async def test_language_and_zone_are_kept_and_used(house: House):
    ann = await house.user()
    async with house.browser(ann) as browser:
        given = {"language": "zh_Hans", "zone": "Asia/Tokyo"}
        done = await browser.post(f"{PROFILE}/place", data=given)
        assert (done.status_code, done.headers["location"]) == (303, PROFILE)
        page = await browser.get(PROFILE)
        assert 'lang="zh-Hans"' in page.text and 'value="Asia/Tokyo"' in page.text
        await browser.post(f"{PROFILE}/place", data={"language": "", "zone": ""})
    row = await row_of(house, ann)
    assert (row["language"], row["zone"]) == (None, None)


@pytest.mark.parametrize(
    "given",
    [
        {"language": "xx", "zone": "UTC"},
        {"language": "en", "zone": "Mars/Olympus"},
        {"language": "en", "zone": "../../etc/passwd"},
        {"language": "en", "zone": "x" * 500},
    ],
)
async def test_a_place_that_is_none_is_refused(house: House, given: dict[str, str]):
    ann = await house.user()
    async with house.browser(ann) as browser:
        answer = await browser.post(f"{PROFILE}/place", data=given)
    assert answer.status_code == 422 and 'role="alert"' in answer.text
    assert (await row_of(house, ann))["zone"] is None


async def test_alerts_are_exact(house: House):
    ann = await house.user()
    async with house.browser(ann) as browser:
        given = {"budget": "12.000000001", "period": "week", "low": "0"}
        done = await browser.post(f"{PROFILE}/alerts", data=given)
        assert done.status_code == 303
        page = await browser.get(PROFILE)
    row = await row_of(house, ann)
    amounts = (row["budget_nano"], row["budget_period"], row["low_balance_nano"])
    assert amounts == (12 * USD + 1, "week", 0)
    assert 'value="12.000000001"' in page.text


@pytest.mark.parametrize(
    ("name", "value"),
    [("budget", "0"), ("budget", "-1"), ("budget", "1e9"), ("low", "1000001"), ("period", "year")],
)
async def test_alerts_that_are_none_are_refused(house: House, name: str, value: str):
    ann = await house.user()
    async with house.browser(ann) as browser:
        given = {"budget": "5", "period": "month", "low": "", name: value}
        answer = await browser.post(f"{PROFILE}/alerts", data=given)
    assert answer.status_code == 422
    assert (await row_of(house, ann))["budget_nano"] is None


async def test_ending_one_session_and_all_others(house: House):
    ann = await house.user()
    other = await session_id(house, await house.session(ann))
    await house.session(ann)
    async with house.browser(ann) as browser:
        assert (await browser.post(f"{PROFILE}/sessions/{other}/end")).status_code == 303
        assert len(await stages(house, ann)) == 2
        assert (await browser.post(f"{PROFILE}/sessions/end")).status_code == 303
        assert len(await stages(house, ann)) == 1
        assert (await browser.get(PROFILE)).status_code == 200
        this = await session_id(house, browser.cookies.get(COOKIE) or "")
        done = await browser.post(f"{PROFILE}/sessions/{this}/end")
        assert done.headers["location"] == "/sign-in"
    assert await stages(house, ann) == []


async def test_anothers_session_is_not_there(house: House):
    ann, eve = await house.user(), await house.user("eve@example.com")
    hers = await session_id(house, await house.session(ann))
    async with house.browser(eve) as browser:
        for wish in (hers, 0, "x", "-1", "9" * 40, "²"):
            answer = await browser.post(f"{PROFILE}/sessions/{wish}/end")
            assert answer.status_code == 404, wish
    assert await stages(house, ann) == ["full"]


async def test_anothers_identity_is_not_there(house: House):
    ann, eve = await house.user(password="a lantern in june"), await house.user("eve@example.com")
    row: dict[str, Any] = {"id": new_id(), "user_id": ann, "provider": "hub", "subject": "1"}
    async with working(house.engine) as connection:
        made = insert(external_identities).values(**row, email="", created_ms=now_ms())
        await connection.execute(made)
    async with house.browser(eve) as browser:
        assert (await browser.post(f"{PROFILE}/unlink/{row['id']}")).status_code == 404


@pytest.mark.parametrize("path", ["/place", "/alerts", "/sessions/end", "/email", "/delete"])
async def test_forms_of_other_sites_are_refused(house: House, path: str):
    ann = await house.user()
    async with house.browser(ann) as browser:
        headers = {"sec-fetch-site": "cross-site"}
        answer = await browser.post(PROFILE + path, data={"zone": "UTC"}, headers=headers)
    assert answer.status_code == 403


def test_all_zones_that_are_offered_can_be_used():
    names = zone_names()
    assert {"UTC", "Europe/Berlin", "Asia/Shanghai"} <= set(names) and len(names) < 1000
