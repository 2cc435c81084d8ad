"""Proof that `hard_limit_usd - total_usage / 100` is the balance, exactly, whatever has happened."""

import asyncio
import json
import tempfile
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from tests.services.shop import AUTO, DEMO, LIMITED, Shop, open_shop
from tollbridge.billing.budgets import Budgets
from tollbridge.billing.grants import grant
from tollbridge.core.clock import new_tid, now_ms
from tollbridge.core.money import NANO, format_usd
from tollbridge.core.secrets import Secrets
from tollbridge.storage.engine import open_engine
from tollbridge.storage.ledger_tables import purse
from tollbridge.storage.migrate import migrate
from tollbridge.storage.unit_of_work import writing

CENT = NANO // 100
PREFIXES = ["/v1/dashboard/billing", "/dashboard/billing"]


async def exact(shop: Shop, path: str, secret: str) -> dict[str, Any]:
    async with shop.client(secret) as client:
        reply = await client.get(path)
    assert reply.status_code == 200
    parsed: dict[str, Any] = json.loads(reply.text, parse_float=Decimal)
    return parsed


async def widget(shop: Shop, secret: str = DEMO, prefix: str = PREFIXES[0]) -> Decimal:
    """Compute as balance widgets do, for a month that has no calls."""
    limit = await exact(shop, f"{prefix}/subscription", secret)
    dates = "start_date=1999-01-01&end_date=1999-02-01"
    used = await exact(shop, f"{prefix}/usage?{dates}", secret)
    difference: Decimal = limit["hard_limit_usd"] - used["total_usage"] / 100
    return difference


async def give(shop: Shop, amount: int) -> None:
    wallet = (await shop.key()).wallet_id
    async with writing(shop.engine) as connection:
        await grant(connection, wallet, amount, new_tid(), 1)


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_the_widgets_sum_is_the_balance(each_shop: Shop, prefix: str):
    assert await widget(each_shop, prefix=prefix) == 5
    await each_shop.settle(charge=1)
    await each_shop.settle(charge=CENT, secret=AUTO)
    await each_shop.reserve(NANO)
    await give(each_shop, 7)
    assert await widget(each_shop, prefix=prefix) == Decimal("4.990000006")


async def test_the_figures_are_numbers_with_all_their_decimals(each_shop: Shop):
    await each_shop.settle(charge=3 * CENT + 1)
    async with each_shop.client() as client:
        limit = await client.get("/v1/dashboard/billing/subscription")
        used = await client.get("/v1/dashboard/billing/usage")
    assert '"hard_limit_usd":5.00,' in limit.text
    assert '"system_hard_limit_usd":5.00,' in limit.text
    assert '"total_usage":3.0000001,' in used.text
    assert used.json()["object"] == "list"


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(("secret", "left", "spent"), [(DEMO, 2, 3), (LIMITED, 1, 1)])
async def test_credit_is_what_the_widgets_compute(
    each_shop: Shop, prefix: str, secret: str, left: int, spent: int
):
    await each_shop.settle(charge=2 * NANO)
    await each_shop.settle(charge=NANO, secret=LIMITED)
    credit = await exact(each_shop, f"{prefix}/credit_grants", secret)
    assert credit == {
        "object": "credit_summary",
        "total_granted": left + spent,
        "total_used": spent,
        "total_available": left,
        "grants": {"object": "list", "data": []},
    }
    assert await widget(each_shop, secret, prefix) == credit["total_available"]


async def test_the_accounts_status(each_shop: Shop):
    status = await each_shop.get("/v1/dashboard/billing/subscription")
    assert status["object"] == "billing_subscription"
    assert (status["canceled"], status["delinquent"], status["access_until"]) == (False, False, 0)
    await each_shop.change_key(DEMO, expires_ms=4_000_000_000_999)
    status = await each_shop.get("/v1/dashboard/billing/subscription")
    assert status["access_until"] == 4_000_000_000


async def test_a_limited_key_sees_the_smaller_figure_and_its_own_spending(each_shop: Shop):
    await each_shop.settle(charge=NANO)
    assert await widget(each_shop, LIMITED) == 2
    await each_shop.settle(charge=NANO // 2, secret=LIMITED)
    assert await widget(each_shop, LIMITED) == Decimal("1.5")
    used = await exact(each_shop, "/v1/dashboard/billing/usage", LIMITED)
    assert used["total_usage"] == 50
    await each_shop.settle(charge=3 * NANO)
    assert await widget(each_shop, LIMITED) == Decimal("0.5")


@pytest.mark.parametrize(
    ("secret", "budget", "left"), [(DEMO, 3, 2), (LIMITED, 3, 2), (LIMITED, 2, 1), (DEMO, 9, 5)]
)
async def test_a_key_with_a_budget_sees_the_smallest_figure(
    each_shop: Shop, secret: str, budget: int, left: int
):
    await each_shop.change_key(secret, budget_nano=budget * NANO, budget_period="month")
    purse_id = await Budgets(each_shop.engine).open(await each_shop.key(secret), now_ms())
    async with writing(each_shop.engine) as connection:
        of_budget = update(purse).where(purse.c.id == purse_id)
        await connection.execute(of_budget.values(available=purse.c.available - NANO))
    assert await widget(each_shop, secret) == left
    used = await exact(each_shop, "/v1/dashboard/billing/usage", secret)
    assert used["total_usage"] == (100 if secret == DEMO else 0)


async def test_an_exhausted_key_may_ask(shop: Shop):
    await shop.settle(charge=5 * NANO)
    assert await widget(shop) == 0
    used = await exact(shop, "/v1/dashboard/billing/usage", DEMO)
    assert used["total_usage"] == 500


STEPS = st.lists(
    st.tuples(st.sampled_from(["grant", "charge", "limited", "hold"]), st.integers(1, 900_000_000)),
    max_size=6,
)


async def replay(steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/history.db"
        await migrate(url)
        engine = open_engine(url)
        try:
            shop = await open_shop(engine, Secrets(b"p" * 32, {"k1": b"k" * 32}, "k1"))
            await check_history(shop, steps)
        finally:
            await engine.dispose()


async def check_history(shop: Shop, steps: list[tuple[str, int]]) -> None:
    """Keep the books beside the product, and compare: balance, spending, and what a limit leaves."""
    balance, limit, held = 5 * NANO, 2 * NANO, 0
    for step, wish in steps:
        amount = min(wish, balance - held, limit if step == "limited" else balance)
        if step == "grant":
            await give(shop, wish)
            balance += wish
        elif amount > 0 and step == "hold":
            await shop.reserve(amount)
            held += amount
        elif amount > 0:
            await shop.settle(charge=amount, secret=LIMITED if step == "limited" else DEMO)
            balance -= amount
            limit -= amount if step == "limited" else 0
    spent = await shop.charged()
    used = await exact(shop, "/v1/dashboard/billing/usage", DEMO)
    assert used["total_usage"] == Decimal(format_usd(spent)) * 100
    assert await widget(shop) == Decimal(format_usd(balance))
    assert await widget(shop, LIMITED) == Decimal(format_usd(min(balance, limit)))


@settings(max_examples=15)
@given(STEPS)
def test_the_widgets_sum_holds_for_every_history(steps: list[tuple[str, int]]):
    asyncio.run(replay(steps))
