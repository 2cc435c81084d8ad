"""Proof that prices are seen, confirmed and written, and that this ends the first run."""

import re

from tests.console.test_setup_channel import FORM
from tests.services.pages import House

MODEL = "gpt-4o-mini"
SIZES = {f"context:{MODEL}": "128000", f"output:{MODEL}": "16384"}


def mark_of(text: str) -> str:
    found = re.search(r'name="mark" value="(\w+)"', text)
    assert found is not None, text
    return found[1]


async def test_what_is_confirmed_is_sold(house: House) -> None:
    async with house.browser(await house.user("op@example.com", "admin")) as browser:
        await browser.post("/setup/channel", data=FORM)
        page = await browser.get("/setup/prices")
        assert page.status_code == 200
        assert "$0.15" in page.text and "my-model" in page.text
        done = await browser.post("/setup/prices", data={"mark": mark_of(page.text), **SIZES})
        assert (done.status_code, done.headers["location"]) == (303, "/backoffice")
        for path in ("/setup/channel", "/setup/test", "/setup/prices"):
            assert (await browser.get(path)).headers["location"] == "/backoffice"
        for path in ("/setup/channel", "/setup/prices", "/setup/end"):
            assert (await browser.post(path, data=FORM)).headers["location"] == "/backoffice"
    await house.refresh()
    sold = house.snapshot.model(MODEL)
    assert sold is not None and sold.price is not None and sold.max_output == 16_384


async def test_what_was_not_seen_is_not_written(house: House) -> None:
    async with house.browser(await house.user("op@example.com", "admin")) as browser:
        await browser.post("/setup/channel", data=FORM)
        mark = mark_of((await browser.get("/setup/prices")).text)
        for form in ({"mark": "x", **SIZES}, {**SIZES}):
            answer = await browser.post("/setup/prices", data=form)
            assert answer.status_code == 422 and "Look again" in answer.text
        for fault in ("0", "x", "-1", "9" * 12):
            form = {"mark": mark, **SIZES, f"output:{MODEL}": fault}
            answer = await browser.post("/setup/prices", data=form)
            assert answer.status_code == 422 and 'aria-invalid="true"' in answer.text
        # Nothing of it ended the first run.
        assert (await browser.get("/setup/prices")).status_code == 200
    await house.refresh()
    assert house.snapshot.model(MODEL) is None


async def test_it_can_be_left_out(house: House) -> None:
    async with house.browser(await house.user("op@example.com", "admin")) as browser:
        assert "no price to take" in (await browser.get("/setup/prices")).text
        assert (await browser.post("/setup/end")).headers["location"] == "/backoffice"
        assert (await browser.get("/setup/channel")).headers["location"] == "/backoffice"
