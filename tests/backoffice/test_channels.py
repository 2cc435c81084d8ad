"""Channels on their pages: what a page writes is what `apply` writes, and who may."""

from typing import Any

import pytest
from sqlalchemy import select

from tests.backoffice.filled import form_in, page, rows, send
from tests.catalog.sample import ENVIRON
from tests.people.operators import noted, version
from tests.services.pages import House
from tollbridge.api.apply import apply
from tollbridge.storage.tables import accounts, channels
from tollbridge.storage.unit_of_work import reading

FILE = """
[[channel]]
name = "main"
platform = "openai"
surfaces = ["chat", "responses"]
models = ["gpt-5.4", "o9-*", "a,b"]
multiplier = "0.15"
capabilities = ["images"]
client_policy = "codex"
groups = ["default", "v,i p"]
proxy = "http://me:CANARY-proxy@9.9.9.9:3128"
rpm = 600
tpm = 2000000
concurrency = 64
requires_telegram = true
mapping = {"gpt-5.4" = "vendor=5,4", "x-*" = "y"}
peak = {from = "09:00", to = "18:30", zone = "Asia/Shanghai", days = ["mon", "fri"], factor = "1.5"}
"""
ACCOUNT = """
[[channel.account]]
name = "one"
base_url = "https://api.example.com"
secret = "CANARY-secret"
"""
FORM: dict[str, Any] = {
    "name": "main",
    "platform": "openai",
    "surfaces": ["chat", "responses"],
    "models": "gpt-5.4\r\no9-*\r\n\r\na,b",
    "multiplier": "0.15",
    "capabilities": "images",
    "client_policy": "codex",
    "groups": "default\nv,i p",
    "proxy": "http://me:CANARY-proxy@9.9.9.9:3128",
    "rpm": "600",
    "tpm": "2000000",
    "concurrency": "64",
    "requires_telegram": "1",
    "mapping": "gpt-5.4 = vendor=5,4\nx-* = y",
    "peak_from": "09:00",
    "peak_to": "18:30",
    "peak_zone": "Asia/Shanghai",
    "peak_days": ["mon", "fri"],
    "peak_factor": "1.5",
}
NEW = "/backoffice/channels/new"


async def boss_of(house: House) -> int:
    return await house.user("boss@example.com", "admin")


async def applied(house: House, text: str) -> None:
    await apply(house.engine, house.secrets, text, environ=ENVIRON)
    await house.refresh()


async def channel_id(house: House) -> int:
    async with reading(house.engine) as connection:
        return int((await connection.execute(select(channels.c.id))).scalar_one())


async def test_a_page_makes_what_apply_makes(house: House) -> None:
    boss = await boss_of(house)
    answer = await send(house, boss, NEW, FORM)
    assert answer.status_code == 303, answer.text
    made = await rows(house, channels)
    # The file finds nothing to change in what the page made, so both made the same.
    report = await apply(house.engine, house.secrets, FILE, environ=ENVIRON)
    assert not report.changed
    assert made == await rows(house, channels)
    [(action, _, detail)] = await noted(house)
    assert (action, detail["before"], detail["after"]["rpm"]) == ("channel.make", {}, 600)
    assert detail["after"]["proxy"] == "set"


@pytest.mark.parametrize(
    "text",
    [
        FILE + ACCOUNT,
        '[[channel]]\nname = "g"\nplatform = "gemini"\nmodels = []\nsurfaces = ["*"]\ngroups = []',
        '[[channel]]\nname = "%(x)s"\nplatform = "anthropic"\nmodels = ["<b>&\'"]',
    ],
)
async def test_a_form_sent_back_unchanged_changes_nothing(house: House, text: str) -> None:
    boss = await boss_of(house)
    await applied(house, text)
    before = await rows(house, channels)
    home = f"/backoffice/channels/{await channel_id(house)}"
    async with house.browser(boss) as browser:
        was = await version(house)
        fields = form_in((await browser.get(home)).text, home)
        assert (await browser.post(home, data=fields)).status_code == 303
        assert await version(house) == was
    assert await rows(house, channels) == before and await noted(house) == []


async def test_a_change_is_that_of_the_file_and_is_noted(house: House) -> None:
    boss = await boss_of(house)
    await applied(house, FILE)
    home = f"/backoffice/channels/{await channel_id(house)}"
    fields = form_in((await page(house, boss, home))[1], home)
    await send(house, boss, f"{home}/switch", {"enabled": "0"})
    await send(house, boss, home, fields | {"multiplier": "0.2", "no_proxy": "1"})
    [changed] = await rows(house, channels)
    assert changed["enabled"] is False and changed["proxy"] == ""
    assert [(action, detail) for action, _, detail in await noted(house)] == [
        ("channel.disable", {"before": {"enabled": True}, "after": {"enabled": False}}),
        (
            "channel.change",
            {
                "before": {"multiplier_num": 3, "multiplier_den": 20, "proxy": "set"},
                "after": {"multiplier_num": 1, "multiplier_den": 5, "proxy": "none"},
            },
        ),
    ]
    await send(house, boss, f"{home}/switch", {"enabled": "1"})
    text = FILE.replace('"0.15"', '"0.2"').replace(
        'proxy = "http://me:CANARY-proxy@9.9.9.9:3128"\n', ""
    )
    assert not (await apply(house.engine, house.secrets, text, environ=ENVIRON)).changed


async def test_another_proxy_takes_the_secrets_that_it_would_carry(house: House) -> None:
    boss = await boss_of(house)
    await applied(house, FILE + ACCOUNT)
    home = f"/backoffice/channels/{await channel_id(house)}"
    fields = form_in((await page(house, boss, home))[1], home)
    moved = fields | {"proxy": "http://8.8.8.8:3128"}
    answer = await send(house, boss, home, moved)
    assert answer.status_code == 422 and 'name="clear_secrets"' in answer.text
    assert [row["secret"] for row in await rows(house, accounts)] == ["CANARY-secret"]
    assert (await send(house, boss, home, moved | {"clear_secrets": "1"})).status_code == 303
    assert [row["secret"] for row in await rows(house, accounts)] == [""]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", "a b"), ("name", "auto"), ("platform", "x"), ("surfaces", ["x"]),
        ("models", "a b"), ("models", "a*b"), ("models", "a\na"), ("multiplier", "0"),
        ("multiplier", "x"), ("client_policy", "x"), ("groups", "a\na"), ("rpm", "x"),
        ("rpm", "-1"), ("mapping", "a"), ("mapping", "a = b\na = c"), ("mapping", "a*b = c"),
        ("proxy", "ftp://x"), ("proxy", "http://10.0.0.1:3128"), ("proxy", "http://169.254.169.254"),
        ("peak_from", "25:00"), ("peak_to", ""), ("peak_to", "09:00"), ("peak_zone", "Mars/One"),
        ("peak_days", []), ("peak_factor", "0"),
    ],
)  # fmt: skip
async def test_what_is_refused_is_told_beside_its_field(
    house: House, field: str, value: Any
) -> None:
    boss = await boss_of(house)
    answer = await send(house, boss, NEW, FORM | {field: value})
    assert answer.status_code == 422
    blamed = f'id="d-{field}" role="alert"' in answer.text
    assert blamed or (not value and "alert" in answer.text), field
    assert await rows(house, channels) == [] and await noted(house) == []
    assert "CANARY" not in answer.text


async def test_a_name_is_there_once(house: House) -> None:
    boss = await boss_of(house)
    await send(house, boss, NEW, FORM)
    assert (await send(house, boss, NEW, FORM)).status_code == 422
    assert len(await rows(house, channels)) == 1


@pytest.mark.parametrize("role", ["staff", "user"])
async def test_only_admins_change_and_staff_look(house: House, role: str) -> None:
    who = await house.user("who@example.com", role)
    await applied(house, FILE + ACCOUNT)
    home = f"/backoffice/channels/{await channel_id(house)}"
    for path in (NEW, home, f"{home}/switch"):
        assert (await send(house, who, path, FORM)).status_code == 404
    for path in ("/backoffice/channels", home):
        status, text = await page(house, who, path)
        assert status == (200 if role == "staff" else 404)
        assert 'method="post" action="/backoffice' not in text and "CANARY" not in text
    assert (await page(house, who, NEW))[0] == 404


async def test_the_list_tells_how_channels_are(house: House) -> None:
    boss = await boss_of(house)
    assert "No channels yet" in (await page(house, boss, "/backoffice/channels"))[1]
    await applied(house, FILE + ACCOUNT)
    status, text = await page(house, boss, "/backoffice/channels")
    assert status == 200 and "0.15</td>" in text and "1 / 1" in text and "v,i p" in text
    assert (await page(house, boss, "/backoffice/channels/7"))[0] == 404
    assert (await page(house, boss, "/backoffice/channels/x"))[0] == 404
