"""Proof that a balance is exact to the last nano-dollar and shows what running calls hold."""

from tests.services.shop import AUTO, DEMO, LIMITED, OTHERS, Shop
from tollbridge.core.money import NANO


async def test_a_fresh_wallet(each_shop: Shop):
    assert await each_shop.get("/v1/balance") == {
        "object": "balance",
        "currency": "USD",
        "balance": "5.00",
        "reserved": "0.00",
    }


async def test_every_decimal_is_shown(each_shop: Shop):
    await each_shop.settle(charge=123)
    await each_shop.reserve(NANO // 100)
    for secret in (DEMO, AUTO):
        reply = await each_shop.get("/v1/balance", secret)
        assert (reply["balance"], reply["reserved"]) == ("4.999999877", "0.01")
    assert (await each_shop.get("/v1/balance", OTHERS))["balance"] == "1.00"


async def test_a_limited_key_sees_its_limit_too(each_shop: Shop):
    await each_shop.settle(charge=NANO // 2, secret=LIMITED)
    await each_shop.reserve(NANO, secret=LIMITED)
    assert await each_shop.get("/v1/balance", LIMITED) == {
        "object": "balance",
        "currency": "USD",
        "balance": "4.50",
        "reserved": "1.00",
        "key_limit": "2.00",
        "key_remaining": "1.50",
        "key_reserved": "1.00",
    }


async def test_a_limit_taken_away_a_moment_ago_is_not_shown(shop: Shop):
    assert "key_limit" in await shop.get("/v1/balance", LIMITED)
    await shop.change_key(LIMITED, heard=False, limit_nano=None)
    assert (await shop.key(LIMITED)).limit_purse_id is not None
    assert "key_limit" not in await shop.get("/v1/balance", LIMITED)


async def test_head_is_answered_as_get_is(shop: Shop):
    async with shop.client() as client:
        reply = await client.head("/v1/balance")
    assert (reply.status_code, reply.headers["cache-control"]) == (200, "no-store")
