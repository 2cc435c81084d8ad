"""The twin of console/status.py: what the public is shown, and that it does not ask the database."""

import re

import pytest
from sqlalchemy import event, insert, update

from tests.people.stock import STOCK
from tests.services.pages import House
from tests.support.test_uptime import kept, row
from tollbridge.api.apply import apply
from tollbridge.console.board import Board
from tollbridge.core.clock import new_id, now_ms
from tollbridge.storage.people_tables import announcements
from tollbridge.storage.query_tables import rollup
from tollbridge.storage.tables import channels
from tollbridge.storage.unit_of_work import writing

DAY_MS, MINUTE_MS = 86_400_000, 60_000
JSON = {"accept": "application/json"}


@pytest.fixture
async def shop(house: House) -> House:
    """Return a site with a channel for everybody and one that is not."""
    await apply(house.engine, house.secrets, STOCK, environ={})
    await house.refresh()
    return house


async def tell(house: House, title: str, starts: int, ends: int | None, **more: str) -> None:
    """Announce an incident; times are minutes from now."""
    at = now_ms()
    values = {
        "id": new_id(), "level": "incident", "title": title, "body": "Some *words*.",
        "starts_ms": at + starts * MINUTE_MS, "created_ms": at,
        "ends_ms": None if ends is None else at + ends * MINUTE_MS, **more,
    }  # fmt: skip
    async with writing(house.engine) as connection:
        await connection.execute(insert(announcements).values(values))


async def called(house: House, name: str, ago: int, calls: int, answered: int, faults: int) -> None:
    """Write the calls of one day."""
    channel = house.snapshot.channels_by_name[name].id
    start = now_ms() // DAY_MS * DAY_MS - ago * DAY_MS
    values = row(start, calls, answered, faults, channel_id=channel, user_id=new_id())
    async with writing(house.engine) as connection:
        await connection.execute(insert(rollup).values(values))


async def test_anybody_sees_ninety_days_of_what_everybody_may_use(shop: House) -> None:
    await kept(shop.engine)
    await called(shop, "main", 3, 1000, 899, 100)
    await called(shop, "main", 5, 100, 50, 0)
    await called(shop, "vault", 3, 1000, 1, 0)
    async with shop.browser() as browser:
        page = await browser.get("/status")
    assert page.status_code == 200
    assert "main" in page.text and "vault" not in page.text
    assert len(re.findall("<rect", page.text)) == 90
    # 949 of 1000: (899 + 50) / (1000 - 100 + 100).
    assert "94.90 %" in page.text and "99.88 % answered" in page.text
    assert page.text.count('class="up"') == page.text.count('class="down"') == 1
    assert page.text.count('class="quiet-day"') == 88
    # How much is called is nobody's business.
    assert "899" not in page.text and "1,000" not in page.text


async def test_programs_get_figures(shop: House) -> None:
    await kept(shop.engine)
    await called(shop, "main", 0, 4, 3, 0)
    await tell(shop, "Slow", -10, None)
    async with shop.browser() as browser:
        asked = await browser.get("/status", headers=JSON)
        named = await browser.get("/status.json")
        page = await browser.get("/status", headers={"accept": "text/html,application/json"})
    assert asked.json() == named.json()
    assert page.headers["content-type"].startswith("text/html")
    assert (
        asked.headers["cache-control"] == "public, max-age=30" and "accept" in asked.headers["vary"]
    )
    figures = asked.json()
    assert figures["state"] == "incident" and figures["incidents"][0]["title"] == "Slow"
    [channel] = figures["channels"]
    assert (channel["name"], channel["uptime"], channel["state"]) == ("main", "75.00", "quiet")
    assert len(channel["days"]) == 90
    assert [one["uptime"] for one in channel["days"][-2:]] == [None, "75.00"]


async def test_incidents_of_now_and_of_two_weeks(shop: House) -> None:
    day = 24 * 60
    await tell(shop, "Running", -10, None)
    await tell(shop, "Over", -3 * day, -2 * day)
    await tell(shop, "Long over", -30 * day, -15 * day)
    await tell(shop, "To come", 10, None)
    await tell(shop, "Only news", -10, None, level="news")
    await tell(shop, "For others", -10, None, language="zh_Hans")
    async with shop.browser() as browser:
        page = await browser.get("/status")
    before, after = page.text.split("Incidents of the last 14 days")
    assert "Running" in before and "There is an incident" in before and "<em>words</em>" in before
    assert "Over" in after and "Running" not in after
    for hidden in ("Long over", "To come", "Only news", "For others"):
        assert hidden not in page.text


async def test_a_channel_without_accounts_is_trouble_and_a_disabled_one_is_not_shown(
    shop: House,
) -> None:
    async with shop.browser() as browser:
        assert "No trouble is known" in (await browser.get("/status")).text
        async with writing(shop.engine) as connection:
            free = update(channels).where(channels.c.name == "vault").values(groups='["*"]')
            await connection.execute(free)
        await shop.refresh()
        page = await browser.get("/status")
        # Nobody could answer there.
        assert "vault" in page.text and "Some channels are in trouble" in page.text
        async with writing(shop.engine) as connection:
            await connection.execute(update(channels).values(enabled=False))
        await shop.refresh()
        page = await browser.get("/status")
        assert "No channels" in page.text and "<rect" not in page.text


async def test_many_who_look_ask_the_database_once(shop: House) -> None:
    asked: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    async with shop.browser() as browser:
        await browser.get("/status")
        event.listen(shop.engine.sync_engine, "before_cursor_execute", note)
        for _ in range(5):
            assert (await browser.get("/status")).status_code == 200
            assert (await browser.get("/status.json")).status_code == 200
        event.remove(shop.engine.sync_engine, "before_cursor_execute", note)
    assert asked == []


async def test_what_was_read_is_renewed_after_half_a_minute(shop: House) -> None:
    board, at = Board(shop.engine), now_ms()
    first = await board.look(at)
    assert await board.look(at + 29_999) is first
    assert (await board.look(at + 30_000)) is not first
