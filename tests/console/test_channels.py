"""The twin of console/channels.py: what somebody may choose, at what it costs them, and how it did."""

import re

import pytest

from tests.people.stock import STOCK
from tests.services.pages import House
from tests.support.test_uptime import kept
from tollbridge.api.apply import apply

SPECIAL = """
[[group]]
name = "vip"
factor = "0.5"

[[channel]]
name = "evening"
platform = "anthropic"
models = ["gpt-*", "unpriced-model"]
client_policy = "claude-code"
capabilities = ["images"]
peak = { from = "00:00", to = "24:00", zone = "Asia/Shanghai", factor = "3" }
"""


@pytest.fixture
async def shop(house: House) -> House:
    """Return a site with channels for everybody and one for a group."""
    await apply(house.engine, house.secrets, STOCK + SPECIAL, environ={})
    await kept(house.engine)
    await house.refresh()
    return house


async def get(house: House, user_id: int | None, path: str = "/console/channels") -> str:
    async with house.browser(user_id) as browser:
        page = await browser.get(path)
    assert page.status_code == 200
    return page.text


async def test_it_is_for_those_who_are_signed_in(shop: House) -> None:
    async with shop.browser() as browser:
        answer = await browser.get("/console/channels")
    assert answer.status_code == 303 and answer.headers["location"].startswith("/sign-in")


async def test_prices_are_those_of_the_user_and_of_now(shop: House) -> None:
    text = await get(shop, await shop.user())
    # A quarter of 2.50 and 10.00; three times as much at peak hours, which are always.
    assert "$0.625" in text and "$2.50" in text and "$7.50" in text and "$30.00" in text
    assert "vault" not in text and "unpriced-model" not in text
    assert "Claude Code only" in text and "Any client" in text and ">Images<" in text
    assert "Every day, 00:00 to 24:00 (Asia/Shanghai): 3.0 times the price" in text
    assert len(re.findall("<rect", text)) == 2 * 90
    vip = await get(shop, await shop.user("vip@example.com", group_name="vip"))
    assert "vault" in vip and "$0.3125" in vip and "$3.75" in vip


async def test_a_search_narrows_it_down(shop: House) -> None:
    user_id = await shop.user("vip@example.com", group_name="vip")
    text = await get(shop, user_id, "/console/channels?q=other")
    assert "gpt-other" in text and "gpt-test" not in text and 'value="other"' in text
    nothing = await get(shop, user_id, "/console/channels?q=%22%3E%3Cscript%3Ezzz")
    assert "Nothing matches" in nothing and "<script>zzz" not in nothing


async def test_where_nothing_is_sold_it_says_so(house: House) -> None:
    assert "Nothing is sold yet" in await get(house, await house.user())
