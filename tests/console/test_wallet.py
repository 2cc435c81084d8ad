"""The wallet says exactly what is there and what came and went; codes are redeemed once, guessed slowly."""

import re

import httpx2
import pytest

from tests.console.calls import USED, Till
from tests.services.at_the_door import row_of
from tests.services.pages import House
from tollbridge.billing.statement_html import POLICY
from tollbridge.billing.verify import verify
from tollbridge.core.clock import now_ms
from tollbridge.core.zones import day_at, zone_of
from tollbridge.identity.audit import SHELL
from tollbridge.people.redeeming import Batch, make_codes, revoke_batch
from tollbridge.storage.purse_reads import figures_of
from tollbridge.storage.unit_of_work import reading, working

WALLET = "/console/wallet"
USD = 1_000_000_000
WRONG = "This code cannot be used."


def this_month() -> str:
    return day_at(zone_of("UTC"), now_ms()).strftime("%Y-%m")


async def codes(
    house: House, name: str, count: int = 1, expires_ms: int | None = None
) -> list[str]:
    batch = Batch(name, count, 2_500_000_001, expires_ms=expires_ms)
    async with working(house.engine) as connection:
        return await make_codes(connection, house.secrets, SHELL, batch, now_ms())


async def redeem(browser: httpx2.AsyncClient, code: str) -> httpx2.Response:
    return await browser.post(f"{WALLET}/redeem", data={"code": code})


async def test_an_empty_wallet(house: House):
    ann = await house.user()
    async with house.browser(ann) as browser:
        page = await browser.get(WALLET)
    assert page.status_code == 200
    assert "$0.00" in page.text and "There is none." in page.text
    assert "below $2.00" in page.text, "what the site tells everybody at"
    async with house.browser() as nobody:
        assert (await nobody.get(WALLET)).headers["location"].startswith("/sign-in")


async def test_a_code_is_credit_with_a_line_and_a_lot(house: House):
    ann = await house.user(credit=USD)
    [code] = await codes(house, "spring")
    async with house.browser(ann) as browser:
        done = await redeem(browser, f" {code.lower()} ")
        assert (done.status_code, done.headers["location"]) == (303, WALLET)
        page = (await browser.get(WALLET)).text
        again = await redeem(browser, code)
    assert "$3.500000001" in page and "+$2.500000001" in page
    assert page.count("Redeemed code") == 2
    assert again.status_code == 422 and "already" in again.text
    assert [one for one in await verify(house.engine, full=True) if one.fatal] == []


async def test_every_wrong_code_is_told_the_same(house: House):
    ann, bob = await house.user(), await house.user("bob@example.com")
    used, revoked = (*await codes(house, "used"), *await codes(house, "revoked"))
    expired = (await codes(house, "expired", expires_ms=1))[0]
    async with working(house.engine) as connection:
        await revoke_batch(connection, SHELL, "revoked", now_ms())
    async with house.browser(bob) as browser:
        assert (await redeem(browser, used)).status_code == 303
    pages = []
    async with house.browser(ann) as browser:
        for code in (used, revoked, expired, "nothing", "tbr_" + "Z" * 24):
            answer = await redeem(browser, code)
            assert answer.status_code == 422 and WRONG in answer.text
            pages.append(re.sub(r'value="[^"]*"', "", answer.text))
    assert len(set(pages)) == 1
    wallet_id = (await row_of(house, ann))["wallet_id"]
    async with reading(house.engine) as connection:
        assert (await figures_of(connection, [wallet_id]))[wallet_id].available == 0


async def test_guessing_codes_is_slow(house: House):
    ann = await house.user()
    async with house.browser(ann) as browser:
        found = [(await redeem(browser, f"guess {n}")).status_code for n in range(6)]
    assert found == [422] * 5 + [429]


async def test_many_users_of_one_address_guess_no_faster(house: House):
    found = []
    for n in range(3):
        user = await house.user(f"u{n}@example.com")
        async with house.browser(user) as browser:
            found += [(await redeem(browser, f"guess {n}")).status_code for _ in range(4)]
    assert found == [422] * 10 + [429] * 2


async def test_what_calls_cost_is_a_line_a_day_as_on_the_statement(house: House):
    till = await Till(house).open()
    for _ in range(3):
        await till.call(USED)
    await till.catch_up()
    ada = await till.user()
    month = this_month()
    async with house.browser(ada["id"]) as browser:
        page = await browser.get(WALLET)
        csv = await browser.get(f"{WALLET}/statement/{month}.csv")
        html = await browser.get(f"{WALLET}/statement/{month}.html")
        pdf = await browser.get(f"{WALLET}/statement/{month}.pdf")
    assert "3 calls" in page.text
    charge = re.search(r"Summary,,Charges of calls,,3,-([0-9.]+)", csv.text)
    assert charge and f"-${charge[1]}" in page.text
    assert html.headers.get_list("content-security-policy") == [POLICY]
    assert pdf.content.startswith(b"%PDF") and html.headers["cache-control"] == "no-store"


async def test_a_statement_is_ones_own(house: House):
    ann, eve = await house.user(credit=7 * USD), await house.user("eve@example.com")
    for user, email, other in ((ann, "ann@", "eve@"), (eve, "eve@", "ann@")):
        async with house.browser(user) as browser:
            shown = (await browser.get(f"{WALLET}/statement/{this_month()}.html")).text
        assert email in shown and other not in shown
        assert ("7.00" in shown) is (user == ann)


@pytest.mark.parametrize(
    "path",
    [
        "/statement/2026-13.csv",
        "/statement/2099-12.csv",
        "/statement/2026-01.json",
        "/statement/2026-01.exe",
        "/statement/x",
        "/statement/..%2f2026-01.csv",
        "?month=2026-13",
        "?month=2099-01",
        "?month=now",
        "?upto=-1",
        "?upto=x",
        "?upto=%C2%B2",
    ],
)
async def test_months_that_are_none(house: House, path: str):
    ann = await house.user()
    async with house.browser(ann) as browser:
        assert (await browser.get(WALLET + path)).status_code == 404


async def test_the_page_says_who_adds_credit_and_what_is_told(house: House):
    ann = await house.user(budget_nano=5 * USD, budget_period="week", low_balance_nano=USD)
    await house.set_site(contact_email="help@site.test")
    async with house.browser(ann) as browser:
        page = (await browser.get(WALLET)).text
    assert "help@site.test" in page and "$5.00 a week" in page and "below $1.00" in page
