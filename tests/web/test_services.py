"""The twin of web/services.py: pages take their wiring as it is and cannot change it."""

from dataclasses import FrozenInstanceError, fields

import pytest

from tests.services.pages import SITE, House
from tollbridge.web.services import WebServices


async def test_pages_cannot_change_their_wiring(house: House):
    with pytest.raises(FrozenInstanceError):
        house.services.secrets = None  # type: ignore[misc]


async def test_the_snapshot_and_the_address_are_asked_at_every_request(house: House):
    services = house.services
    assert services.site_url() == SITE and not services.site_url().endswith("/")
    await house.set_site(name="A new name")
    assert services.snapshot().site.name == "A new name"
    async with house.browser() as browser:
        assert "A new name" in (await browser.get("/console/nothing")).text
        await house.set_site(name="Another <name>")
        assert "Another &lt;name&gt;" in (await browser.get("/console/nothing")).text


def test_nothing_of_it_may_be_left_out():
    assert {one.name for one in fields(WebServices)} >= {"engine", "secrets", "doors", "site_url"}
    with pytest.raises(TypeError):
        WebServices()  # type: ignore[call-arg]
