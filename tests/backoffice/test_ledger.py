"""How the books are: as the last proof said, and as one that an admin asks for now says."""

from typing import Any

import pytest
from sqlalchemy import update

from tests.people.operators import noted
from tests.services.pages import House
from tollbridge.backoffice.ledger import INVARIANTS, PATH
from tollbridge.core.clock import now_ms
from tollbridge.people import ledger_health
from tollbridge.storage.alerts import note_raised
from tollbridge.storage.ledger_audit import QUESTIONS
from tollbridge.storage.ledger_tables import purse
from tollbridge.storage.unit_of_work import working


async def seen(house: House, who: int) -> Any:
    async with house.browser(who) as browser:
        return await browser.get(PATH)


async def checked(house: House, who: int) -> Any:
    async with house.browser(who) as browser:
        return await browser.post(f"{PATH}/check")


@pytest.mark.parametrize(("role", "status"), [("user", 404), ("staff", 200), ("admin", 200)])
async def test_who_sees_it_and_who_has_it_checked(house: House, role: str, status: int):
    who = await house.user("who@example.com", role, credit=5)
    answer = await seen(house, who)
    assert answer.status_code == status
    assert (f"{PATH}/check" in answer.text) == (role == "admin")
    assert (await checked(house, who)).status_code == (303 if role == "admin" else 404)
    assert len(await noted(house)) == (role == "admin")


async def test_right_books_are_said_to_be_right(house: House):
    boss = await house.user("boss@example.com", "admin", credit=3 * 10**9)
    assert "not been proved yet" in (await seen(house, boss)).text
    assert (await checked(house, boss)).headers["location"] == PATH
    text = (await seen(house, boss)).text
    assert "The books are right" in text and "Off</span>" not in text
    assert text.count("Holds</span>") == len(INVARIANTS)
    assert "$3.00" in text and "grant" in text
    [(action, _, detail)] = await noted(house)
    assert action == "ledger.check" and detail["right"] is True


async def test_wrong_books_are_said_to_be_wrong(house: House):
    boss = await house.user("boss@example.com", "admin", credit=3 * 10**9)
    async with working(house.engine) as connection:
        await connection.execute(update(purse).values(available=purse.c.available + 1))
    answer = await checked(house, boss)
    assert answer.status_code == 200
    assert answer.text.count("Off</span>") == 1 and "its journal lines come to" in answer.text
    [(_, _, detail)] = await noted(house)
    assert detail["off"] == ["I1 available"]


async def test_what_the_worker_found_is_shown(house: House):
    boss = await house.user("boss@example.com", "admin")
    async with working(house.engine) as connection:
        await note_raised(connection, "imbalance", "I3 charge", "1 found <b>", now_ms())
    text = (await seen(house, boss)).text
    assert text.count("Off</span>") == 1 and "1 found &lt;b&gt;" in text


async def test_too_much_is_left_to_the_shell(house: House, monkeypatch: pytest.MonkeyPatch):
    boss = await house.user("boss@example.com", "admin", credit=5)
    monkeypatch.setattr(ledger_health, "NEW_MAX", 0)
    answer = await checked(house, boss)
    assert answer.status_code == 200 and "tollbridge ledger verify" in answer.text
    assert await noted(house) == []


def test_every_invariant_is_said_in_words():
    assert set(INVARIANTS) == {one.name for one in QUESTIONS if one.fatal}
