"""One account: testing, recovering, taking out of use and back, signing in; each with its line."""

import pytest

from tests.backoffice.filled import page, rows, send
from tests.backoffice.test_accounts import (
    ACCOUNT,
    CHANNEL,
    SIGNS_IN,
    applied,
    boss_of,
    home_of,
)
from tests.people.operators import noted
from tests.services.pages import House
from tollbridge.api.apply import apply
from tollbridge.catalog.finding import Finding
from tollbridge.storage.tables import accounts


async def account_of(house: House) -> str:
    await applied(house, CHANNEL + ACCOUNT)
    return await home_of(house)


async def test_a_test_shows_what_it_found(house: House) -> None:
    boss, home = await boss_of(house), await account_of(house)
    answer = await send(house, boss, f"{home}/test", {"model": "gpt-5.4"})
    assert answer.status_code == 200 and "no credential to be tested" in answer.text
    house.found = Finding("rate_limited", 429, 340, "/v1/x", said="<slow>", trouble="rate_limited")
    answer = await send(house, boss, f"{home}/test", {"model": ""})
    assert "It failed" in answer.text and "&lt;slow&gt;" in answer.text and "340 ms" in answer.text
    assert "Rate limited" in answer.text
    house.found = Finding("ok", 200, 12, "/v1/x", "m", "sent")
    async with house.browser(boss) as browser:
        part = await browser.post(
            f"{home}/test", data={"model": "m"}, headers={"hx-request": "true"}
        )
    assert "It works" in part.text and "<html" not in part.text and "→ sent" in part.text
    account_id = int(home.rpartition("/")[2])
    assert house.tested == [(account_id, "gpt-5.4"), (account_id, None), (account_id, "m")]
    assert [line[0] for line in await noted(house)] == ["account.test"] * 3


async def test_out_of_use_and_back(house: House) -> None:
    boss, home = await boss_of(house), await account_of(house)
    answer = await send(house, boss, f"{home}/disable", {"reason": " "})
    assert answer.status_code == 422 and 'id="d-reason" role="alert"' in answer.text
    await send(house, boss, f"{home}/disable", {"reason": "bill unpaid"})
    text = (await page(house, boss, home))[1]
    assert "Disabled: bill unpaid" in text and f'action="{home}/enable"' in text
    await house.refresh()
    [channel] = house.snapshot.channels.values()
    assert not channel.accounts
    await send(house, boss, f"{home}/enable", {"go": "1"})
    [row] = await rows(house, accounts)
    assert row["disabled_reason"] == "" and row["recovered_ms"] > 0
    await send(house, boss, f"{home}/recover", {"go": "1"})
    [again] = await rows(house, accounts)
    assert again["recovered_ms"] > row["recovered_ms"]
    assert [(line[0], line[2]) for line in await noted(house)] == [
        ("account.disable", {"reason": "bill unpaid"}),
        ("account.enable", {}),
        ("account.recover", {}),
    ]


async def test_what_the_file_switched_off_can_be_enabled(house: House) -> None:
    boss = await boss_of(house)
    await applied(house, CHANNEL + ACCOUNT)
    home = await home_of(house)
    await apply(house.engine, house.secrets, CHANNEL, environ={}, prune=True)
    assert "Switched off" in (await page(house, boss, "/backoffice/accounts"))[1]
    await send(house, boss, f"{home}/enable", {"go": "1"})
    assert [row["enabled"] for row in await rows(house, accounts)] == [True]


async def test_signing_in(house: House) -> None:
    boss, home = await boss_of(house), await account_of(house)
    form = {f"oauth_{name}": value for name, value in SIGNS_IN.items()}
    for name, value in (("token_url", "http://10.0.0.1/t"), ("refresh_token", "")):
        answer = await send(house, boss, f"{home}/oauth", form | {f"oauth_{name}": value})
        assert answer.status_code == 422 and f'id="d-oauth_{name}" role="alert"' in answer.text
        assert "CANARY" not in answer.text
    assert [row["auth"] for row in await rows(house, accounts)] == ["secret"]
    assert (await send(house, boss, f"{home}/oauth", form)).status_code == 303
    assert [row["auth"] for row in await rows(house, accounts)] == ["oauth"]
    [(action, _, detail)] = await noted(house)
    assert action == "account.sign_in" and detail["after"]["refresh_token"] == "changed"
    assert "CANARY" not in (await page(house, boss, home))[1]


@pytest.mark.parametrize("part", ["test", "recover", "enable", "disable", "oauth"])
async def test_no_such_account(house: House, part: str) -> None:
    boss = await boss_of(house)
    form = {"reason": "x", **{f"oauth_{name}": value for name, value in SIGNS_IN.items()}}
    for name in ("7", "x"):
        answer = await send(house, boss, f"/backoffice/accounts/{name}/{part}", form)
        assert answer.status_code == 404
    assert await noted(house) == []
