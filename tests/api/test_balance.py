"""Proof that a balance is exact to the last nano-dollar and shows what running calls hold."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from tests.services.shop import AUTO, DEMO, LIMITED, OTHERS, Shop
from tollbridge.billing.budgets import Budgets
from tollbridge.core.clock import now_ms
from tollbridge.core.money import NANO
from tollbridge.storage.ledger_tables import purse
from tollbridge.storage.unit_of_work import writing


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


async def test_a_key_with_a_budget_sees_it_too(each_shop: Shop):
    await each_shop.change_key(DEMO, budget_nano=3 * NANO, budget_period="month")
    budget_id = await Budgets(each_shop.engine).open(await each_shop.key(), now_ms())
    async with writing(each_shop.engine) as connection:
        of_budget = update(purse).where(purse.c.id == budget_id)
        await connection.execute(of_budget.values(available=2 * NANO, held=NANO // 2))
    reply = await each_shop.get("/v1/balance")
    begins = datetime.fromisoformat(reply.pop("key_budget_resets_at"))
    assert (begins.day, begins.hour, begins.utcoffset()) == (1, 0, timedelta(0))
    assert begins > datetime.now(UTC)
    assert reply == {
        "object": "balance",
        "currency": "USD",
        "balance": "5.00",
        "reserved": "0.00",
        "key_budget": "3.00",
        "key_budget_period": "month",
        "key_budget_remaining": "2.00",
        "key_budget_reserved": "0.50",
    }


async def test_a_budget_that_nothing_was_spent_of(shop: Shop):
    await shop.change_key(LIMITED, budget_nano=NANO, budget_period="day")
    reply = await shop.get("/v1/balance", LIMITED)
    assert (reply["key_limit"], reply["key_remaining"]) == ("2.00", "2.00")
    assert (reply["key_budget_remaining"], reply["key_budget_reserved"]) == ("1.00", "0.00")


async def test_head_is_answered_as_get_is(shop: Shop):
    async with shop.client() as client:
        reply = await client.head("/v1/balance")
    assert (reply.status_code, reply.headers["cache-control"]) == (200, "no-store")
