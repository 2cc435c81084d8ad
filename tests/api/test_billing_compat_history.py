"""Proof that the widgets' formula holds for every history, of limited and unlimited keys.

Credits, charges, reversals, limits raised and lowered, budgets, running calls: what is shown is
compared with books that the test keeps by itself.
"""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from tests.services.shop import DEMO, LIMITED, Shop
from tollbridge.billing.budgets import Budgets
from tollbridge.billing.grants import grant
from tollbridge.billing.limits import move_limit
from tollbridge.billing.lots import attribute
from tollbridge.billing.reversals import reverse
from tollbridge.core.clock import new_tid, now_ms
from tollbridge.core.money import NANO
from tollbridge.storage.ledger_tables import purse, usage
from tollbridge.storage.tables import api_keys
from tollbridge.storage.unit_of_work import reading, writing

BILLING = "/v1/dashboard/billing"
DATES = "start_date=2020-02-01&end_date=2020-02-03"
KINDS = ("grant", "charge", "limited", "hold", "reverse", "limit", "attribute")
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 900_000_000)), max_size=8)


@dataclass
class Books:
    """The test's own books of one wallet, in nano-dollars; `spent` by key, net of reversals."""

    shop: Shop
    balance: int = 0
    held: int = 0
    limit: int = 0
    granted: int = 0
    spent: dict[str, int] = field(default_factory=lambda: {DEMO: 0, LIMITED: 0})
    calls: list[tuple[str, str, int]] = field(default_factory=list)

    async def open(self) -> None:
        """Go on from what earlier examples left in this shop."""
        key, limited = await self.shop.key(), await self.shop.key(LIMITED)
        async with reading(self.shop.engine) as connection:
            query = select(purse.c.available, purse.c.held).where(purse.c.id == key.wallet_id)
            self.balance, self.held = (await connection.execute(query)).one()
            by_key = select(usage.c.key_id, usage.c.charge - usage.c.reversed)
            for key_id, amount in await connection.execute(by_key):
                self.spent[LIMITED if key_id == limited.id else DEMO] += amount
            of_key = select(api_keys.c.limit_nano).where(api_keys.c.id == limited.id)
            self.limit = (await connection.execute(of_key)).scalar_one()

    @property
    def left(self) -> int:
        """What the limited key may still spend of its limit."""
        return max(self.limit - self.spent[LIMITED], 0)

    async def grant(self, amount: int) -> None:
        wallet = (await self.shop.key()).wallet_id
        async with writing(self.shop.engine) as connection:
            await grant(connection, wallet, amount, new_tid(), now_ms())
        self.balance += amount

    async def charge(self, wish: int, secret: str = DEMO) -> None:
        amount = min(wish, self.balance - self.held, self.left if secret == LIMITED else wish)
        if amount > 0:
            tid = await self.shop.settle(charge=amount, secret=secret)
            self.balance -= amount
            self.spent[secret] += amount
            self.calls.append((tid, secret, amount))

    async def limited(self, wish: int) -> None:
        await self.charge(wish, LIMITED)

    async def hold(self, wish: int) -> None:
        amount = min(wish, self.balance - self.held)
        if amount > 0:
            await self.shop.reserve(amount)
            self.held += amount

    async def reverse(self, which: int) -> None:
        if self.calls:
            tid, secret, amount = self.calls.pop(which % len(self.calls))
            for _ in range(2):
                async with writing(self.shop.engine) as connection:
                    await reverse(connection, tid, "a test", "staff", now_ms())
            self.balance += amount
            self.spent[secret] -= amount

    async def change_limit(self, new: int) -> None:
        key = await self.shop.key(LIMITED)
        async with writing(self.shop.engine) as connection:
            mine = api_keys.c.id == key.id
            row = (await connection.execute(select(api_keys).where(mine))).one()
            by = new - row.limit_nano - row.limit_excess_nano
            assert key.limit_purse_id is not None
            excess = await move_limit(connection, key.limit_purse_id, by)
            changed = update(api_keys).where(mine)
            await connection.execute(changed.values(limit_nano=new, limit_excess_nano=excess))
        self.limit = new

    async def attribute(self, _: int) -> None:
        wallet = (await self.shop.key()).wallet_id
        async with writing(self.shop.engine) as connection:
            await attribute(connection, wallet, now_ms())

    async def play(self, kind: str, amount: int) -> None:
        await (self.change_limit if kind == "limit" else getattr(self, kind))(amount)


async def exact(shop: Shop, path: str, secret: str) -> dict[str, Any]:
    async with shop.client(secret) as client:
        reply = await client.get(f"{BILLING}/{path}")
    assert reply.status_code == 200
    parsed: dict[str, Any] = json.loads(reply.text, parse_float=Decimal)
    return parsed


def usd(nano: int) -> Decimal:
    return Decimal(nano) / NANO


async def check(books: Books, secret: str, left: int, spent: int) -> None:
    """Compute as widgets do, with any dates and with none."""
    status = await exact(books.shop, "subscription", secret)
    credit = await exact(books.shop, "credit_grants", secret)
    for query in ("", f"?{DATES}"):
        used = await exact(books.shop, f"usage{query}", secret)
        assert used["total_usage"] == usd(spent) * 100
        assert status["hard_limit_usd"] - used["total_usage"] / 100 == usd(left)
    assert credit["total_available"] == usd(left)
    assert credit["total_granted"] - credit["total_used"] == usd(left)


async def check_grants(books: Books) -> None:
    """What is left of the credits that are listed is the balance."""
    credit = await exact(books.shop, "credit_grants", DEMO)
    grants = credit["grants"]["data"]
    assert sum(one["grant_amount"] - one["used_amount"] for one in grants) == usd(books.balance)
    assert all(0 <= one["used_amount"] <= one["grant_amount"] for one in grants)


ONE_SHOP = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@ONE_SHOP
@given(steps=STEPS)
async def test_the_formula_holds_for_every_history(each_shop: Shop, steps: list[tuple[str, int]]):
    books = Books(each_shop)
    await books.open()
    await books.grant(NANO)
    for kind, amount in steps:
        await books.play(kind, amount)
    await check(books, DEMO, books.balance, sum(books.spent.values()))
    await check(books, LIMITED, min(books.balance, books.left), books.spent[LIMITED])
    await books.attribute(0)
    await check_grants(books)


@ONE_SHOP
@given(
    budget=st.integers(1, 2 * NANO),
    costs=st.lists(st.integers(1, NANO // 2), max_size=4),
    undo=st.booleans(),
)
async def test_it_holds_for_a_key_with_a_budget(
    each_shop: Shop, budget: int, costs: list[int], undo: bool
):
    await each_shop.change_key(DEMO, budget_nano=budget, budget_period="month")
    budgets, books = Budgets(each_shop.engine), Books(each_shop)
    await books.open()
    await books.grant(2 * NANO)
    purse_id = await budgets.open(await each_shop.key(), now_ms())
    async with writing(each_shop.engine) as connection:
        mine = update(purse).where(purse.c.id == purse_id)
        await connection.execute(mine.values(available=budget, granted=budget))
    left = budget
    for cost in costs:
        if cost <= left:
            await books.charge(cost)
            left -= cost
            async with writing(each_shop.engine) as connection:
                await connection.execute(mine.values(available=left))
    if undo and books.calls:
        # The test's calls are of an earlier month than the budget, so the budget stays as it is.
        await books.reverse(0)
    await check(books, DEMO, min(left, books.balance), budget - left)
