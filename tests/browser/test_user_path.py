"""The way of somebody new: sign up, a letter, one dollar, a key, a call from the clipboard, its receipt."""

import csv
import json
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.customer import copied, makes_a_key, signs_up
from tests.browser.layout import layout_faults
from tests.browser.people import Look, somebody
from tests.browser.shell import in_bash, in_python
from tests.browser.stage import Stage, waited
from tests.browser.sums import recomputed

LOOKS = (Look("en", "light", 1440), Look("zh_Hans", "dark", 390))
# What a clipboard's text is run by, and what it must have printed.
PYTHON = {"openai-python", "anthropic-python", "genai-python"}
EXPORTS = {"claude-code": "ANTHROPIC_AUTH_TOKEN", "codex-key": "TOLLBRIDGE_API_KEY"}
# No library of this language here, and a form of a desktop program.
READ_ONLY = {"openai-node", "cursor"}
CALLS = 1 + len(PYTHON)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_from_sign_up_to_the_receipt(
    look: Look, chromium: Browser, stage: Stage, tmp_path: Path
) -> None:
    address = f"new-{look.language.lower()}@example.com"
    with somebody(chromium, stage, look) as person:
        person.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=stage.url)
        page = person.page
        signs_up(page, stage, address)
        has_a_dollar(page, stage, address)
        page.goto("/console")
        page.locator(".steps a[href='/console/keys/new']").click()
        makes_a_key(page)
        assert layout_faults(page) == []
        calls(page)
        charge = unfolds_the_receipt(page)
        in_the_file(page, stage, tmp_path / "usage.csv", charge)
        assert page.locator("html").get_attribute("lang") == look.language.replace("_", "-")
        assert person.heard() == []


def has_a_dollar(page: Page, stage: Stage, address: str) -> None:
    steps = page.locator(".steps > .step")
    assert [one.get_attribute("data-done") for one in steps.all()] == ["yes", "yes", "no"]
    lines = stage.gateway.rows(
        "SELECT journal.amount FROM journal JOIN users"
        " ON journal.credit = 'wallet:' || users.wallet_id WHERE users.email = ?",
        address,
    )
    assert lines == [{"amount": 1_000_000_000}]
    page.goto("/console/wallet")
    expect(page.locator("dl.figures").first).to_contain_text("$1.00")


def calls(page: Page) -> None:
    secret = page.locator("#secret").inner_text()
    page.evaluate("window.sameDocument = true")
    expect(page.locator("#first-call")).not_to_have_attribute("data-tone", "good")
    answer = json.loads(in_bash(copied(page, "config-curl")))
    assert answer["choices"][0]["message"]["content"]
    expect(page.locator("#first-call[data-tone=good]")).to_be_visible(timeout=30_000)
    assert page.evaluate("window.sameDocument") is True
    shown = {one.get_attribute("id") for one in page.locator("pre[id^='config-']").all()}
    wanted = {"curl", "codex-file", *PYTHON, *EXPORTS, *READ_ONLY}
    assert shown == {f"config-{name}" for name in wanted}
    for name in sorted(PYTHON):
        assert in_python(copied(page, f"config-{name}")).strip()
    for name, variable in EXPORTS.items():
        text = copied(page, f"config-{name}")
        assert in_bash(f'{text}\nprintf %s "${variable}"') == secret
    provider = tomllib.loads(copied(page, "config-codex-file"))["model_providers"]["tollbridge"]
    assert provider["env_key"] == EXPORTS["codex-key"]
    for name in READ_ONLY:
        assert secret in copied(page, f"config-{name}")


def unfolds_the_receipt(page: Page) -> tuple[str, Decimal]:
    """Return the trace id of a call and what it cost, worked out from what is shown."""

    def listed() -> bool | None:
        page.goto("/console/usage")
        return page.locator("a[data-unfold]").count() == CALLS or None

    waited(listed, "the calls are not listed")
    link = page.locator("a[data-unfold]").last
    link.click()
    receipt = page.locator(".unfolded .receipt")
    expect(receipt).to_be_visible()
    assert link.get_attribute("aria-expanded") == "true"
    made, charge = recomputed(receipt)
    assert made == charge > 0
    assert layout_faults(page) == []
    tid = receipt.locator("code").first.inner_text()
    link.click()
    expect(receipt).to_be_hidden()
    return tid, charge


def in_the_file(page: Page, stage: Stage, file: Path, charged: tuple[str, Decimal]) -> None:
    with page.expect_download() as coming:
        page.locator("a[href^='/console/usage.csv']").click()
    coming.value.save_as(file)
    with file.open(encoding="utf-8-sig", newline="") as text:
        rows = {row["trace_id"]: row for row in csv.DictReader(text)}
    assert len(rows) == CALLS
    tid, charge = charged
    assert Decimal(rows[tid]["charge_usd"]) == charge
    wallet = stage.gateway.rows(
        "SELECT available FROM purse JOIN users ON purse.id = users.wallet_id"
        " JOIN usage ON usage.user_id = users.id WHERE usage.tid = ?",
        tid,
    )
    spent = sum(Decimal(row["charge_usd"]) for row in rows.values())
    assert int(spent * 10**9) == 10**9 - wallet[0]["available"]
