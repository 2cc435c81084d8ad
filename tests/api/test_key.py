"""Proof of what a key is told of itself: what it is, may and has spent; and never its secret."""

import json
from decimal import Decimal
from typing import Any

from sqlalchemy import update

from tests.services.shop import AUTO, DEMO, LIMITED, Shop
from tollbridge.billing.budgets import Budgets
from tollbridge.core.clock import now_ms
from tollbridge.core.money import NANO
from tollbridge.storage.ledger_tables import purse
from tollbridge.storage.rollups import rebuild
from tollbridge.storage.unit_of_work import writing

CENT = NANO // 100


async def told(shop: Shop, secret: str = DEMO) -> dict[str, Any]:
    await rebuild(shop.engine, 0, now_ms())
    async with shop.client(secret) as client:
        reply = await client.get("/v1/key")
    assert reply.status_code == 200
    assert secret not in reply.text and secret[:-6] not in reply.text
    data: dict[str, Any] = json.loads(reply.text, parse_float=Decimal)["data"]
    return data


async def test_what_a_plain_key_is_and_may(each_shop: Shop):
    await each_shop.settle(charge=3 * CENT)
    await each_shop.settle(charge=CENT, secret=AUTO)
    await each_shop.reserve(NANO)
    data = await told(each_shop)
    assert data == {
        "object": "key",
        "name": "demo",
        "label": "...xxxxxx",
        "last6": "xxxxxx",
        "channel": "main",
        "models": None,
        "may_pin": data["may_pin"],
        "expires_at": None,
        "remaining": Decimal("4.96"),
        "usage": Decimal("0.03"),
        "usage_daily": Decimal("0.03"),
        "usage_weekly": Decimal("0.03"),
        "usage_monthly": Decimal("0.03"),
        "limit": None,
        "limit_remaining": None,
        "limit_reset": None,
        "budget": None,
        "rate_limits": {
            **dict.fromkeys(("rpm", "tpm", "concurrency")),
            **dict.fromkeys(("user_rpm", "user_tpm", "user_concurrency")),
        },
        "is_free_tier": False,
        "is_management_key": False,
        "is_provisioning_key": False,
        "include_byok_in_limit": False,
        "byok_usage": 0,
        "rate_limit": {"requests": -1, "interval": "1m"},
    }


async def test_a_limit_is_told_exactly(each_shop: Shop):
    await each_shop.settle(charge=NANO // 2 + 1, secret=LIMITED)
    data = await told(each_shop, LIMITED)
    left = Decimal("1.499999999")
    assert (data["limit"], data["limit_remaining"], data["limit_reset"]) == (2, left, None)
    assert (data["usage"], data["remaining"]) == (Decimal("0.500000001"), left)
    await each_shop.settle(charge=4 * NANO)
    assert (await told(each_shop, LIMITED))["remaining"] == Decimal("0.499999999")


async def test_a_budget_alone_is_a_limit_that_resets(each_shop: Shop):
    await each_shop.change_key(DEMO, budget_nano=3 * NANO, budget_period="week")
    purse_id = await Budgets(each_shop.engine).open(await each_shop.key(), now_ms())
    async with writing(each_shop.engine) as connection:
        of_budget = update(purse).where(purse.c.id == purse_id)
        await connection.execute(of_budget.values(available=purse.c.available - NANO))
    data = await told(each_shop)
    assert (data["limit"], data["limit_remaining"], data["limit_reset"]) == (3, 2, "weekly")
    budget = data["budget"]
    assert (budget["amount"], budget["spent"], budget["remaining"]) == (3, 1, 2)
    assert (budget["period"], budget["resets_at"][-10:]) == ("week", "T00:00:00Z")
    assert data["remaining"] == 2


async def test_what_narrows_a_key_is_told(shop: Shop):
    await shop.change_key(
        AUTO, rpm=7, models='["b", "a"]', expires_ms=4_000_000_000_999, concurrency=2
    )
    data = await told(shop, AUTO)
    assert (data["channel"], data["models"]) == ("auto", ["a", "b"])
    assert data["expires_at"] == "2096-10-02T07:06:40Z"
    assert (data["rate_limits"]["rpm"], data["rate_limits"]["concurrency"]) == (7, 2)
    assert data["rate_limit"] == {"requests": 7, "interval": "1m"}


async def test_an_exhausted_key_may_ask(shop: Shop):
    await shop.settle(charge=5 * NANO)
    assert (await told(shop))["remaining"] == 0


async def test_nobody_else_may(shop: Shop):
    for secret in ("", "sk-wrong"):
        async with shop.client(secret) as client:
            assert (await client.get("/v1/key")).status_code == 401
    async with shop.client() as client:
        assert (await client.head("/v1/key")).status_code == 200
        assert (await client.get("/v1/key")).headers["access-control-allow-origin"] == "*"
