"""Pages of operators when every name in them was chosen by somebody who means harm."""

import pytest

from tests.services.hostile import (
    CANARY,
    MARKDOWN,
    declared,
    furnished,
    harm_in,
    shown_harmlessly,
)
from tests.services.pages import House

PATHS = [path for path in declared("GET") if path.startswith("/backoffice")]

NAMES = [
    *("name", "base_url", "title", "body", "level", "language", "note", "batch", "amount", "count"),
    *("reason", "group", "email", "role", "state", "provider", "models", "mapping", "peak_zone"),
    *(
        "headers",
        "params",
        "multiplier",
        "q",
        "terms",
        "starts",
        "code",
        "suspend_reason",
        "scopes",
    ),
    *(
        "credit_reason",
        "context",
        "groups",
        "proxy",
        "secret",
        "oauth_token_url",
        "form_id",
        "life",
    ),
    *("channel", "platform", "zone", "invite", "next", "back", "token", "word", "ips", "expires"),
]


async def test_no_name_is_ever_more_than_text(house: House) -> None:
    world = await furnished(house)
    shown = 0
    for part in ("", "true"):
        async with house.browser(world.admin) as browser:
            browser.headers["hx-request"] = part
            shown += await shown_harmlessly(browser, world, PATHS)
    assert shown > 40


async def test_what_is_shown_again_in_a_form_is_only_text(house: House) -> None:
    """A faulty form keeps what was typed: nothing of it may be more than that."""
    world = await furnished(house)
    shown = 0
    async with house.browser(world.admin) as browser:
        for path in declared("POST"):
            if path == "/sign-out":
                continue
            answer = await browser.post(world.path(path), data=dict.fromkeys(NAMES, CANARY))
            assert answer.status_code < 500, path
            if answer.headers.get("content-type", "").startswith("text/html"):
                assert harm_in(answer.text) == [], path
                shown += "&#39;&gt;&lt;/title&gt;" in answer.text
    assert shown > 30


async def test_a_preview_runs_nothing(house: House) -> None:
    root = await house.user("root@example.com", "admin")
    form = {
        "level": "news",
        "title": "t",
        "body": MARKDOWN,
        "language": "",
        "starts": "",
        "ends": "",
    }
    async with house.browser(root) as browser:
        answer = await browser.post("/backoffice/announcements/preview", data=form)
        assert answer.status_code == 200 and "onerror=c7&gt;" in answer.text
        assert harm_in(answer.text) == []


@pytest.mark.parametrize("nul", ["%00", "a%00b", "1%00"])
async def test_no_filter_asks_a_database_for_what_it_cannot_hold(house: House, nul: str) -> None:
    root = await house.user("root@example.com", "admin")
    async with house.browser(root) as browser:
        for address in (
            "users?q=", "users?group=", "users?role=", "audit?actor=", "audit?action=", "audit?kind=",
            "audit?subject=", "codes?batch=", "accounts?channel=", "requests?user=", "requests?model=",
            "requests?channel=", "requests?error=", "prices?provider=",
        ):  # fmt: skip
            answer = await browser.get(f"/backoffice/{address}{nul}")
            assert answer.status_code in (200, 400, 404, 422), (address, answer.status_code)
            assert harm_in(answer.text) == [] and "<h1>" in answer.text, address


async def test_no_batch_has_a_name_that_no_database_can_hold(house: House) -> None:
    root = await house.user("root@example.com", "admin")
    async with house.browser(root) as browser:
        for name in ("\0", "a\0b", "", "x" * 300, "nothing of this name"):
            answer = await browser.post("/backoffice/codes/revoke", data={"batch": name})
            assert answer.status_code == 404, name
