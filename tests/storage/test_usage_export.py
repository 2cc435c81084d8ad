"""Proof that an export has every row of its span once, also while calls are written and indexed."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.usage_writer import make_calls
from tollbridge.core.clock import new_tid, now_ms, tid_ms
from tollbridge.storage.call_index import index_chunk
from tollbridge.storage.ledger_tables import usage, usage_feed
from tollbridge.storage.query_tables import call_index
from tollbridge.storage.unit_of_work import working
from tollbridge.storage.usage_export import FIELDS, NULLABLE, Form, moment, usage_chunks

LATER = 4_000_000_000_000


def tid_at(ms: int, number: int = 0) -> str:
    return f"{ms:012x}7{number:019x}"


async def write(engine: AsyncEngine, tids: list[str], **values) -> None:
    if tids:
        async with working(engine) as connection:
            await make_calls(connection, tids, **values)


async def exported(engine: AsyncEngine, from_ms=0, to_ms=LATER, user=None, chunk=3) -> list[str]:
    return [
        row[0] async for rows in usage_chunks(engine, from_ms, to_ms, user, chunk) for row in rows
    ]


def test_every_column_of_usage_leaves_once():
    assert sorted(field.column for field in FIELDS) == sorted(column.name for column in usage.c)
    assert len({field.name for field in FIELDS}) == len(FIELDS)
    money = {field.column for field in FIELDS if field.form is Form.MONEY}
    assert money == {"charge", "reversed", "list_cost", "own_cost", "loss", "held"}
    assert {"account_id", "model_sent"} <= NULLABLE and not {"tid", "charge_usd"} & NULLABLE


def test_moments_have_milliseconds_and_a_zone():
    assert moment(1_700_000_000_007) == "2023-11-14T22:13:20.007Z"
    assert moment(0) == "1970-01-01T00:00:00.000Z"


async def test_a_span_has_its_first_moment_and_not_its_last(engine: AsyncEngine):
    tids = [tid_at(ms, number) for ms in (999, 1000, 1999, 2000) for number in (0, 1)]
    await write(engine, tids)
    assert await exported(engine, 1000, 2000) == tids[2:6]
    assert await exported(engine, 2000, 3000) == tids[6:]
    assert await exported(engine) == tids


@pytest.mark.parametrize("count", [0, 1, 3, 6, 7])
async def test_whatever_the_last_chunk_has_in_it(engine: AsyncEngine, count: int):
    tids = [tid_at(5, number) for number in range(count)]
    await write(engine, tids)
    assert await exported(engine) == tids


async def test_a_chunk_has_no_more_rows_than_asked(engine: AsyncEngine):
    await write(engine, [tid_at(5, number) for number in range(7)])
    sizes = [len(rows) async for rows in usage_chunks(engine, 0, LATER, None, 3)]
    assert sizes == [3, 3, 1]


async def test_calls_of_a_user_are_found_in_the_index_and_before_they_are_in_it(
    engine: AsyncEngine,
):
    mine = [tid_at(5, number) for number in range(0, 20, 2)]
    await write(engine, mine[:6], user_id=1)
    await index_chunk(engine)
    await write(engine, mine[6:], user_id=1)
    await write(engine, [tid_at(5, number) for number in range(1, 20, 2)], user_id=2)
    assert await exported(engine, user=1) == mine
    assert await exported(engine, user=3) == []


async def test_an_index_ahead_of_removed_rows_ends_nothing_early(engine: AsyncEngine):
    tids = [tid_at(5, number) for number in range(9)]
    await write(engine, tids, user_id=1)
    await index_chunk(engine)
    async with working(engine) as connection:
        await connection.execute(delete(usage).where(usage.c.tid.in_(tids[:4])))
    assert await exported(engine, user=1) == tids[4:]


@pytest.mark.parametrize("user", [None, 1])
async def test_beside_a_writer_each_row_comes_once(engine: AsyncEngine, user: int | None):
    before = sorted(new_tid() for _ in range(60))
    await write(engine, before, user_id=1)
    upto = max(tid_ms(before[-1]) + 1, now_ms())
    over = asyncio.Event()

    async def disturb() -> None:
        while not over.is_set():
            await write(engine, [new_tid()], user_id=1)
            await index_chunk(engine)
            await asyncio.sleep(0)

    writer = asyncio.create_task(disturb())
    found = await exported(engine, 0, LATER, user)
    over.set()
    await writer
    assert found == sorted(set(found))
    assert [tid for tid in found if tid_ms(tid) < upto][: len(before)] == before


_CALLS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 3), st.booleans()),
    max_size=25,
    unique_by=lambda c: c[0],
)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(calls=_CALLS, first=st.integers(0, 30), last=st.integers(0, 31), chunk=st.integers(1, 9),
       user=st.sampled_from([None, 1, 2]))  # fmt: skip
async def test_any_span_of_any_user(engine: AsyncEngine, calls, first, last, chunk, user):
    async with working(engine) as connection:
        for table in (usage, usage_feed, call_index):
            await connection.execute(delete(table))
    for indexed in (True, False):
        for ms, owner, early in calls:
            if early is indexed:
                await write(engine, [tid_at(ms)], user_id=owner)
        if indexed:
            await index_chunk(engine)
    wanted = sorted(
        tid_at(ms) for ms, owner, _ in calls if first <= ms < last and user in {None, owner}
    )
    assert await exported(engine, first, last, user, chunk) == wanted
