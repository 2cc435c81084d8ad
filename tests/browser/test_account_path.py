"""What letters lead to, and the second factor: a lost password, another address, a code at the door."""

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.customer import signs_up
from tests.browser.layout import in_order
from tests.browser.people import Look, press, sign_in, somebody
from tests.browser.stage import Stage, link_in

LOOKS = (Look("en", "dark", 390), Look("zh_Hans", "light", 1440))
ANOTHER = "another correct horse"
_BUTTON = "button[type=submit]"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_an_account_changes_hands_with_nobody(look: Look, chromium: Browser, stage: Stage) -> None:
    first, second = (f"{name}-{look.language.lower()}@example.com" for name in ("first", "second"))
    with somebody(chromium, stage, look) as person:
        page = person.page
        signs_up(page, stage, first)
        sets_a_new_password(page, stage, first)
        takes_another_address(page, stage, first, second)
        code = asks_for_a_code(page)
        enters_with(page, second, code)
        assert person.heard() == []


def leaves(page: Page) -> None:
    press(page, f"form[action='/sign-out'] {_BUTTON}")
    page.wait_for_url("**/sign-in*")


def sets_a_new_password(page: Page, stage: Stage, address: str) -> None:
    leaves(page)
    page.goto("/reset")
    page.locator("input[name=email]").fill(address)
    press(page, f"form[action='/reset'] {_BUTTON}")
    in_order(page)
    page.goto(link_in(stage.letter(address, "/reset/new"), "/reset/new"))
    in_order(page)
    page.locator("input[name=password]").fill(ANOTHER)
    press(page, f"form[action='/reset/new'] {_BUTTON}")
    expect(page.locator("form[action='/reset/new']")).to_have_count(0)
    in_order(page)


def takes_another_address(page: Page, stage: Stage, address: str, wish: str) -> None:
    page.context.clear_cookies()
    sign_in(page, address, ANOTHER)
    page.goto("/console/profile/email")
    page.locator("input[name=email]").fill(wish)
    press(page, f"form[action='/console/profile/email'] {_BUTTON}")
    in_order(page)
    page.goto(link_in(stage.letter(wish), "/console/profile/email/confirm"))
    in_order(page)
    press(page, f"form[action='/console/profile/email/confirm'] {_BUTTON}")
    page.goto("/console/profile")
    expect(page.locator("main")).to_contain_text(wish)


def asks_for_a_code(page: Page) -> str:
    """Switch the second factor on and return a recovery code."""
    page.goto("/console/profile/second-factor")
    press(page, f"form[action='/console/profile/second-factor/begin'] {_BUTTON}")
    in_order(page)
    secret = page.locator("#secret, main pre").first.inner_text().replace(" ", "")
    page.locator("input[name=code]").fill(pyotp.TOTP(secret).now())
    press(page, f"form[action='/console/profile/second-factor/confirm'] {_BUTTON}")
    in_order(page)
    return page.locator("main pre").first.inner_text().split("\n")[0].strip()


def enters_with(page: Page, address: str, code: str) -> None:
    leaves(page)
    page.locator("input[name=email]").fill(address)
    page.locator("input[name=password]").fill(ANOTHER)
    press(page, f"form[action='/sign-in'] {_BUTTON}")
    page.wait_for_url("**/sign-in/second*")
    in_order(page)
    page.locator("input[name=code]").fill(code)
    press(page, f"form[action='/sign-in/second'] {_BUTTON}")
    page.wait_for_url("**/console")
