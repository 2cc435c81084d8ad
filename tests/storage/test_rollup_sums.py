"""Proof that the database's sums are those made by hand, for strange rows too."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.rollup_oracle import LARGEST, by_hand, call, tid_at
from tests.storage.usage_writer import make_calls
from tollbridge.core.errors import Kind
from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.rollup_marks import DAY, Slot
from tollbridge.storage.rollup_sums import COLUMNS, from_usage
from tollbridge.storage.unit_of_work import reading, working

_DAY_MS = 1_699_920_000_000
_BIG = st.one_of(st.integers(0, 9), st.integers(0, LARGEST), st.just(LARGEST))
_CALLS = st.fixed_dictionaries(
    {
        "user_id": st.integers(1, 2),
        "model_asked": st.sampled_from(["m", "Modell ü", ""]),
        "status": st.sampled_from([200, 204, 499, 502, 0, 99, 900, 2**31 - 1]),
        "end_state": st.sampled_from(["complete", "limited", "client_gone", "partial", "refused"]),
        "error_kind": st.one_of(st.none(), st.sampled_from([kind.value for kind in Kind])),
        "input": _BIG,
        "image_output": _BIG,
        "reasoning": _BIG,
        "reversed": st.integers(0, 1),
        "list_cost": _BIG,
        "own_cost": _BIG,
        "first_token_ms": st.one_of(st.none(), st.integers(0, 100_000), _BIG),
        "total_ms": _BIG,
        "items": st.one_of(
            st.none(),
            st.just('{"request":1}'),
            st.builds(
                lambda count, images: json.dumps({"second": count, "images": images}),
                st.integers(0, 2**62),
                st.lists(st.tuples(st.just("1024x1024"), st.just("high"), st.integers(0, 9))),
            ),
        ),
    }
)


async def rows_of_the_day(engine: AsyncEngine):
    async with reading(engine) as connection:
        return sorted(await from_usage(connection, Slot(DAY, _DAY_MS)))


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(calls=st.lists(_CALLS, max_size=6))
async def test_sums_are_those_made_by_hand(engine: AsyncEngine, calls):
    async with working(engine) as connection:
        await connection.execute(delete(usage))
        for one in calls:
            await make_calls(connection, [tid_at(_DAY_MS + 5)], **one)
    assert await rows_of_the_day(engine) == (await by_hand(engine)).get((DAY, _DAY_MS), [])


async def test_a_slot_has_its_first_millisecond_and_not_the_next_ones(engine: AsyncEngine):
    for ms in (_DAY_MS - 1, _DAY_MS, _DAY_MS + DAY * 1000 - 1, _DAY_MS + DAY * 1000):
        await call(engine, ms)
    [row] = await rows_of_the_day(engine)
    assert row[COLUMNS.index("calls")] == 2


@pytest.mark.parametrize(
    "items",
    [
        "no JSON",
        "[]",
        "{",
        '{"request":"1","images":7}',
        '{"images":[[1],"x",{}]}',
        "{}\n{",
        '{"second":-4}',
    ],
)
async def test_items_that_are_none_count_nothing(engine: AsyncEngine, items: str):
    tid = await call(engine, _DAY_MS)
    await call(engine, _DAY_MS, items='{"request":2,"web_search":3,"character":5}')
    async with working(engine) as connection:
        await connection.execute(update(usage).where(usage.c.tid == tid).values(items=items))
    [row] = await rows_of_the_day(engine)
    at = COLUMNS.index("requests")
    assert row[at : at + 5] == (2, 3, 0, 5, 0)
