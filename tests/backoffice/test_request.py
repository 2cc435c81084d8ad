"""A call is shown whole, and given back once: by the page as by the API, with its line in the log."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.console.calls import Till
from tests.people.operators import available, noted
from tests.services.pages import House
from tollbridge.backoffice.requests import PATH
from tollbridge.core.clock import new_tid, now_ms
from tollbridge.identity.audit import Actor
from tollbridge.people.reversing import reverse_call
from tollbridge.storage.ledger_tables import journal, usage
from tollbridge.storage.unit_of_work import reading, working

REASON = {"reason": "The answer was <b>garbled</b>."}


async def give(house: House, who: int, tid: str, **form: str) -> Any:
    async with house.browser(who) as browser:
        return await browser.post(f"{PATH}/{tid}/reverse", data=form or REASON)


async def seen(house: House, who: int, tid: str) -> Any:
    async with house.browser(who) as browser:
        return await browser.get(f"{PATH}/{tid}")


async def moved(house: House) -> list[Any]:
    """Return the journal's lines of reversals."""
    async with reading(house.engine) as connection:
        query = select(journal.c.debit, journal.c.credit, journal.c.amount, journal.c.ref)
        rows = await connection.execute(query.where(journal.c.kind == "reversal"))
        return sorted(tuple(row) for row in rows)


async def charge_of(house: House, tid: str) -> int:
    async with reading(house.engine) as connection:
        query = select(usage.c.charge).where(usage.c.tid == tid)
        return int((await connection.execute(query)).scalar_one())


@pytest.mark.parametrize("role", ["staff", "admin"])
async def test_it_is_given_back_once(house: House, role: str):
    till = await Till(house).open()
    who, ada = await house.user("who@example.com", role), await till.user()
    tid = await till.call()
    before, charge = await available(house, ada["id"]), await charge_of(house, tid)
    assert "Give the charge back" in (await seen(house, who, tid)).text
    answers = await asyncio.gather(*(give(house, who, tid) for _ in range(3)))
    assert {answer.status_code for answer in answers} == {303}
    assert {answer.headers["location"] for answer in answers} == {f"{PATH}/{tid}"}
    assert await available(house, ada["id"]) == before + charge
    assert len(await moved(house)) == 1
    [(action, _, detail)] = await noted(house)
    assert action == "call.reverse" and detail["reason"] == REASON["reason"]
    text = (await seen(house, who, tid)).text
    assert "Give the charge back" not in text and "given back" in text
    assert "who@example.com" in text and "<b>garbled" not in text and "garbled" in text


async def test_the_page_does_what_the_api_does(house: House):
    till = await Till(house).open()
    boss = await house.user("boss@example.com", "admin")
    one, two = await till.call(), await till.call()
    await give(house, boss, one)
    actor = Actor(boss, "boss@example.com", "api", "192.0.2.9")
    async with working(house.engine) as connection:
        await reverse_call(connection, actor, two, REASON["reason"], now_ms())
    [first, second] = await moved(house)
    assert first[:3] == second[:3] and {first[3], second[3]} == {one, two}
    [by_page, by_api] = await noted(house)
    assert by_page == by_api


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "a\nb"])
async def test_it_needs_a_reason(house: House, reason: str):
    till = await Till(house).open()
    staff = await house.user("who@example.com", "staff")
    tid = await till.call()
    answer = await give(house, staff, tid, reason=reason)
    assert answer.status_code == 422 and 'id="d-reason" role="alert"' in answer.text
    assert await moved(house) == [] and await noted(house) == []


async def test_what_cannot_be_given_back(house: House):
    till = await Till(house).open()
    boss = await house.user("boss@example.com", "admin")
    free = await till.call(state="failed", status=502, error_kind="upstream_error")
    answer = await give(house, boss, free)
    assert answer.status_code == 422 and "charged nothing" in answer.text
    for tid in (new_tid(), "x", "0" * 31):
        assert (await give(house, boss, tid)).status_code == 404
        assert (await seen(house, boss, tid)).status_code == 404
    assert await noted(house) == []


async def test_users_give_nothing_back(house: House):
    till = await Till(house).open()
    ada = await till.user()
    tid = await till.call()
    assert (await give(house, ada["id"], tid)).status_code == 404
    assert (await seen(house, ada["id"], tid)).status_code == 404
    async with reading(house.engine) as connection:
        count = select(func.count()).select_from(usage).where(usage.c.reversed > 0)
        assert (await connection.execute(count)).scalar_one() == 0


@pytest.mark.parametrize("role", ["staff", "admin"])
async def test_own_cost_is_told_to_admins_only(house: House, role: str):
    till = await Till(house).open()
    who = await house.user("who@example.com", role)
    text = (await seen(house, who, await till.call())).text
    assert [name in text for name in ("Own cost", "Margin")] == [role == "admin"] * 2


async def test_a_mapping_is_no_mismatch(house: House):
    till = await Till(house).open()
    boss = await house.user("boss@example.com", "admin")
    mapped = {"given": {"model_sent": "other-model"}, "model_answered": "other-model"}
    text = (await seen(house, boss, await till.call(**mapped))).text
    assert "sent as other-model" in text and "answered by" not in text
    tid = await till.call(model_answered="third-model", flags=("model_mismatch",))
    assert "answered by third-model" in (await seen(house, boss, tid)).text
    # A name that is none is not kept; the flag is.
    tid = await till.call(flags=("model_mismatch",))
    assert "answered by" not in (await seen(house, boss, tid)).text


async def test_money_and_attempts_are_shown(house: House):
    till = await Till(house).open()
    boss = await house.user("boss@example.com", "admin")
    account = house.snapshot.channels_by_name["main"].accounts[0]
    attempts = [(account.id, "overloaded", 12), (account.id, "ok", 340)]
    tid = await till.call(attempts=json.dumps(attempts))
    text = (await seen(house, boss, tid)).text
    assert "overloaded" in text and "340 ms" in text and account.name in text
    assert 'data-line="charge"' in text and "ada@example.com" in text
