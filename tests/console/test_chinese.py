"""Every page in Chinese and every answer to a faulty form: no text of ours is left in English.

The pages of a site in use are asked in tests/browser; here are all forms, and the first run.
"""

from dataclasses import replace

import pytest

from tests.backoffice.test_hostile import NAMES
from tests.console.test_setup_channel import FORM
from tests.console.test_setup_test import WELL
from tests.services.hostile import CANARY, declared, furnished
from tests.services.pages import House
from tests.services.wording import english_in, faults
from tollbridge.catalog.known_models import known_models
from tollbridge.core.clock import now_ms

_DOCUMENT = "/console/wallet/statement/"


_OFFERED = frozenset(one.name for one in known_models("openai", now_ms()))
_SHOP = ("a browser", "auto", "demo", "limited", "main", "small", "vip", "QQ")


def own(text: str) -> bool:
    """Tell whether a text is what somebody called something here."""
    rest = text.replace(CANARY, "").replace(CANARY[:40], "").strip("\uff1a ")
    return rest in _SHOP or rest in _OFFERED or not any(map(str.isalpha, rest))


def english(page: str) -> list[str]:
    """Return the texts of a page that should be Chinese."""
    return [one for text in english_in(page) for one in faults(text, own)]


async def test_pages_and_answers_to_forms_are_chinese(house: House) -> None:
    world = await furnished(house)
    found = []
    for who in (None, world.user, world.admin):
        async with house.browser(who) as browser:
            browser.headers["accept-language"] = "zh-CN"
            for method in ("GET", "POST"):
                for path in declared(method):
                    if path.startswith(_DOCUMENT) or path == "/sign-out":
                        continue
                    data = dict.fromkeys(NAMES, CANARY) if method == "POST" else None
                    answer = await browser.request(method, world.path(path), data=data)
                    if answer.headers.get("content-type", "").startswith("text/html"):
                        found += [f"{method} {path}: {one}" for one in english(answer.text)]
    assert not found, "\n" + "\n".join(dict.fromkeys(found))


async def test_the_first_run_is_chinese(house: House) -> None:
    found = []
    async with house.browser(await house.user("op@example.com", "admin")) as browser:
        browser.headers["accept-language"] = "zh-CN"

        async def look(method: str, path: str, **form: str) -> None:
            answer = await browser.request(method, path, data=form or None)
            found.extend(f"{method} {path} {form}: {one}" for one in english(answer.text))

        await look("GET", "/setup/channel")
        await look("GET", "/setup/channel?platform=openai")
        for fault in ({"base_url": "ftp://x"}, {"name": "a b"}, {"secret": ""}, {"more": "a b"}):
            await look("POST", "/setup/channel", **{**FORM, **fault})
        await look("POST", "/setup/channel", **FORM)
        for finding in (None, WELL, replace(WELL, outcome="account_refused", status=401)):
            house.found = finding
            await look("POST", "/setup/test")
        await look("GET", "/setup/test")
        await look("GET", "/setup/prices")
        await look("POST", "/setup/prices", mark="x")
    assert not found, "\n" + "\n".join(dict.fromkeys(found))


@pytest.mark.parametrize(
    ("text", "found"),
    [("UTC", []), ("gpt-5 · Saved", ["Saved"]), ("2 s", ["2 s"]), ("Any", ["Any"]), (CANARY, [])],
)
def test_english_is_found(text: str, found: list[str]) -> None:
    page = '<p title="Not now">\u662f <b>Save it</b><code>no</code><input placeholder="Your name">'
    assert english(page) == ["Not now", "Save it", "Your name"]
    assert list(faults(text, own)) == found
