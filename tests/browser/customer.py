"""Owns what customers do in a browser, whoever's path it is a part of: signing up, keys, the clipboard."""

from playwright.sync_api import Page, expect

from tests.browser.people import PASSWORD
from tests.browser.stage import Stage, link_in


def signs_up(page: Page, stage: Stage, address: str) -> None:
    """Ask for an account and press the button that the letter leads to; signed in then."""
    page.goto("/sign-up")
    page.locator("input[name=email]").fill(address)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=terms]").check()
    page.locator("form[action='/sign-up'] button[type=submit]").click()
    expect(page.locator("main")).to_contain_text(address)
    page.goto(link_in(stage.letter(address), "/verify"))
    # Looking at the link makes nothing: only the button does.
    assert stage.gateway.rows("SELECT 1 FROM users WHERE email = ?", address) == []
    page.locator("form[action='/verify'] button[type=submit]").click()
    page.wait_for_url("**/console")


def makes_a_key(page: Page, name: str = "my laptop") -> None:
    """Make a key on the page of new keys; the page with its secret is open then."""
    page.locator("input[name=name]").fill(name)
    page.locator("form[action='/console/keys'] button[type=submit]").click()
    expect(page.locator("#secret")).to_have_text(copied(page, "secret"))


def copied(page: Page, name: str) -> str:
    """Press the button beside a text and return what the clipboard has then."""
    fold = page.locator(f"details:has(#{name})")
    if fold.count() and fold.get_attribute("open") is None:
        fold.locator("summary").click()
    page.evaluate("navigator.clipboard.writeText('nothing yet')")
    button = page.locator(f"button[data-copy='{name}']")
    button.click()
    expect(button).to_have_text(button.get_attribute("data-copied") or "")
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text
