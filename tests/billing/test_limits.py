"""Proof that a limit moves relatively, never below what is held, and never forgets spending."""

import asyncio
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.services.control_plane import database_url, engine
from tollbridge.billing.limits import limit_changes, move_limit, open_limit, restart_limit
from tollbridge.storage.ledger_tables import purse
from tollbridge.storage.unit_of_work import writing

__all__ = ["database_url", "engine"]


async def figures(connection: AsyncConnection, purse_id: int) -> tuple[int, int]:
    query = select(purse.c.available, purse.c.held).where(purse.c.id == purse_id)
    row = (await connection.execute(query)).one()
    return row.available, row.held


@pytest.mark.parametrize(
    ("by", "available", "rest"),
    [(5, 15, 0), (0, 10, 0), (-6, 4, 0), (-7, 4, 1), (-100, 4, 94)],
)
async def test_a_limit_stops_at_what_is_held(
    engine: AsyncEngine, by: int, available: int, rest: int
):
    async with writing(engine) as connection:
        purse_id = await open_limit(connection, 1, 10)
        await connection.execute(update(purse).values(held=4))
        assert await move_limit(connection, purse_id, by) == rest
        assert await figures(connection, purse_id) == (available, 4)


@pytest.mark.parametrize(("limit", "available", "rest"), [(20, 20, 0), (4, 4, 0), (1, 4, 3)])
async def test_a_limit_begins_afresh(engine: AsyncEngine, limit: int, available: int, rest: int):
    async with writing(engine) as connection:
        purse_id = await open_limit(connection, 1, 10)
        await connection.execute(update(purse).values(held=4))
        assert await restart_limit(connection, purse_id, limit) == rest
        assert await figures(connection, purse_id) == (available, 4)


async def test_the_columns_of_a_key_follow_its_limit(engine: AsyncEngine):
    """What was spent counts in the next limit, and not any more once there was none."""
    key = {"id": 1, "user_id": 2, "limit_nano": None, "limit_excess_nano": 0}
    key |= {"limit_purse_id": None}
    async with writing(engine) as connection:

        async def to(limit: int | None) -> tuple[int, int]:
            key.update(await limit_changes(connection, cast("RowMapping", key), limit))
            assert key["limit_nano"] == limit
            return await figures(connection, key["limit_purse_id"] or 0)

        assert await to(10) == (10, 0)
        await connection.execute(update(purse).values(available=3))
        assert await to(10) == (3, 0)
        assert (await to(4), key["limit_excess_nano"]) == ((0, 0), 3)
        assert (await to(9), key["limit_excess_nano"]) == ((2, 0), 0)
        assert await to(None) == (2, 0)
        assert await to(5) == (5, 0)


async def test_moves_at_the_same_time_all_count(engine: AsyncEngine):
    async with writing(engine) as connection:
        purse_id = await open_limit(connection, 1, 10)

    async def move() -> None:
        async with writing(engine) as connection:
            await move_limit(connection, purse_id, 3)

    await asyncio.gather(*(move() for _ in range(6)))
    async with writing(engine) as connection:
        assert await figures(connection, purse_id) == (28, 0)


STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=6)


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(first=st.integers(0, 50), steps=STEPS)
async def test_limit_equals_left_plus_spent_whatever_the_order(
    engine: AsyncEngine, first: int, steps: list[tuple[bool, int]]
):
    limit, excess, spent = first, 0, 0
    async with writing(engine) as connection:
        purse_id = await open_limit(connection, 1, first)
        for is_new_limit, amount in steps:
            left, _ = await figures(connection, purse_id)
            if is_new_limit:
                excess = await move_limit(connection, purse_id, amount - limit - excess)
                limit = amount
            else:
                taken = min(amount, left)
                await connection.execute(update(purse).values(available=left - taken))
                spent += taken
            left, _ = await figures(connection, purse_id)
            assert left + spent == limit + excess
            assert left == max(limit - spent, 0)
        await connection.rollback()
