"""Proof that what was spent is put on the days of its calls, as far as anybody can know."""

import pytest
from sqlalchemy import insert

from tests.billing.tills import DAY_MS, TODAY, till
from tests.services.control_plane import database_url, engine
from tollbridge.storage.ledger_tables import lot, lot_use
from tollbridge.storage.lot_days import spent_by_day
from tollbridge.storage.unit_of_work import reading, working

__all__ = ["database_url", "engine"]


async def days(made, amount, today=TODAY):
    async with reading(made.engine) as connection:
        found = await spent_by_day(connection, made.wallet, amount, today)
    assert sum(part for _, part in found) == amount
    return [((day - TODAY) // DAY_MS, part) for day, part in found]


async def noted(made, ago, amount):
    async with working(made.engine) as connection:
        lot_id = 1000 + ago
        await connection.execute(
            insert(lot).values(
                id=lot_id, wallet_id=made.wallet, origin="test", ref=str(ago), amount=10**6,
                remaining=10**6 - amount, created_ms=0,
            )
        )  # fmt: skip
        await connection.execute(
            insert(lot_use).values(lot_id=lot_id, day_ms=TODAY - ago * DAY_MS, amount=amount)
        )


async def test_what_no_roll_up_explains_was_spent_today(engine):
    async with till(engine) as made:
        assert await days(made, 7) == [(0, 7)]
        await noted(made, 3, 10)
        assert await days(made, 7) == [(0, 7)]


async def test_days_that_passed_since_the_last_time_get_what_their_calls_cost(engine):
    async with till(engine) as made:
        for ago, charge in ((5, 100), (3, 30), (3, 5), (2, 20), (0, 1)):
            await made.call(charge, TODAY - ago * DAY_MS, guarded=False)
        await made.count()
        # Half of what was spent three days ago was noted that day; five days ago long before.
        await noted(made, 3, 15)
        assert await days(made, 41) == [(-3, 20), (-2, 20), (0, 1)]
        # Corrections that came late are today's.
        assert await days(made, 44) == [(-3, 20), (-2, 20), (0, 4)]
        # Money that came back hides some of it.
        assert await days(made, 25) == [(-3, 20), (-2, 5)]


async def test_the_first_time_what_is_latest_counts(engine):
    """What was spent before there were lots is in the roll-ups, and in no lot."""
    async with till(engine) as made:
        for ago, charge in ((9, 100), (2, 20), (1, 10), (0, 1)):
            await made.call(charge, TODAY - ago * DAY_MS, guarded=False)
        await made.count()
        assert await days(made, 1) == [(0, 1)]
        assert await days(made, 26) == [(-2, 15), (-1, 10), (0, 1)]
        assert await days(made, 140) == [(-9, 100), (-2, 20), (-1, 10), (0, 10)]


@pytest.mark.parametrize("before", [True, False])
async def test_a_call_that_was_given_back_was_spent_on_its_day_all_the_same(engine, before):
    async with till(engine) as made:
        if before:
            await noted(made, 3, 1)
        tid = await made.call(30, TODAY - 2 * DAY_MS, guarded=False)
        await made.call(5, TODAY - DAY_MS, guarded=False)
        await made.reverse(tid)
        await made.count()
        assert await days(made, 35) == [(-2, 30), (-1, 5)]
