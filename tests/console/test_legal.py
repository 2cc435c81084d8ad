"""The twin of console/legal.py: the operator's words, or that there are none yet."""

import pytest

from tests.services.pages import House

NAMES = ("terms", "refunds", "disclaimer")


@pytest.mark.parametrize("name", NAMES)
async def test_the_operators_text_is_shown_and_can_run_nothing(house: House, name: str) -> None:
    async with house.browser() as browser:
        empty = await browser.get(f"/legal/{name}")
        assert empty.status_code == 200 and "Not written yet" in empty.text
        text = "Be **kind**.\n\n<script>alert(1)</script> [x](javascript:alert(1))"
        await house.set_site(**{name: text}, terms_version="2026-11")
        page = await browser.get(f"/legal/{name}")
    assert "<strong>kind</strong>" in page.text and "Not written yet" not in page.text
    assert "<script>alert" not in page.text and 'href="javascript:' not in page.text
    assert ("Version 2026-11" in page.text) == (name == "terms")


@pytest.mark.parametrize("name", ["", "imprint", "name", "terms_version", "__class__"])
async def test_no_other_setting_is_shown(house: House, name: str) -> None:
    async with house.browser() as browser:
        assert (await browser.get(f"/legal/{name}")).status_code == 404
