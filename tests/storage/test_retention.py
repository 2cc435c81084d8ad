"""Proof that old calls go, that their sums stay, and that the books of what is left hold."""

from typing import Any

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.rollup_oracle import call, catch_up, in_the_table, tid_at
from tests.storage.usage_writer import feed, indexed, make_calls
from tollbridge.billing.verify import audit, verify
from tollbridge.core.clock import new_id, now_ms
from tollbridge.storage.ledger_tables import hold, journal, purse, usage
from tollbridge.storage.partitions import create_partitions, months_around
from tollbridge.storage.retention import remove_old_calls
from tollbridge.storage.rollups import begin, rebuild
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.usage_floor import usage_floor_ms

DAY_MS = 86_400_000
KEEP = 40
AGES = (0, 1, 39, 40, 41, 75, 120, 200)
HOLD = {"amount": 1, "covered": 0, "node_id": 1, "epoch": 1, "at_ms": 1, "bill": "{}"}


async def shop(engine: AsyncEngine, *, late: bool = True) -> dict[int, str]:
    """Make paid calls of some ages in days, roll-ups made; return their tids by age."""
    now = now_ms()
    if engine.dialect.name == "postgresql":
        async with working(engine) as connection:
            for table in ("usage", "call_index"):
                await connection.run_sync(create_partitions, now - 90 * DAY_MS, table)
    await begin(engine, now)
    tids = {age: tid_at(now - age * DAY_MS) for age in AGES}
    async with working(engine) as connection:
        await make_calls(connection, [*tids.values()], user_id=1, wallet_id=1)
        left = 1000 - len(tids)
        await connection.execute(
            insert(purse).values(id=1, kind="wallet", owner_id=1, available=left, held=0)
        )
        await entry(connection, "promo", "wallet:1", 1000, "grant", "g")
        for tid in tids.values():
            await entry(connection, "wallet:1", "revenue", 1, "charge", tid)
    if late:
        await catch_up(engine)
    return tids


async def entry(connection: Any, debit: str, credit: str, amount: int, kind: str, ref: str) -> None:
    await connection.execute(
        insert(journal).values(
            id=new_id(), at_ms=now_ms(), debit=debit, credit=credit, amount=amount, kind=kind,
            ref=ref,
        )
    )  # fmt: skip


async def remove(engine: AsyncEngine, keep: int = KEEP) -> None:
    """Remove all that is too old, a call at a time."""
    while await remove_old_calls(engine, keep, now_ms(), at_once=1):
        pass


async def left(engine: AsyncEngine) -> list[str]:
    async with reading(engine) as connection:
        return list((await connection.execute(select(usage.c.tid).order_by(usage.c.tid))).scalars())


async def test_old_calls_go_and_the_books_hold(engine: AsyncEngine):
    tids = await shop(engine)
    assert await verify(engine, full=True) == []
    sums = await in_the_table(engine)
    await remove(engine)
    kept = sorted(tid for age, tid in tids.items() if age <= KEEP)
    assert await left(engine) == kept
    assert [row[0] for row in await indexed(engine)] == kept
    for full in (True, False):
        assert await verify(engine, full=full) == []
    assert (await audit(engine, full=True)).calls == len(kept)
    assert await in_the_table(engine) == sums
    await rebuild(engine, 0, now_ms())
    await catch_up(engine)
    assert await in_the_table(engine) == sums
    async with reading(engine) as connection:
        lines = (await connection.execute(select(func.count()).select_from(journal))).scalar_one()
    assert lines == 1 + len(AGES)


async def test_halfway_every_sum_and_the_books_hold(engine: AsyncEngine):
    tids = await shop(engine)
    sums = await in_the_table(engine)
    steps = 0
    while await remove_old_calls(engine, KEEP, now_ms(), at_once=1):
        steps += 1
        assert await verify(engine, full=True) == []
        await rebuild(engine, 0, now_ms())
        assert await in_the_table(engine) == sums
    assert steps >= 2
    # A tampered call that is kept is found all the same, and so is a line without its call.
    async with working(engine) as connection:
        await connection.execute(text("UPDATE usage SET charge = 5"))
        await entry(connection, "wallet:1", "revenue", 1, "charge", tid_at(now_ms()))
    found = {finding.invariant for finding in await verify(engine)}
    assert {"I3 charge", "I3 journal"} <= found
    assert tids[0] in await left(engine)


async def test_a_mark_of_a_removed_day_changes_no_sum(engine: AsyncEngine):
    tids = await shop(engine)
    sums = await in_the_table(engine)
    await remove(engine)
    async with working(engine) as connection:
        await feed(connection, [tids[75], tids[200]])
    await catch_up(engine)
    assert await in_the_table(engine) == sums


async def test_nothing_goes_before_its_roll_ups_are_made(engine: AsyncEngine):
    tids = await shop(engine, late=False)
    assert not await remove_old_calls(engine, KEEP, now_ms())
    assert await left(engine) == sorted(tids.values())
    await catch_up(engine)
    await remove(engine)
    assert len(await left(engine)) == 4


async def test_an_open_call_of_such_a_day_is_waited_for(engine: AsyncEngine):
    await shop(engine)
    async with working(engine) as connection:
        tid = tid_at(now_ms() - 50 * DAY_MS)
        await connection.execute(insert(hold).values(tid=tid, wallet_id=1, **HOLD))
    assert not await remove_old_calls(engine, KEEP, now_ms())
    assert len(await left(engine)) == len(AGES)


async def test_a_database_without_roll_ups_is_left_alone(engine: AsyncEngine):
    await call(engine, now_ms() - 100 * DAY_MS)
    assert not await remove_old_calls(engine, KEEP, now_ms())
    assert len(await left(engine)) == 1


async def test_to_keep_more_brings_nothing_back_and_loses_nothing(engine: AsyncEngine):
    await shop(engine)
    await remove(engine, 60)
    await remove(engine, 100)
    assert len(await left(engine)) == 5
    async with reading(engine) as connection:
        floor = await usage_floor_ms(connection)
    assert floor == now_ms() // DAY_MS * DAY_MS - 60 * DAY_MS


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_months_that_are_too_old_are_dropped(engine: AsyncEngine):
    await shop(engine)
    months = {
        month.name
        for table in ("usage", "call_index")
        for month in months_around(now_ms() - 90 * DAY_MS, table)
        if month.upper <= f"{now_ms() // DAY_MS * DAY_MS - KEEP * DAY_MS:012x}"
    }
    assert await standing(engine) >= months
    await remove(engine)
    assert months
    assert not await standing(engine) & months
    assert {"usage_default", months_around(now_ms())[1].name} <= await standing(engine)


async def standing(engine: AsyncEngine) -> set[str]:
    async with reading(engine) as connection:
        found = await connection.execute(text("SELECT relname FROM pg_class WHERE relkind = 'r'"))
        return set(found.scalars())
