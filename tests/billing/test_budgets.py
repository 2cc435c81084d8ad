"""Proof that a period's purse is opened once, and that spent = granted - available whatever happens."""

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.billing.budgeted import BUDGET, DAY_MS, KEY, add_budgeted_key, budget_purses, record
from tests.services.control_plane import database_url, engine
from tollbridge.billing.budgets import Budgets, move_budget, open_budget, period_of
from tollbridge.catalog.loader import change_version
from tollbridge.core.periods import Period
from tollbridge.storage.engine import DATABASE_ERRORS, open_engine
from tollbridge.storage.ledger_tables import purse
from tollbridge.storage.migrate import migrate
from tollbridge.storage.tables import api_keys
from tollbridge.storage.unit_of_work import reading, working, writing

__all__ = ["database_url", "engine"]

NOW = Period(0, DAY_MS)


@pytest.fixture
async def shop(engine: AsyncEngine) -> AsyncEngine:
    """Return a database with a key that has a budget."""
    await add_budgeted_key(engine)
    return engine


async def change_key(connection: AsyncConnection, **columns: Any) -> None:
    await connection.execute(update(api_keys).where(api_keys.c.id == KEY).values(**columns))


async def test_a_purse_is_opened_once_for_each_period(shop: AsyncEngine):
    budgets = Budgets(shop)
    assert budgets.purse_of(record(), 5) is None
    first = await budgets.open(record(), 5)
    assert budgets.purse_of(record(), DAY_MS - 1) == first
    assert await Budgets(shop).open(record(), 7) == first
    assert budgets.purse_of(record(), DAY_MS) is None
    second = await budgets.open(record(), DAY_MS)
    assert second != first
    assert await budget_purses(shop) == [
        (first, 0, BUDGET, 0, BUDGET),
        (second, DAY_MS, BUDGET, 0, BUDGET),
    ]


async def test_opening_is_no_change_of_the_catalogue(shop: AsyncEngine):
    async with reading(shop) as connection:
        before = await change_version(connection)
    await Budgets(shop).open(record(), 5)
    async with reading(shop) as connection:
        assert await change_version(connection) == before


async def test_a_key_without_a_budget_has_no_purse(shop: AsyncEngine):
    key = record(budget_nano=None, budget_period=None)
    budgets = Budgets(shop)
    for ask in (budgets.purse_of, period_of):
        with pytest.raises(ValueError, match="no budget"):
            ask(key, 5)
    with pytest.raises(ValueError, match="no budget"):
        await budgets.open(key, 5)


async def test_many_callers_share_one_look_and_the_oldest_is_forgotten(shop: AsyncEngine):
    budgets = Budgets(shop, known_max=2)
    opened = await asyncio.gather(*(budgets.open(record(), 5) for _ in range(20)))
    assert len(set(opened)) == 1
    for day in (1, 2):
        await budgets.open(record(), day * DAY_MS)
    assert budgets.purse_of(record(), 5) is None
    assert budgets.purse_of(record(), 2 * DAY_MS) is not None
    assert await budgets.open(record(), 5) == opened[0]


async def test_a_caller_that_leaves_does_not_take_the_answer_along(shop: AsyncEngine):
    budgets = Budgets(shop)
    leaving = asyncio.create_task(budgets.open(record(), 5))
    staying = asyncio.create_task(budgets.open(record(), 5))
    await asyncio.sleep(0)
    leaving.cancel()
    purse_id = await staying
    assert leaving.cancelled()
    assert budgets.purse_of(record(), 5) == purse_id


async def test_a_failure_is_not_remembered(database_url: str):
    opened = open_engine(database_url)
    budgets = Budgets(opened)
    with pytest.raises(DATABASE_ERRORS):
        await budgets.open(record(), 5)
    await migrate(database_url)
    await add_budgeted_key(opened)
    assert await budgets.open(record(), 5) == (await budget_purses(opened))[0][0]
    await opened.dispose()


@pytest.mark.parametrize(
    ("stored", "granted"),
    [
        ({"budget_nano": 70}, 70),
        # The record's budget was taken away or is of another period now: it counts as it was.
        ({"budget_nano": None, "budget_period": None}, BUDGET),
        ({"budget_nano": 70, "budget_period": "month"}, BUDGET),
    ],
)
async def test_a_purse_begins_with_the_budget_of_now(
    shop: AsyncEngine, stored: dict[str, Any], granted: int
):
    async with writing(shop) as connection:
        await change_key(connection, **stored)
    await Budgets(shop).open(record(), 5)
    assert [one[2:] for one in await budget_purses(shop)] == [(granted, 0, granted)]


async def test_nobody_opens_with_the_old_budget_while_it_changes(shop: AsyncEngine):
    async with writing(shop) as connection:
        await change_key(connection, budget_nano=70)
        await move_budget(connection, KEY, 70, NOW)
        opening = asyncio.create_task(Budgets(shop).open(record(), 5))
        await asyncio.wait([opening], timeout=0.3)
    await opening
    assert [one[2:] for one in await budget_purses(shop)] == [(70, 0, 70)]


def open_in_process(url: str) -> int:
    """Open the purse from a process of its own."""

    async def work() -> int:
        opened = open_engine(url)
        try:
            return await Budgets(opened).open(record(), 5)
        finally:
            await opened.dispose()

    return asyncio.run(work())


async def test_two_processes_open_the_same_purse_at_once(postgres_url: str):
    await migrate(postgres_url)
    opened = open_engine(postgres_url)
    await add_budgeted_key(opened)
    loop = asyncio.get_running_loop()
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        async with opened.connect() as connection, reading(opened) as watch:
            # Whoever opens it now waits for this row to stay or go, so that both go on at once.
            transaction = await connection.begin()
            row = {"kind": "key_budget", "owner_id": KEY, "available": 0, "held": 0}
            await connection.execute(insert(purse).values(id=1, period_start=0, **row))
            openings = [loop.run_in_executor(pool, open_in_process, postgres_url) for _ in range(2)]
            while (await watch.execute(waiting)).scalar_one() < len(openings):
                assert not any(one.done() for one in openings)
                await asyncio.sleep(0.01)
            await transaction.rollback()
        first, second = await asyncio.gather(*openings)
    assert first == second
    assert await budget_purses(opened) == [(first, 0, BUDGET, 0, BUDGET)]
    await opened.dispose()


@pytest.mark.parametrize(
    ("spent", "held", "budget", "available"),
    [(30, 20, 150, 120), (30, 20, 50, 20), (30, 20, 10, 20), (100, 0, 60, 0), (0, 0, 1, 1)],
)
async def test_a_budget_moves_to_what_is_left_of_it(
    shop: AsyncEngine, spent: int, held: int, budget: int, available: int
):
    async with working(shop) as connection:
        await open_budget(connection, record(), 0)
        left = BUDGET - spent
        await connection.execute(update(purse).values(available=left, held=held))
        for _ in range(2):
            await move_budget(connection, KEY, budget, NOW)
    assert [one[2:] for one in await budget_purses(shop)] == [(available, held, available + spent)]


async def test_only_this_period_and_the_next_move(shop: AsyncEngine):
    budgets = Budgets(shop)
    for day in range(4):
        await budgets.open(record(), day * DAY_MS)
    await budgets.open(record(id=KEY + 1), DAY_MS)
    async with writing(shop) as connection:
        await move_budget(connection, KEY, 70, Period(DAY_MS, 2 * DAY_MS))
    assert [one[4] for one in await budget_purses(shop)] == [BUDGET, 70, 70, BUDGET]
    assert [one[4] for one in await budget_purses(shop, KEY + 1)] == [BUDGET]


STEPS = st.lists(
    st.tuples(st.sampled_from(["hold", "settle", "move"]), st.integers(0, 150)), max_size=12
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
async def test_spending_is_exact_under_any_history(shop: AsyncEngine, steps: list[tuple[str, int]]):
    """Holds and settles are relative changes, as other processes make them."""
    budget, spent, holds = BUDGET, 0, list[int]()
    async with working(shop) as connection:
        await open_budget(connection, record(), 0)
        for step, amount in steps:
            before = await figures(connection)
            if step == "move" and amount:
                budget = amount
                await move_budget(connection, KEY, budget, NOW)
                available, held, _ = await figures(connection)
                assert (available, held) == (max(sum(holds), budget - spent), sum(holds))
            elif step == "hold" and before[0] - before[1] >= amount:
                holds.append(amount)
                await connection.execute(update(purse).values(held=purse.c.held + amount))
            elif step == "settle" and holds:
                held = holds.pop(0)
                charge = min(held, amount)
                spent += charge
                await connection.execute(
                    update(purse).values(
                        available=purse.c.available - charge, held=purse.c.held - held
                    )
                )
            available, held, granted = await figures(connection)
            assert granted - available == spent
            assert available >= held == sum(holds)
        await connection.rollback()


async def figures(connection: AsyncConnection) -> tuple[int, int, int]:
    query = select(purse.c.available, purse.c.held, purse.c.granted)
    row = (await connection.execute(query.where(purse.c.kind == "key_budget"))).one()
    return row.available, row.held, row.granted


async def test_moves_and_spending_at_the_same_time_all_count(shop: AsyncEngine):
    await Budgets(shop).open(record(), 0)

    async def spend() -> None:
        async with working(shop) as connection:
            await connection.execute(update(purse).values(available=purse.c.available - 3))

    async def move(budget: int) -> None:
        async with working(shop) as connection:
            await move_budget(connection, KEY, budget, NOW)

    await asyncio.gather(*(work for at in range(6) for work in (spend(), move(200 + at))))
    await move(150)
    assert [one[2:] for one in await budget_purses(shop)] == [(150 - 18, 0, 150)]
    async with reading(shop) as connection:
        assert (await connection.execute(select(func.count()).select_from(purse))).scalar_one() == 1


def test_a_record_says_which_period_it_is():
    key = record(budget_period="week")
    assert period_of(key, 0) == Period(-3 * DAY_MS, 4 * DAY_MS)
    assert period_of(replace(key, budget_period="month"), 0) == Period(0, 31 * DAY_MS)
