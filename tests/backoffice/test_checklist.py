"""Proof that admins tick and hide the checklist, staff do not, and that it shows."""

from sqlalchemy import select

from tests.services.pages import House
from tollbridge.core.clock import now_ms
from tollbridge.people.checklist import read_checklist
from tollbridge.storage.people_tables import audit_log
from tollbridge.storage.unit_of_work import reading
from tollbridge.web.render import render

PATH = "/backoffice/checklist"


async def test_an_admin_ticks_and_hides(house: House) -> None:
    async with house.browser(await house.user("boss@example.com", "admin")) as browser:
        ticked = await browser.post(PATH, data={"tick": "mail"})
        wrong = await browser.post(PATH, data={"tick": "terms"})
        hidden = await browser.post(PATH, data={"hide": "1"})
    assert (ticked.status_code, wrong.status_code, hidden.status_code) == (303, 400, 303)
    async with reading(house.engine) as connection:
        query = select(audit_log.c.action, audit_log.c.subject).order_by(audit_log.c.id)
        lines = [tuple(row) for row in await connection.execute(query)]
        assert await read_checklist(connection, house.snapshot, now_ms()) is None
    assert lines == [("checklist.tick", "mail"), ("checklist.hide", "checklist")]


async def test_staff_do_not(house: House) -> None:
    async with house.browser(await house.user("staff@example.com", "staff")) as browser:
        assert (await browser.post(PATH, data={})).status_code == 404


async def test_it_is_drawn_in_both_roles(house: House) -> None:
    async with reading(house.engine) as connection:
        found = await read_checklist(connection, house.snapshot, now_ms(), house.services.settings)
    for admin in (True, False):
        text = render(
            "en",
            "backoffice/checklist.html",
            {"checklist": found, "may": lambda _, admin=admin: admin},
        )
        assert "An account answers" in text and "/setup/channel" in text
        assert ("It is taken care of" in text) is admin
    assert "section" not in render("en", "backoffice/checklist.html", {"checklist": None})
