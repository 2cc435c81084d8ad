"""Accounts on their pages: what a page writes is what `apply` writes; secrets stay out of sight."""

from typing import Any

import pytest
from sqlalchemy import select

from tests.backoffice.filled import form_in, page, rows, send
from tests.catalog.sample import ENVIRON
from tests.people.operators import noted
from tests.services.pages import House
from tollbridge.api.apply import apply
from tollbridge.catalog.token_rows import read_token
from tollbridge.storage.account_states import find_account
from tollbridge.storage.tables import accounts, channels
from tollbridge.storage.unit_of_work import reading

CHANNEL = """
[[channel]]
name = "main"
platform = "openai"
models = ["gpt-5.4"]
"""
ACCOUNT = """
[[channel.account]]
name = "one"
base_url = "https://api.example.com/sub"
secret = "CANARY-secret"
weight = 10
priority = -2
compatible = true
cost = "0.5"
proxy = "http://me:CANARY-proxy@9.9.9.9:3128"
rpm = 5
concurrency = 4
mapping = {"gpt-5.4" = "x"}
headers = {x-pass = "CANARY-header"}
params = {top_k = 40, deep = {a = [1, "b"]}}
params_drop = ["user"]
"""
FORM: dict[str, Any] = {
    "name": "one",
    "base_url": "https://api.example.com/sub",
    "auth": "secret",
    "secret": "CANARY-secret",
    "weight": "10",
    "priority": "-2",
    "compatible": "1",
    "cost": "0.5",
    "proxy": "http://me:CANARY-proxy@9.9.9.9:3128",
    "rpm": "5",
    "tpm": "",
    "concurrency": "4",
    "mapping": "gpt-5.4 = x",
    "headers": "X-Pass: CANARY-header",
    "params": '{"deep": {"a": [1, "b"]}, "top_k": 40}',
    "params_drop": "user",
}
SIGNS_IN = {
    "token_url": "https://sign.example.com/token",
    "client_id": "us",
    "client_secret": "CANARY-client",
    "scope": "all",
    "style": "form",
    "refresh_token": "CANARY-refresh",
}
NEW = "/backoffice/accounts/new"


async def boss_of(house: House) -> int:
    return await house.user("boss@example.com", "admin")


async def applied(house: House, text: str) -> None:
    await apply(house.engine, house.secrets, text, environ=ENVIRON)
    await house.refresh()


async def channel_id(house: House) -> str:
    async with reading(house.engine) as connection:
        return str((await connection.execute(select(channels.c.id))).scalar_one())


async def home_of(house: House, name: str = "one") -> str:
    async with reading(house.engine) as connection:
        return f"/backoffice/accounts/{await find_account(connection, 'main', name)}"


async def test_a_page_makes_what_apply_makes(house: House) -> None:
    boss = await boss_of(house)
    await applied(house, CHANNEL)
    answer = await send(house, boss, NEW, FORM | {"channel": await channel_id(house)})
    assert answer.status_code == 303, answer.text
    [made] = await rows(house, accounts)
    report = await apply(house.engine, house.secrets, CHANNEL + ACCOUNT, environ=ENVIRON)
    assert not report.changed and [made] == await rows(house, accounts)
    assert (made["secret"], made["headers"]) == ("CANARY-secret", '{"x-pass":"CANARY-header"}')
    [(action, _, detail)] = await noted(house)
    assert action == "account.make" and detail["after"]["secret"] == "set"
    assert "CANARY" not in repr(detail)


async def test_a_form_sent_back_unchanged_changes_nothing(house: House) -> None:
    boss = await boss_of(house)
    await applied(house, CHANNEL + ACCOUNT)
    before, home = await rows(house, accounts), await home_of(house)
    fields = form_in((await page(house, boss, home))[1], home)
    assert (await send(house, boss, home, fields)).status_code == 303
    assert await rows(house, accounts) == before and await noted(house) == []


@pytest.mark.parametrize(
    "moved",
    [
        {"base_url": "https://api.example.org/sub"},
        {"base_url": "https://api.example.com"},
        {"proxy": "http://8.8.8.8:3128"},
        {"no_proxy": "1"},
    ],
)
async def test_another_address_or_proxy_needs_the_secret_again(
    house: House, moved: dict[str, str]
) -> None:
    boss = await boss_of(house)
    await applied(house, CHANNEL + ACCOUNT)
    before, home = await rows(house, accounts), await home_of(house)
    fields = form_in((await page(house, boss, home))[1], home) | moved
    answer = await send(house, boss, home, fields)
    assert answer.status_code == 422 and 'id="d-secret" role="alert"' in answer.text
    with_secret = fields | {"secret": "CANARY-new"}
    answer = await send(house, boss, home, with_secret)
    assert answer.status_code == 422 and 'id="d-headers" role="alert"' in answer.text
    assert await rows(house, accounts) == before and await noted(house) == []
    assert "CANARY" not in answer.text
    assert (await send(house, boss, home, with_secret | {"no_headers": "1"})).status_code == 303
    [changed] = await rows(house, accounts)
    assert (changed["secret"], changed["headers"]) == ("CANARY-new", "")


async def test_an_account_that_signs_in_needs_a_new_token_when_it_moves(house: House) -> None:
    boss = await boss_of(house)
    await applied(house, CHANNEL)
    form = FORM | SIGNS_IN | {"auth": "oauth", "headers": "", "channel": await channel_id(house)}
    assert (await send(house, boss, NEW, form)).status_code == 303
    home = await home_of(house)
    [row] = await rows(house, accounts)
    assert (row["auth"], row["secret"]) == ("oauth", "")
    fields = form_in((await page(house, boss, home))[1], home)
    assert (await send(house, boss, home, fields | {"weight": "3"})).status_code == 303
    moved = fields | {"base_url": "https://elsewhere.example.com"}
    answer = await send(house, boss, home, moved)
    assert answer.status_code == 422 and 'id="d-refresh_token" role="alert"' in answer.text
    assert (await send(house, boss, home, moved | {"refresh_token": "new"})).status_code == 303
    async with reading(house.engine) as connection:
        account_id = int(home.rpartition("/")[2])
        token = await read_token(connection, house.secrets, account_id)
    assert token is not None
    assert (token.refresh, token.client_secret, token.scope) == ("new", "CANARY-client", "all")
    assert "CANARY" not in repr(await noted(house))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a b"), ("base_url", ""), ("base_url", "https://api.example.com/v1"),
        ("base_url", "http://10.1.2.3"), ("base_url", "http://127.0.0.1:80"),
        ("base_url", "https://169.254.169.254"), ("proxy", "http://192.168.0.1:1"),
        ("secret", ""), ("secret", "é"), ("weight", "0"), ("priority", "x"), ("cost", "-1"),
        ("mapping", "a b"), ("headers", "a"), ("headers", "Host: x"), ("params", "[1]"),
        ("params", "{"), ("params", '{"model": 1}'), ("params_drop", "stream"), ("rpm", "-2"),
    ],
)  # fmt: skip
async def test_what_is_refused_is_told_beside_its_field(
    house: House, field: str, value: str
) -> None:
    boss = await boss_of(house)
    await applied(house, CHANNEL)
    form = FORM | {"channel": await channel_id(house), field: value}
    answer = await send(house, boss, NEW, form)
    assert answer.status_code == 422
    assert f'id="d-{field}" role="alert"' in answer.text or not value
    assert await rows(house, accounts) == [] and "CANARY" not in answer.text


async def test_private_addresses_are_the_files_to_allow(house: House) -> None:
    boss = await boss_of(house)
    await applied(house, CHANNEL)
    await house.set_site(allow_private_upstreams=True)
    form = FORM | {"channel": await channel_id(house), "base_url": "http://10.1.2.3"}
    assert (await send(house, boss, NEW, form)).status_code == 303


@pytest.mark.parametrize("role", ["staff", "user"])
async def test_only_admins_change_and_staff_look(house: House, role: str) -> None:
    who = await house.user("who@example.com", role)
    await applied(house, CHANNEL + ACCOUNT)
    home, before = await home_of(house), await rows(house, accounts)
    parts = ("", "/test", "/recover", "/disable", "/enable", "/oauth")
    for path in (NEW, *(f"{home}{part}" for part in parts)):
        answer = await send(house, who, path, FORM | {"reason": "x"})
        assert answer.status_code == 404
    for path in ("/backoffice/accounts", home):
        status, text = await page(house, who, path)
        assert status == (200 if role == "staff" else 404)
        assert 'method="post" action="/backoffice' not in text and "CANARY" not in text
    assert await rows(house, accounts) == before and house.tested == []


async def test_the_list_filters(house: House) -> None:
    boss = await boss_of(house)
    assert "No accounts yet" in (await page(house, boss, "/backoffice/accounts"))[1]
    await applied(house, CHANNEL + ACCOUNT)
    for query, there in (("", True), ("channel=main&state=active", True), ("state=parked", False)):
        text = (await page(house, boss, f"/backoffice/accounts?{query}"))[1]
        assert ("api.example.com" in text) is there, query
    assert "CANARY" not in text
    for path in (f"{NEW}?channel=7", NEW, "/backoffice/accounts/7", "/backoffice/accounts/x"):
        assert (await page(house, boss, path))[0] == 404
