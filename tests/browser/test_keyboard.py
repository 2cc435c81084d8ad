"""Nobody needs a mouse: signing in, moving about, making a key, answering a dialog."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.crowd import CUSTOMER, Crowd
from tests.browser.keys import at, follow, must_come_to, tab_to, type_into, within
from tests.browser.layout import axe_faults, layout_faults
from tests.browser.people import PASSWORD, Look, session_of, somebody
from tests.browser.stage import Stage

LOOKS = (Look("en", "dark", 1440), Look("zh_Hans", "light", 390))


@pytest.fixture(params=LOOKS, ids=str)
def page(
    request: pytest.FixtureRequest, chromium: Browser, crowded: tuple[Stage, Crowd]
) -> Iterator[Page]:
    with somebody(chromium, crowded[0], request.param) as person:
        yield person.page


@pytest.fixture
def console(
    chromium: Browser, crowded: tuple[Stage, Crowd], request: pytest.FixtureRequest
) -> Iterator[Page]:
    stage, crowd = crowded
    look = getattr(request, "param", LOOKS[0])
    with somebody(chromium, stage, look, session_of(stage, crowd.customer)) as person:
        yield person.page


def test_from_the_door_to_a_key(page: Page) -> None:
    page.goto("/sign-in")
    must_come_to(page, "input[name=email]")
    page.keyboard.type(CUSTOMER)
    type_into(page, "input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console")
    follow(page, ".side a[href='/console/keys']", "**/console/keys")
    follow(page, "main a[href='/console/keys/new']", "**/console/keys/new")
    name = f"by keyboard {page.viewport_size['width']}"
    type_into(page, "input[name=name]", name)
    tab_to(page, "input[name=channel]:checked")
    page.keyboard.press("ArrowDown")
    must_come_to(page, "input[name=channel]:checked:not([value=auto])")
    type_into(page, "input[name=limit]", "2.50")
    tab_to(page, "details > summary")
    page.keyboard.press("Enter")
    expect(page.locator("textarea[name=ips]")).to_be_visible()
    type_into(page, "textarea[name=ips]", "192.0.2.1")
    tab_to(page, "form[action='/console/keys'] button[type=submit]")
    page.keyboard.press("Space")
    expect(page.locator("#secret")).to_be_visible()
    tab_to(page, "button[data-copy=secret]")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.keyboard.press("Space")
    expect(page.locator("button[data-copy=secret]")).to_have_text(
        page.locator("button[data-copy=secret]").get_attribute("data-copied") or ""
    )
    tab_to(page, ".side a[href='/console/wallet']", "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/wallet")


def test_the_first_stop_leads_past_the_navigation(console: Page) -> None:
    console.goto("/console/usage")
    console.keyboard.press("Tab")
    assert at(console, "a.skip[href='#main']")
    expect(console.locator("a.skip")).to_be_in_viewport()
    console.keyboard.press("Enter")
    console.keyboard.press("Tab")
    assert within(console, "#main")


def test_a_receipt_opens_and_closes(console: Page) -> None:
    console.goto("/console/usage")
    tab_to(console, "a[data-unfold]")
    console.keyboard.press("Enter")
    expect(console.locator(".unfolded .receipt")).to_be_visible()
    tab_to(console, ".unfolded .sheet")
    tab_to(console, "a[data-unfold][aria-expanded=true]", "Shift+Tab")
    console.keyboard.press("Enter")
    expect(console.locator(".unfolded .receipt")).to_be_hidden()


@pytest.mark.parametrize("console", LOOKS, ids=str, indirect=True)
def test_a_dialog_keeps_the_focus_and_gives_it_back(console: Page) -> None:
    console.goto("/console/keys")
    console.get_by_role("link", name="laptop 2", exact=True).click()
    button = "button[commandfor=ask-disable]"
    tab_to(console, button)
    console.keyboard.press("Enter")
    dialog = console.locator("dialog#ask-disable")
    expect(dialog).to_be_visible()
    assert within(console, "dialog#ask-disable")
    assert layout_faults(console) == [] and axe_faults(console) == []
    for key in ("Tab",) * 6 + ("Shift+Tab",) * 6:
        console.keyboard.press(key)
        # From the last stop the browser's own bar comes next: no part of the page behind.
        assert within(console, "dialog#ask-disable") or at(console, "body")
    console.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    must_come_to(console, button)


def test_a_dialog_is_answered(console: Page) -> None:
    console.goto("/console/keys")
    console.get_by_role("link", name="laptop 4", exact=True).click()
    for question, state in (("ask-disable", "0"), (None, "1")):
        if question:
            tab_to(console, f"button[commandfor={question}]")
            console.keyboard.press("Space")
            tab_to(console, f"dialog#{question} button[type=submit]")
        else:
            tab_to(console, "form[action$='/state'] button[type=submit]")
        with console.expect_navigation():
            console.keyboard.press("Enter")
        opener = console.locator("button[commandfor=ask-disable][command=show-modal]")
        assert opener.count() == int(state)
