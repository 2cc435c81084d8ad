"""Proof that the file has what the list has: the same calls, exact amounts, times with their offset."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update
from starlette.requests import Request

from tests.console.calls import DAY_MS, Till
from tests.services.pages import House
from tollbridge.billing.usage_page import Asked, UsagePage, read_page
from tollbridge.console.usage_csv import HEADER, chunks
from tollbridge.identity.sessions import find_session
from tollbridge.protocols.usage import Usage
from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading, writing
from tollbridge.web.visit import Visit


async def get(house: House, user_id: int, query: str = "") -> Any:
    async with house.browser(user_id) as browser:
        return await browser.get(f"/console/usage.csv?{query}")


def read(answer: Any) -> list[dict[str, str]]:
    text = answer.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


async def test_a_line_says_all_of_a_call(house: House) -> None:
    till = await Till(house).open()
    ada = await till.user()
    at = int(datetime(2026, 7, 1, 22, 30, 15, 999_000, tzinfo=UTC).timestamp() * 1000)
    tid = await till.call(at_ms=at, first_token_ms=5, total_ms=60, model_answered="=cmd()")
    async with writing(house.engine) as connection:
        await connection.execute(update(users).values(zone="Europe/Berlin"))
        changed = {"reversed": 34, "service_tier": "flex", "flags": "model_mismatch,reversed"}
        await connection.execute(update(usage).values(**changed))
        key_id = (await connection.execute(select(usage.c.key_id))).scalar_one()
    await till.catch_up()
    answer = await get(house, ada["id"])
    assert answer.status_code == 200 and answer.content.startswith(b"\xef\xbb\xbf")
    assert answer.headers["content-type"].startswith("text/csv")
    (row,) = read(answer)
    assert tuple(row) == HEADER
    none = {name: "0" for name in HEADER if name.endswith("_tokens")}
    assert row == none | {
        "time": "2026-07-02T00:30:15.999+02:00", "trace_id": tid, "key": "demo",
        "model_asked": "gpt-5.4", "model_answered": "'=cmd()", "channel": "main",
        "surface": "chat", "status": "200", "end_state": "complete", "error": "",
        "input_tokens": "1000", "cache_read_tokens": "200", "output_tokens": "301",
        "reasoning_tokens": "100", "first_token_ms": "5", "total_ms": "60",
        "charge_usd": "0.000834", "given_back_usd": "0.000000034", "list_cost_usd": "0.00556",
        "key_id": str(key_id), "model_sent": "gpt-5.4", "platform": "openai", "stream": "true",
        "client": "curl", "service_tier": "flex", "flags": "model_mismatch,reversed",
    }  # fmt: skip


async def test_filters_are_those_of_the_page(house: House) -> None:
    till = await Till(house).open()
    ada, bob = await till.user(), await till.user("bob@example.com")
    old = await till.call(at_ms=till.now - 3 * DAY_MS)
    failed = await till.call(Usage(), state="upstream_error", status=502)
    await till.call(key="others")
    await till.catch_up()
    for query, tids in {"": [failed, old], "status=failed": [failed], "key=auto": []}.items():
        assert [row["trace_id"] for row in read(await get(house, ada["id"], query))] == tids
    assert len(read(await get(house, bob["id"]))) == 1
    for query in ("key=others", "status=3"):
        answer = await get(house, ada["id"], query)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/console/usage?{query}")


async def test_a_file_of_many_pages_has_each_call_once_and_says_when_it_is_cut(
    house: House,
) -> None:
    till = await Till(house).open()
    ada = await till.user()
    tids = [await till.call(at_ms=till.now - at) for at in range(23)]
    await till.catch_up()
    visit = await visit_of(house, ada["id"])
    for most, cut in ((100, False), (23, False), (22, True), (10, True), (1, True)):
        for chunk in (1, 7, 10):
            first = await page_of(house, ada["id"], chunk)
            rows = [
                row
                async for part in chunks(visit, Asked(), first, most=most, chunk=chunk)
                for row in part
            ]
            calls = rows[:-1] if cut else rows
            assert [row[1] for row in calls] == tids[:most], (most, chunk)
            if cut:
                assert len(rows[-1]) == 1 and str(most) in str(rows[-1][0])


async def page_of(house: House, user_id: int, limit: int) -> UsagePage:
    async with reading(house.engine) as connection:
        return await read_page(connection, user_id, Asked(), limit=limit)


async def visit_of(house: House, user_id: int) -> Visit:
    token = await house.session(user_id)
    async with reading(house.engine) as connection:
        session = await find_session(connection, house.secrets, token, 0)
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    return Visit(Request(scope), house.services, session)
