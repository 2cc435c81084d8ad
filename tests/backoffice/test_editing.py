"""The twin of backoffice/editing.py: what is edited is made, shown, changed, switched and noted alike."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import PlainTextResponse, Response

from tests.services.pages import COOKIE, SITE, House
from tollbridge.api.traced import Traced
from tollbridge.backoffice.editing import Thing, declare, declare_switch, written
from tollbridge.catalog.edits import Edit, NoSuchRow
from tollbridge.identity.scopes import Scope
from tollbridge.storage.people_tables import audit_log
from tollbridge.storage.unit_of_work import reading
from tollbridge.web.forms import Form
from tollbridge.web.pages import Pages, operator
from tollbridge.web.site import make_site
from tollbridge.web.visit import Visit

PATH = "/backoffice/bells"
READ, WRITE = operator(Scope.CHANNELS_READ), operator(Scope.CHANNELS_WRITE)
SAME = "same"


async def ring(_: AsyncConnection, row_id: int, /, *, enabled: bool) -> Edit:
    if row_id == 404:
        raise NoSuchRow
    return Edit("bell.switch", "bell", row_id, "x", {}, {"enabled": enabled})


async def save(visit: Visit, form: Form, row_id: int | None) -> Edit | None:
    name = form.text("name")
    if not form.ok:
        return None
    after = {} if name == SAME else {"name": name}

    async def change(_: AsyncConnection) -> Edit:
        if row_id == 404:
            raise NoSuchRow
        return Edit("bell.save", "bell", row_id or 7, name, {}, after)

    return await written(visit, change)


async def new_page(_: Visit, form: Form | None) -> Response:
    return PlainTextResponse("new", 200 if form is None else 422)


async def page(visit: Visit, form: Form | None) -> Response:
    return PlainTextResponse(f"bell {visit.id}", 200 if form is None else 422)


@asynccontextmanager
async def office(house: House, role: str) -> AsyncIterator[httpx2.AsyncClient]:
    pages, thing = Pages(), Thing(PATH, new_page, page, save)
    declare(pages, READ, WRITE, thing)
    declare_switch(pages, WRITE, thing, ring)
    site = httpx2.ASGITransport(Traced(make_site(house.services, [pages])))
    who = await house.session(await house.user("ada@example.com", role))
    async with httpx2.AsyncClient(
        transport=site, base_url=SITE, headers={"sec-fetch-site": "same-origin"}
    ) as browser:
        browser.cookies.set(COOKIE, who, domain="site.test")
        yield browser


async def noted(house: House) -> list[str]:
    async with reading(house.engine) as connection:
        return list((await connection.execute(select(audit_log.c.action))).scalars())


@pytest.mark.parametrize(
    ("path", "form", "status", "led", "action"),
    [
        ("/new", {"name": "x"}, 303, "/7", "bell.save"),
        ("/new", {"name": ""}, 422, None, None),
        ("/5", {"name": "x"}, 303, "/5", "bell.save"),
        ("/5", {"name": SAME}, 303, "/5", None),
        ("/5", {"name": ""}, 422, None, None),
        ("/404", {"name": "x"}, 404, None, None),
        ("/5/switch", {"enabled": "1"}, 303, "/5", "bell.switch"),
        ("/404/switch", {"enabled": "1"}, 404, None, None),
        ("/x/switch", {"enabled": "1"}, 404, None, None),
    ],
)
async def test_what_is_written_is_noted_and_shown(
    house: House, path: str, form: dict[str, str], status: int, led: str | None, action: str | None
) -> None:
    async with office(house, "admin") as browser:
        answer = await browser.post(f"{PATH}{path}", data=form)
    assert answer.status_code == status
    assert answer.headers.get("location") == (led and f"{PATH}{led}")
    assert await noted(house) == ([action] if action else [])


async def test_forms_are_shown_by_who_may(house: House) -> None:
    async with office(house, "admin") as browser:
        assert (await browser.get(f"{PATH}/new")).text == "new"
        assert (await browser.get(f"{PATH}/5")).text == "bell 5"
        assert (await browser.get(f"{PATH}/x")).status_code == 404


async def test_staff_look_and_change_nothing(house: House) -> None:
    async with office(house, "staff") as browser:
        assert (await browser.get(f"{PATH}/5")).status_code == 200
        for path in ("/new", "/5", "/5/switch"):
            answer = await browser.post(f"{PATH}{path}", data={"name": "x"})
            assert answer.status_code == 404, path
        assert (await browser.get(f"{PATH}/new")).status_code == 404
    assert await noted(house) == []
