"""Proof that what is spent of a budget is exact at every moment, and which line did it."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services.control_plane import database_url, engine
from tests.worker.spenders import START, Spenders
from tollbridge.billing.levels import Crossing, Level, Owner, crossing, days_left, spent_within
from tollbridge.billing.stirred import Line
from tollbridge.core.periods import PERIODS, period_at
from tollbridge.storage.call_index import index_chunk
from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.rollups import FOREVER, begin, recompute
from tollbridge.storage.unit_of_work import reading

__all__ = ["database_url", "engine"]
HOUR = 3_600_000
OWNER = Owner(1, "a@b.org", 100, 0, 0, None)


def lines(*amounts: int) -> list[Line]:
    """Return lines in their order, the newest first."""
    made = [Line(at, 100, amount, f"c{at}", 11, 0) for at, amount in enumerate(amounts)]
    return made[::-1]


@pytest.mark.parametrize(
    ("amounts", "mark", "found"),
    [
        ((50, 29, 1, 5), 80, 2),
        ((50, 50), 80, 1),
        ((80,), 80, 0),
        # Back under the mark and over it again: the second time counts.
        ((90, -20, 5, 10), 80, 3),
        ((90, -5, 5), 80, 0),
        ((80, 0), 80, 0),
    ],
)
def test_the_call_is_the_last_that_took_it_there(amounts, mark, found):
    assert crossing(lines(*amounts), sum(amounts), mark) == Crossing(f"c{found}")


def test_nobody_did_it_where_it_was_there_before():
    assert crossing(lines(1, 2), 90, 80) is None
    assert crossing([], 90, 80) is None


@given(limit=st.integers(1, 2**62), percent=st.sampled_from([80, 100]))
def test_the_mark_is_the_least_that_reaches_the_percentage(limit, percent):
    mark = Level(OWNER, "budget", 0, "", 0, limit, 0).mark(percent)
    assert Level(OWNER, "budget", 0, "", mark, limit, 0).reached(percent)
    assert not Level(OWNER, "budget", 0, "", mark - 1, limit, 0).reached(percent)


_STEP = st.one_of(
    st.tuples(st.just("call"), st.sampled_from([11, 12, 21]), st.integers(0, 40 * 24)),
    st.tuples(st.just("reverse"), st.integers(0, 10)),
    st.tuples(st.just("late"), st.integers(0, 10), st.integers(-50, 50)),
    st.tuples(st.just("index")),
    st.tuples(st.just("recompute")),
)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(_STEP, max_size=30), is_begun=st.booleans())
async def test_what_is_spent_is_the_sum_of_the_calls_whatever_is_behind(
    engine: AsyncEngine, steps: Any, is_begun: bool
):
    made = Spenders(engine)
    await made.open(100_000)
    if is_begun:
        await begin(engine, START)
    for what, *how in steps:
        if what == "call":
            await made.call(how[0], 100 + how[1], START - how[1] * HOUR)
        elif what == "index":
            await index_chunk(engine)
        elif what == "recompute":
            await recompute(engine, FOREVER)
        elif how[0] < len(made.calls):
            await getattr(made, what)(list(made.calls)[how[0]], *how[1:])
        for period in PERIODS:
            window = period_at(period, START)
            mine = select(usage.c.charge - usage.c.reversed).where(
                usage.c.user_id == 1,
                usage.c.at_ms >= window.start_ms,
                usage.c.at_ms < window.end_ms,
            )
            async with reading(engine) as connection:
                found = await spent_within(connection, 1, window, START)
                assert found == sum((await connection.execute(mine)).scalars())


async def test_how_long_a_balance_lasts(engine: AsyncEngine):
    made = Spenders(engine)
    await made.open(100_000)
    await begin(engine, START)
    for days in (1, 6, 8):
        await made.call(11, 700, START - days * 24 * HOUR)
    async with reading(engine) as connection:
        assert await days_left(connection, 1, 999, START) is None
    await index_chunk(engine)
    while await recompute(engine, FOREVER):
        pass
    async with reading(engine) as connection:
        # 1,400 in seven days are 200 a day.
        assert await days_left(connection, 1, 999, START) == 4
        assert await days_left(connection, 1, 199, START) == 0
        assert await days_left(connection, 2, 999, START) is None
