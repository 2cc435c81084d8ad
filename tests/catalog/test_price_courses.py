"""Proof that whatever is applied when, exactly the wanted course of prices is in the table.

Random plans with later prices are applied at random moments, on both engines, beside a model of what
should hold: a list of (from, price) that every application replaces from its moment on.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import RowMapping, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.catalog.plan import LaterPlan, PricePlan
from tollbridge.catalog.price_rows import match_price, next_change_ms, price_of, valid_at
from tollbridge.core.clock import new_id
from tollbridge.storage.tables import models, prices
from tollbridge.storage.unit_of_work import writing

FAR = 1_000


class Step(NamedTuple):
    """One application: the price now, the later ones by their moments, None being no price."""

    at_ms: int
    now: int | None
    later: tuple[tuple[int, int], ...]


def plan(rate: int) -> PricePlan:
    return PricePlan(
        MappingProxyType({"input": rate, "output": rate}), (), MappingProxyType({}), ()
    )


steps = st.builds(
    lambda gap, now, later: (gap, now, tuple(sorted(later.items()))),
    st.integers(0, 30),
    st.none() | st.integers(1, 3),
    st.dictionaries(st.integers(1, 120), st.integers(1, 3), max_size=3),
)


def timed(drawn: Sequence[Any]) -> list[Step]:
    """Give each step its moment, never before the last one's."""
    at_ms, found = 10, []
    for gap, now, later in drawn:
        at_ms += gap
        found.append(Step(at_ms, now, later))
    return found


def wanted(step: Step, at_ms: int) -> int | None:
    """Return the price that a step asks for at a moment of its own or after it."""
    price = step.now
    for from_ms, rate in step.later:
        if from_ms <= at_ms:
            price = rate
    return price


def expected(done: Sequence[Step], at_ms: int) -> int | None:
    """Return what holds at a moment: the last application until then decides."""
    deciding = [step for step in done if step.at_ms <= at_ms]
    return wanted(deciding[-1], at_ms) if deciding else None


async def add_model(connection: AsyncConnection) -> int:
    model_id = new_id()
    columns: Mapping[str, Any] = {
        "name": f"m{model_id}", "context": 1, "max_output": 1, "sizes": "[]", "efforts": "[]",
        "n_max": 0, "prompt_max": 0, "text_max": 0, "enabled": True,
    }  # fmt: skip
    await connection.execute(insert(models).values(id=model_id, created_ms=1, **columns))
    return model_id


async def apply(connection: AsyncConnection, model_id: int, step: Step) -> bool:
    later = [LaterPlan(from_ms, plan(rate)) for from_ms, rate in step.later]
    now = None if step.now is None else plan(step.now)
    return await match_price(connection, model_id, now, step.at_ms, later)


async def rows_of(connection: AsyncConnection, model_id: int) -> list[RowMapping]:
    query = select(prices).where(prices.c.model_id == model_id).order_by(prices.c.id)
    return list((await connection.execute(query)).mappings())


async def in_force(connection: AsyncConnection, model_id: int, at_ms: int) -> int | None:
    """Return the rate at a moment as the loader would find it; fails where two rows hold."""
    query = select(prices).where(prices.c.model_id == model_id, valid_at(at_ms))
    row = (await connection.execute(query)).mappings().one_or_none()
    return price_of(row, "m").rates.input if row else None


def holds(row: RowMapping, at_ms: int) -> bool:
    ends = row["valid_to_ms"]
    return bool(row["valid_from_ms"] <= at_ms and (ends is None or at_ms < ends))


def untouched(before: Sequence[RowMapping], after: Sequence[RowMapping], at_ms: int) -> None:
    """Fail unless nothing of a row but its end has changed, and no end before the moment."""
    found = {row["id"]: row for row in after}
    for row in before:
        left, now = dict(row), dict(found[row["id"]])
        ended, ends = left.pop("valid_to_ms"), now.pop("valid_to_ms")
        assert left == now
        assert ends == ended or (
            (ended is None or ended > at_ms) and (ends is None or ends >= at_ms)
        )


async def check(connection: AsyncConnection, model_id: int, done: Sequence[Step]) -> None:
    rows = await rows_of(connection, model_id)
    assert sum(row["valid_to_ms"] is None for row in rows) <= 1
    for at_ms in range(done[-1].at_ms + 125):
        holding = [row for row in rows if holds(row, at_ms)]
        assert len(holding) <= 1
        rate = price_of(holding[0], "m").rates.input if holding else None
        assert rate == expected(done, at_ms)
    for at_ms in (done[0].at_ms, done[-1].at_ms, FAR):
        assert await in_force(connection, model_id, at_ms) == expected(done, at_ms)


@pytest.mark.timeout(180)
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(drawn=st.lists(steps, min_size=1, max_size=5))
async def test_exactly_the_wanted_course_holds(engine: AsyncEngine, drawn: Sequence[Any]):
    done: list[Step] = []
    async with writing(engine) as connection:
        model_id = await add_model(connection)
        for step in timed(drawn):
            before = await rows_of(connection, model_id)
            await apply(connection, model_id, step)
            after = await rows_of(connection, model_id)
            untouched(before, after, step.at_ms)
            # Again, now or later, it is the same wish: nothing differs and nothing is written.
            assert not await apply(connection, model_id, step)
            for later_ms in (step.at_ms + 1, step.at_ms + 60, FAR):
                assert not await apply(connection, model_id, step._replace(at_ms=later_ms))
            assert await rows_of(connection, model_id) == after
            done.append(step)
            await check(connection, model_id, done)
        await connection.rollback()


@pytest.mark.timeout(120)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(drawn=st.lists(steps, min_size=1, max_size=3))
async def test_the_next_change_is_the_next_moment_at_which_anything_differs(
    engine: AsyncEngine, drawn: Sequence[Any]
):
    async with writing(engine) as connection:
        model_id = await add_model(connection)
        done = timed(drawn)
        for step in done:
            await apply(connection, model_id, step)
        rows = await rows_of(connection, model_id)
        at_ms: int | None = 0
        while at_ms is not None:
            here = [row["id"] for row in rows if holds(row, at_ms)]
            following = await next_change_ms(connection, at_ms)
            assert following is None or following > at_ms
            # Until then the same row holds, and at that moment another one or none.
            for other in range(at_ms, FAR if following is None else following):
                assert [row["id"] for row in rows if holds(row, other)] == here
            if following is not None:
                assert [row["id"] for row in rows if holds(row, following)] != here
            at_ms = following
        await connection.rollback()
