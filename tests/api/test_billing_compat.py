"""Proof that `hard_limit_usd - total_usage / 100` is the balance, exactly, whatever has happened."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update

from tests.services.shop import AUTO, DEMO, LIMITED, Shop
from tollbridge.billing.budgets import Budgets
from tollbridge.billing.grants import grant
from tollbridge.billing.reversals import reverse
from tollbridge.core.clock import new_tid, now_ms
from tollbridge.core.money import NANO
from tollbridge.storage.ledger_tables import purse
from tollbridge.storage.rollups import rebuild
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
    grants = credit.pop("grants")
    assert credit == {
        "object": "credit_summary",
        "total_granted": left + spent,
        "total_used": spent,
        "total_available": left,
    }
    # Credits are the wallet's, so a key with a limit of its own sees none.
    assert (grants["object"], len(grants["data"])) == ("list", 1 if secret == DEMO else 0)
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


# ------------------------------------------------------------ days


async def daily(shop: Shop, secret: str, query: str) -> list[dict[str, Any]]:
    used = await exact(shop, f"/v1/dashboard/billing/usage?{query}", secret)
    days: list[dict[str, Any]] = used["daily_costs"]
    return days


def today() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def between(start: datetime, end: datetime) -> str:
    return f"start_date={start:%Y-%m-%d}&end_date={end:%Y-%m-%d}"


async def test_each_day_asked_for_has_its_models_in_cents(each_shop: Shop):
    await each_shop.settle(charge=3 * CENT + 1)
    await each_shop.settle(charge=CENT, secret=AUTO)
    undone = await each_shop.settle(charge=7 * CENT)
    await each_shop.settle(charge=2 * CENT, secret=LIMITED)
    async with writing(each_shop.engine) as connection:
        await reverse(connection, undone, "a test", "staff", now_ms())
    await rebuild(each_shop.engine, 0, now_ms())
    day = today()
    query = between(day - timedelta(days=2), day + timedelta(days=1))
    for secret, cents in ((DEMO, Decimal("6.0000001")), (LIMITED, Decimal(2))):
        days = await daily(each_shop, secret, query)
        starts = [int((day - timedelta(days=back)).timestamp()) for back in (2, 1, 0)]
        assert [one["timestamp"] for one in days] == starts
        assert [one["line_items"] for one in days[:2]] == [[], []]
        assert days[2]["line_items"] == [{"name": "gpt-5.4", "cost": cents}]


async def test_the_end_date_is_excluded(shop: Shop):
    await shop.settle(charge=CENT)
    await rebuild(shop.engine, 0, now_ms())
    days = await daily(shop, DEMO, between(today() - timedelta(days=1), today()))
    assert [one["line_items"] for one in days] == [[]]
    assert await daily(shop, DEMO, between(today(), today())) == []
    assert await daily(shop, DEMO, between(today(), today() - timedelta(days=1))) == []


async def test_without_dates_it_is_thirty_days_and_never_more_than_a_year(shop: Shop):
    days = await daily(shop, DEMO, "")
    assert (len(days), days[-1]["timestamp"]) == (30, int(today().timestamp()))
    days = await daily(shop, DEMO, "start_date=1999-01-01&end_date=2025-01-01")
    assert len(days) == 366
    assert days[-1]["timestamp"] == int(datetime(2024, 12, 31, tzinfo=UTC).timestamp())


@pytest.mark.parametrize("name", ["start_date", "end_date"])
@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "1700000000", "2026-01-01T00:00"])
async def test_what_is_no_date_is_refused_by_name(shop: Shop, name: str, text: str):
    async with shop.client() as client:
        reply = await client.get(f"/v1/dashboard/billing/usage?{name}={text}")
    assert reply.status_code == 400
    assert (reply.json()["error"]["param"], text in reply.text) == (name, False)


async def test_credits_are_listed_with_what_is_used_of_them(each_shop: Shop):
    wallet = (await each_shop.key()).wallet_id
    async with writing(each_shop.engine) as connection:
        await grant(connection, wallet, NANO, "bonus", 5_000, expires_ms=4_000_000_000_999)
    await each_shop.settle(charge=NANO + CENT)
    credit = await exact(each_shop, "/v1/dashboard/billing/credit_grants", DEMO)
    bonus, first = credit["grants"]["data"]
    # What ends first is spent first; shown is the oldest first.
    assert (bonus["grant_amount"], bonus["used_amount"]) == (1, 1)
    assert (bonus["effective_at"], bonus["expires_at"]) == (5, 4_000_000_000)
    assert (first["grant_amount"], first["used_amount"]) == (5, Decimal("0.01"))
    assert (first["object"], first["expires_at"]) == ("credit_grant", None)


async def test_a_key_over_its_budget_may_ask(shop: Shop):
    await shop.change_key(DEMO, budget_nano=CENT, budget_period="day")
    purse_id = await Budgets(shop.engine).open(await shop.key(), now_ms())
    async with writing(shop.engine) as connection:
        await connection.execute(update(purse).where(purse.c.id == purse_id).values(available=0))
    assert await widget(shop) == 0
    for path in ("usage", "credit_grants", "subscription"):
        await shop.get(f"/dashboard/billing/{path}")


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_S3_the_subscription_is_the_status_of_an_account(shop: Shop, prefix: str):  # noqa: N802
    """A 401 almost always means a key that is wrong or has expired; both are told readably."""
    path = f"{prefix}/subscription"
    assert (await shop.get(path))["hard_limit_usd"] == 5
    await shop.change_key(DEMO, expires_ms=1)
    for secret in (DEMO, "sk-wrong", ""):
        async with shop.client(secret) as client:
            reply = await client.get(path)
        error = reply.json()["error"]
        assert (reply.status_code, error["type"]) == (401, "authentication_error"), secret
        assert len(error["message"]) > 20
        assert "sk-" not in error["message"]
