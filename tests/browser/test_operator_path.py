"""The way of who runs a site: the link in the log, an account, a channel, prices; later credit, a
reversal, a suspension."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.customer import copied, makes_a_key, signs_up
from tests.browser.layout import in_order
from tests.browser.people import PASSWORD, Look, Person, press, somebody
from tests.browser.shell import in_bash
from tests.browser.stage import Stage, waited

LOOKS = (Look("en", "light", 1440), Look("zh_Hans", "dark", 390))
OPERATOR, CUSTOMER = "operator@example.com", "customer@example.com"
FIRST, SECOND = "gpt-5.4", "claude-haiku-4-5"
_LINK = re.compile(r"http://\S+/setup\?token=\S+")
_BUTTON = "button[type=submit]"


@pytest.fixture
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Serve a site that nobody has set up."""
    with Stage(tmp_path_factory.mktemp("bare")).serving(bare=True) as stage:
        yield stage


@pytest.mark.timeout(240)
@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_from_the_link_in_the_log_to_a_suspension(
    look: Look, chromium: Browser, bare: Stage
) -> None:
    with somebody(chromium, bare, look) as operator, somebody(chromium, bare, look) as customer:
        sets_up(operator.page, bare)
        adds_a_channel(operator.page, bare)
        imports_prices(operator.page)
        tid, typed = is_called(customer, bare)
        gives_back(operator.page, customer.page, bare, tid)
        suspends(operator.page, customer.page, bare, typed)
        assert operator.heard() == []
    bare.gateway.verify()


def sets_up(page: Page, stage: Stage) -> None:
    found = _LINK.search(stage.gateway.log.read_text())
    assert found, "no link in the log"
    page.goto(found[0])
    in_order(page)
    for name, value in (
        ("email", OPERATOR), ("password", PASSWORD), ("site", "My Gateway"), ("bonus", "1.00"),
    ):  # fmt: skip
        page.locator(f"input[name={name}]").fill(value)
    page.locator("select[name=sign_up]").select_option("open")
    press(page, f"form[action='/setup'] {_BUTTON}")
    page.wait_for_url("**/setup/channel")
    in_order(page)
    press(page, "a[href='/setup/channel?platform=openai']")
    in_order(page)
    page.locator("input[name=base_url]").fill(stage.vendor)
    page.locator("input[name=secret]").fill("vendor-secret")
    page.locator(f"input[name=model][value='{FIRST}']").check()
    press(page, f"form[action='/setup/channel'] {_BUTTON}")
    page.wait_for_url("**/setup/test")
    press(page, f"form[action='/setup/test'] {_BUTTON}")
    expect(page.locator("[data-tone=good]").first).to_be_visible()
    in_order(page)
    press(page, "a[href='/setup/prices']")
    expect(page.locator("form[action='/setup/prices']")).to_contain_text(FIRST)
    in_order(page)
    press(page, f"form[action='/setup/prices'] {_BUTTON}")
    page.wait_for_url("**/backoffice")
    # The link was good once.
    assert page.request.get(found[0]).status == 404


def adds_a_channel(page: Page, stage: Stage) -> None:
    """Make a second channel with an account, and test it."""
    page.goto("/backoffice/channels/new")
    page.locator("input[name=name]").fill("anthropic-half")
    page.locator("select[name=platform]").select_option("anthropic")
    page.locator("input[name=multiplier]").fill("0.5")
    page.locator("textarea[name=models]").fill(SECOND)
    press(page, f"form[action='/backoffice/channels/new'] {_BUTTON}")
    page.wait_for_url(re.compile(r"/backoffice/channels/\d+$"))
    press(page, "a[href^='/backoffice/accounts/new']")
    page.locator("input[name=name]").fill("one")
    page.locator("input[name=base_url]").fill(stage.vendor)
    page.locator("input[name=secret]").fill("vendor-secret")
    press(page, f"form[action='/backoffice/accounts/new'] {_BUTTON}")
    page.wait_for_url(re.compile(r"/backoffice/accounts/\d+$"))
    assert "vendor-secret" not in page.content()
    page.locator(f"form[action$='/test'] {_BUTTON}").click()
    expect(
        page.locator("#finding [data-tone=good], #finding[data-tone=good]").first
    ).to_be_visible()
    in_order(page)


def imports_prices(page: Page) -> None:
    """Sell another model at a made-up price, then take the published one after a look at both."""
    page.goto("/backoffice/models/new")
    page.locator("input[name=name]").fill(SECOND)
    page.locator("input[name=context]").fill("200000")
    page.locator("input[name=max_output]").fill("32768")
    page.locator("input[name=input]").fill("77.00")
    page.locator("input[name=output]").fill("88.00")
    in_order(page)
    press(page, f"form[action='/backoffice/models/new'] {_BUTTON}")
    page.wait_for_url(re.compile(r"/backoffice/models/\d+$"))
    page.goto("/backoffice/prices")
    expect(page.locator("main")).to_contain_text("$77.00")
    in_order(page)
    page.locator(f"input[name=take][value$=' {SECOND}']").check()
    press(page, f"form[action='/backoffice/prices'][method=post] {_BUTTON}")
    page.wait_for_load_state()
    expect(page.locator(f"input[name=take][value$=' {SECOND}']")).to_have_count(0)


def is_called(person: Person, stage: Stage) -> tuple[str, str]:
    """Let a customer come, make a key and a call; return its trace id and what was typed."""
    page = person.page
    person.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=stage.url)
    signs_up(page, stage, CUSTOMER)
    page.goto("/console/keys/new")
    makes_a_key(page)
    text = copied(page, "config-curl")
    assert json.loads(in_bash(text))["choices"]

    def listed() -> str | None:
        rows = stage.gateway.rows(
            "SELECT tid FROM call_index JOIN users ON users.id = user_id WHERE email = ?", CUSTOMER
        )
        return rows[0]["tid"] if rows else None

    return waited(listed, "the call is not listed"), text


def balance(page: Page) -> Decimal:
    page.goto("/console/wallet")
    text = page.locator("dl.figures dd").first.inner_text()
    return Decimal(re.sub(r"[^0-9.]", "", text.split("\n")[0]))


def gives_back(page: Page, theirs: Page, stage: Stage, tid: str) -> None:
    assert balance(theirs) < 1
    page.goto(f"/backoffice/requests?user={CUSTOMER}")
    press(page, f"a[href='/backoffice/requests/{tid}']")
    in_order(page)
    page.locator("#reverse input[name=reason]").fill("The answer was cut off.")
    press(page, f"#reverse {_BUTTON}")
    expect(page.locator("#reverse")).to_have_count(0)
    assert balance(theirs) == 1
    page.goto("/backoffice/audit")
    expect(page.locator("main")).to_contain_text("The answer was cut off.")


def suspends(page: Page, theirs: Page, stage: Stage, typed: str) -> None:
    page.goto("/backoffice/users?q=customer")
    page.get_by_role("link", name=CUSTOMER).first.click()
    page.locator("form[action$='/suspend'] input[name=suspend_reason]").fill("Resold the key.")
    press(page, f"form[action$='/suspend'] {_BUTTON}")
    expect(page.locator("form[action$='/unsuspend']")).to_be_visible()
    in_order(page)
    waited(lambda: "suspended" in in_bash(typed) or None, "the key is still taken")
    theirs.goto("/console/keys")
    assert "/sign-in" in theirs.url
    stage.letter(CUSTOMER, "Resold the key.")
