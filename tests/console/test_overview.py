"""Proof that the overview shows what the calls came to, and leads somebody new to the first one."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, update

from tests.console.calls import DAY_MS, USED, Till
from tests.services.pages import House
from tollbridge.protocols.usage import Usage
from tollbridge.storage.ledger_tables import purse
from tollbridge.storage.people_tables import announcements
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import writing

COST = 834_000
PART = {"hx-request": "true"}


async def get(house: House, user_id: int, path: str, **headers: str) -> Any:
    async with house.browser(user_id) as browser:
        return await browser.get(path, headers=headers)


async def test_somebody_new_is_led_to_the_first_call(house: House) -> None:
    user_id = await house.user()
    page = await get(house, user_id, "/console")
    assert page.status_code == 200
    assert "Waiting for your first call" in page.text
    assert page.text.count('data-done="no"') == 4
    assert "/console/keys/new" in page.text and "<svg" not in page.text
    async with writing(house.engine) as connection:
        await connection.execute(update(users).values(verified_ms=1))
    page = await get(house, user_id, "/console")
    assert page.text.count('data-done="yes"') == 1


async def test_the_line_that_waits_turns_green(house: House) -> None:
    till = await Till(house).open()
    ada, bob = await till.user(), await till.user("bob@example.com")
    page = await get(house, ada["id"], "/console")
    assert 'hx-get="/console/first-call"' in page.text and 'hx-trigger="every 2s"' in page.text
    assert page.text.count('data-done="yes"') == 2
    waits = await get(house, ada["id"], "/console/first-call", **PART)
    assert (waits.status_code, waits.text) == (204, "")
    tid = await till.call()
    # The worker has not seen it yet.
    arrived = await get(house, ada["id"], "/console/first-call", **PART)
    assert arrived.status_code == 200
    assert f"/console/usage/{tid}" in arrived.text and "hx-get" not in arrived.text
    assert "<html" not in arrived.text
    other = await get(house, bob["id"], "/console/first-call", **PART)
    assert other.status_code == 204
    await till.catch_up()
    page = await get(house, ada["id"], "/console")
    assert "Waiting" not in page.text and "<svg" in page.text


async def test_without_a_script_the_address_leads_back(house: House) -> None:
    user_id = await house.user()
    answer = await get(house, user_id, "/console/first-call")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")


async def test_figures_are_those_of_the_calls(house: House) -> None:
    till = await Till(house).open()
    ada = await till.user()
    await till.call(first_token_ms=300)
    await till.call(key="auto", first_token_ms=300)
    await till.call(at_ms=till.now - 10 * DAY_MS, first_token_ms=300)
    await till.call(at_ms=till.now - 40 * DAY_MS)
    await till.call(Usage(), state="upstream_error", status=502)
    await till.call(Usage(), state="client_gone", status=499)
    await till.call(key="others")
    await till.catch_up()
    page = await get(house, ada["id"], "/console")
    text = " ".join(page.text.split())
    assert "$5.00" in text and f"${2 * COST / 10**9:.6f}".rstrip("0") in text
    assert "$0.002502" in text, "three calls of thirty days"
    assert "<dd>5 </dd>" in text or "<dd>5</dd>" in text
    assert "25.0 % of 4" in text
    # Whole days of some ten dollars: far more than a year.
    assert "more than a year" in text and "at this pace" in text
    short = await get(house, ada["id"], "/console?days=7")
    assert "$0.001668" in short.text
    long = await get(house, ada["id"], "/console?days=90")
    assert "$0.003336" in long.text
    keys = await get(house, ada["id"], "/console?by=key", **PART)
    assert keys.text.lstrip().startswith('<div id="spend"')
    assert "demo" in keys.text and "auto" in keys.text and "others" not in keys.text


@pytest.mark.parametrize("credit", [0, 5_000_000_000])
async def test_an_empty_wallet_leads_to_credit(house: House, credit: int) -> None:
    till = await Till(house).open()
    ada = await till.user()
    await till.call()
    await till.catch_up()
    async with writing(house.engine) as connection:
        wallet = update(purse).where(purse.c.id == ada["wallet_id"])
        await connection.execute(wallet.values(available=credit))
    page = await get(house, ada["id"], "/console")
    assert ("The wallet is empty" in page.text) == (credit == 0)


async def test_the_file_has_the_figures_of_the_page(house: House) -> None:
    till = await Till(house).open()
    ada = await till.user()
    async with writing(house.engine) as connection:
        await connection.execute(update(users).values(zone="America/New_York"))
    # Half past midnight of UTC is the day before in New York.
    at = datetime.fromtimestamp(till.now / 1000, UTC).replace(hour=0, minute=30)
    moment = int(at.timestamp() * 1000) - 5 * DAY_MS
    await till.call(at_ms=moment)
    await till.catch_up()
    answer = await get(house, ada["id"], "/console/overview.csv?days=30&by=key")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "-key.csv" in answer.headers["content-disposition"]
    raw = answer.content.decode("utf-8-sig")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    (row,) = csv.DictReader(io.StringIO(raw, newline=""), strict=True)
    day = datetime.fromtimestamp(moment / 1000 - 86_400, UTC).date()
    assert row == {
        "day": day.isoformat(), "key": "demo", "requests": "1", "failed": "0",
        "client_faults": "0", "tokens_in": "1200", "tokens_out": "301", "charge_usd": "0.000834",
    }  # fmt: skip
    assert USED.tokens_in() == 1200


@pytest.mark.parametrize("query", ["days=0", "days=x", "by=user", "days=99999&by=%3C"])
async def test_what_is_not_offered_is_the_usual(house: House, query: str) -> None:
    till = await Till(house).open()
    ada = await till.user()
    await till.call()
    await till.catch_up()
    page = await get(house, ada["id"], f"/console?{query}")
    assert page.status_code == 200
    assert '/console?days=30&amp;by=model" aria-current="true"' in page.text


async def test_no_calls_in_these_days(house: House) -> None:
    till = await Till(house).open()
    ada = await till.user()
    await till.call(at_ms=till.now - 20 * DAY_MS)
    await till.catch_up()
    page = await get(house, ada["id"], "/console?days=7")
    assert "No calls in these days" in page.text and "<svg" not in page.text


async def test_news_are_shown_to_everybody(house: House) -> None:
    user_id = await house.user()
    async with writing(house.engine) as connection:
        await connection.execute(
            insert(announcements).values(
                id=1, level="incident", title="<Down>", body="**soon** <script>", language="",
                starts_ms=1, created_ms=1,
            )
        )  # fmt: skip
    page = await get(house, user_id, "/console")
    assert "&lt;Down&gt;" in page.text and "<strong>soon</strong>" in page.text
    assert "Incident" in page.text and "<script>" not in page.text


@pytest.mark.parametrize(("level", "folded"), [("news", True), ("warning", False)])
async def test_news_are_folded_and_warnings_are_not(house: House, level: str, folded: bool) -> None:
    user_id = await house.user()
    async with writing(house.engine) as connection:
        await connection.execute(
            insert(announcements).values(
                id=1, level=level, title="Look", body="here", language="", starts_ms=1, created_ms=1
            )
        )
    page = await get(house, user_id, "/console")
    assert ("<summary>" in page.text) == folded and "here" in page.text
