"""The first page of the back office shows what the books say, to operators alone."""

from typing import Any

import pytest
from sqlalchemy import func, select

from tests.console.calls import DAY_MS, Till
from tests.services.pages import House
from tollbridge.storage.alerts import note_raised
from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.web.filters import usd

FAILED: dict[str, Any] = {"state": "failed", "status": 502, "error_kind": "upstream_error"}


async def till_of(house: House) -> Till:
    return await Till(house).open()


async def seen(house: House, who: int, path: str = "/backoffice") -> Any:
    async with house.browser(who) as browser:
        return await browser.get(path)


@pytest.mark.parametrize(("role", "status"), [("user", 404), ("staff", 200), ("admin", 200)])
async def test_who_sees_it(house: House, role: str, status: int):
    who = await house.user("who@example.com", role)
    answer = await seen(house, who)
    assert answer.status_code == status
    assert ("No calls in these days" in answer.text) == (status == 200)


async def test_it_is_shown(house: House):
    till = await till_of(house)
    boss = await house.user("boss@example.com", "admin", credit=3 * 10**9)
    await till.call()
    await till.call(at_ms=till.now - 3 * DAY_MS, **FAILED)
    await till.catch_up()
    async with working(house.engine) as connection:
        await note_raised(connection, "disk_low", "database", "<b>9 bytes</b> are free", till.now)
    async with reading(house.engine) as connection:
        charge = int((await connection.execute(select(func.sum(usage.c.charge)))).scalar_one())
    text = (await seen(house, boss, "/backoffice?days=7")).text
    assert usd(charge) in text and '<svg class="chart"' in text
    assert "50.00 % of 2" in text
    assert "Credit: Grants" in text
    assert "disk_low" in text and "<b>9 bytes" not in text
    assert "ada@example.com" in text and "gpt-5.4" in text
    today = (await seen(house, boss, "/backoffice?days=1")).text
    assert "<svg class" not in today and usd(charge) in today
    assert (await seen(house, boss, "/backoffice?days=9999999999999999999")).status_code == 200


@pytest.mark.parametrize("role", ["staff", "admin"])
async def test_own_cost_is_told_to_admins_only(house: House, role: str):
    till = await till_of(house)
    who = await house.user("who@example.com", role)
    await till.call()
    await till.catch_up()
    text = (await seen(house, who)).text
    assert (text.count("Own cost"), text.count("Margin")) == ((2, 2) if role == "admin" else (0, 0))
