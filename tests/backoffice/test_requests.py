"""Everybody's calls are found by whatever operators know of them; only admins see what they cost us."""

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.console.calls import DAY_MS, HOUR_MS, Till
from tests.services.pages import House
from tollbridge.backoffice.requests import FIELDS, PATH, read_filters

FAILED: dict[str, Any] = {"state": "failed", "status": 502, "error_kind": "upstream_error"}
TID = re.compile(r'href="/backoffice/requests/([0-9a-f]{32})"')


async def seen(house: House, who: int, query: str = "") -> Any:
    async with house.browser(who) as browser:
        return await browser.get(f"{PATH}{query}")


async def found(house: House, who: int, query: str) -> list[str]:
    answer = await seen(house, who, query)
    assert answer.status_code == 200, answer.text
    return TID.findall(answer.text)


async def test_every_filter_finds_its_calls(house: House):
    till = await Till(house).open()
    boss = await house.user("boss@example.com", "admin")
    good = await till.call(at_ms=till.now - HOUR_MS)
    bad = await till.call(at_ms=till.now - 2 * DAY_MS, **FAILED)
    await till.catch_up()
    user = await till.user()
    account = house.snapshot.channels_by_name["main"].accounts[0]
    for query in (
        "", "?user=ada@example.com", f"?user={user['id']}", "?channel=main", "?model=gpt-5.4",
        f"?account={account.id}", f"?account={account.name}&channel=main",
    ):  # fmt: skip
        assert await found(house, boss, query) == [good, bad], query
    assert await found(house, boss, "?status=failed") == [bad]
    assert await found(house, boss, "?status=answered") == [good]
    assert await found(house, boss, "?status=client") == []
    assert await found(house, boss, "?error=upstream_error") == [bad]
    assert await found(house, boss, "?error=overloaded") == []
    assert await found(house, boss, "?user=boss@example.com") == []
    day_ago = datetime.fromtimestamp((till.now - DAY_MS) // 1000, UTC).strftime("%Y-%m-%dT%H:%M")
    assert await found(house, boss, f"?from={day_ago}") == [good]
    assert await found(house, boss, f"?until={day_ago}") == [bad]


async def test_another_model_than_asked_for_is_marked(house: House):
    till = await Till(house).open()
    boss = await house.user("boss@example.com", "admin")
    await till.call(model_answered="gpt-5.4")
    await till.catch_up()
    assert "answered by" not in (await seen(house, boss)).text
    await till.call(model_answered="gpt-5.4-nano", flags=("model_mismatch",))
    await till.catch_up()
    text = (await seen(house, boss)).text
    assert re.findall(r'data-tone="warn">([^<]*)<', text) == ["answered by gpt-5.4-nano"]


async def test_keys_are_found_by_their_end(house: House):
    till = await Till(house).open()
    boss = await house.user("boss@example.com", "admin")
    tid = await till.call()
    await till.catch_up()
    text = (await seen(house, boss)).text
    assert tid in text
    async with house.browser(boss) as browser:
        page = await browser.get(f"{PATH}/{tid}")
    key_id = re.findall(r"demo <small class=\"mono\">([0-9]+)<", page.text)[0]
    assert await found(house, boss, f"?key={key_id}") == [tid]
    assert (await seen(house, boss, "?key=zzzzzz")).status_code == 422


async def test_a_trace_id_leads_to_its_call(house: House):
    boss = await house.user("boss@example.com", "admin")
    answer = await seen(house, boss, f"?tid={'0' * 32}")
    assert answer.headers["location"] == f"{PATH}/{'0' * 32}"
    answer = await seen(house, boss, "?tid=what")
    assert answer.status_code == 422 and 'id="d-tid" role="alert"' in answer.text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("user=nobody@example.com", "user"), ("channel=none", "channel"), ("key=x", "key"),
        ("account=none", "account"), ("status=9", "status"), ("error=A B", "error"),
        ("from=soon", "from"), ("from=2026-01-02T00:00&until=2026-01-01T00:00", "until"),
        ("model=a%00b", "model"), ("user=a%0ab", "user"),
    ],
)  # fmt: skip
async def test_what_a_filter_cannot_be(house: House, query: str, field: str):
    boss = await house.user("boss@example.com", "admin")
    answer = await seen(house, boss, f"?{query}")
    assert answer.status_code == 422
    assert f'id="d-{field}" role="alert"' in answer.text


async def test_pages_join(house: House):
    till = await Till(house).open()
    boss = await house.user("boss@example.com", "admin")
    made = [await till.call(at_ms=till.now - HOUR_MS + number) for number in range(52)]
    await till.catch_up()
    first = await seen(house, boss, "?channel=main")
    [older] = re.findall(r'href="([^"]+after=[0-9a-f]+)"', first.text)
    async with house.browser(boss) as browser:
        second = await browser.get(older.replace("&amp;", "&"))
    assert TID.findall(first.text) + TID.findall(second.text) == made[::-1]
    assert f'href="{PATH}?channel=main"' in second.text
    assert (await seen(house, boss, "?after=x")).status_code == 404


@pytest.mark.parametrize("role", ["user", "staff", "admin"])
async def test_only_admins_see_our_cost(house: House, role: str):
    till = await Till(house).open()
    who = await house.user("who@example.com", role)
    tid = await till.call(own_cost=987_654_321)
    await till.catch_up()
    for query in ("", f"/{tid}"):
        answer = await seen(house, who, query)
        assert answer.status_code == (404 if role == "user" else 200)
        assert ("$0.987654321" in answer.text) == (role == "admin")
        assert ("Margin" in answer.text) == (role == "admin")


@given(st.dictionaries(st.sampled_from([*FIELDS, "tid"]), st.text(max_size=30)))
def test_no_address_breaks_it(query: dict[str, str]):
    filters = read_filters(query, ZoneInfo("Europe/Berlin"))
    assert set(filters.form.errors) <= set(FIELDS)
    filters.address(PATH, after="0" * 32)
