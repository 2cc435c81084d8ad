"""Proof that reads recognise and refuse keys as metered calls do."""

from typing import Any

import pytest
from sqlalchemy import update

from tests.services.shop import DEMO, LIMITED, Shop
from tollbridge.core.money import NANO
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import writing

PATH = "/v1/balance"


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"authorization": f"Bearer {DEMO}"}, ""),
        ({"authorization": f"bearer   {DEMO} "}, ""),
        ({"authorization": DEMO}, ""),
        ({"x-api-key": f" {DEMO}"}, ""),
        ({"x-goog-api-key": DEMO}, ""),
        ({}, f"?key={DEMO}"),
        ({}, f"?alt=sse&key=%20{DEMO}%20"),
    ],
)
async def test_every_way_to_present_a_key(shop: Shop, headers: dict[str, str], query: str):
    async with shop.client("") as client:
        reply = await client.get(PATH + query, headers=headers)
    assert reply.status_code == 200


@pytest.mark.parametrize(
    ("secret", "code"),
    [("", "invalid_api_key"), (DEMO[:-1], "invalid_api_key"), ("ü" * 40, "invalid_api_key")],
)
async def test_no_key_and_wrong_keys(shop: Shop, secret: str, code: str):
    async with shop.client("") as client:
        headers = [(b"authorization", f"Bearer {secret}".encode())] if secret else []
        reply = await client.get(PATH, headers=headers)
    assert (reply.status_code, reply.json()["error"]["code"]) == (401, code)


@pytest.mark.parametrize(
    ("columns", "status", "code"),
    [
        ({"enabled": False}, 403, "key_disabled"),
        ({"expires_ms": 1}, 401, "api_key_expired"),
        ({"ips": '["192.0.2.0/24"]'}, 403, "ip_not_allowed"),
    ],
)
async def test_keys_that_must_not_be_used(
    shop: Shop, columns: dict[str, Any], status: int, code: str
):
    await shop.change_key(DEMO, **columns)
    async with shop.client() as client:
        reply = await client.get(PATH)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)


async def test_a_suspended_user(shop: Shop):
    async with writing(shop.engine) as connection:
        await connection.execute(update(users).values(status="suspended"))
    async with shop.client() as client:
        reply = await client.get(PATH)
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "account_suspended")


async def test_the_address_is_the_one_that_the_server_found(shop: Shop):
    await shop.change_key(DEMO, ips='["127.0.0.0/8"]')
    assert (await shop.get(PATH))["currency"] == "USD"


async def test_an_exhausted_key_may_read(shop: Shop):
    await shop.settle(charge=2 * NANO, secret=LIMITED)
    assert (await shop.get(PATH, LIMITED))["key_remaining"] == "0.00"
