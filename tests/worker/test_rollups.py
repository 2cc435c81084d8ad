"""Proof that one run makes what is due, removes what is old, and asks for another when it is long."""

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.rollup_oracle import by_hand, call, in_the_table
from tollbridge.core.clock import now_ms
from tollbridge.storage.call_index import index_chunk
from tollbridge.storage.query_tables import rollup, rollup_dirty
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.worker.rollups import Rollups

_DAY_MS = 86_400_000


async def hurry(engine: AsyncEngine) -> None:
    """Let every turn come now."""
    async with working(engine) as connection:
        await connection.execute(update(rollup_dirty).values(due_ms=0))


async def test_runs_come_to_the_sums_of_the_rows(engine: AsyncEngine):
    worker = Rollups(engine)
    assert await worker.run() is False
    for ago in (0, 3, 40, 500):
        await call(engine, now_ms() - ago * _DAY_MS, user_id=ago)
    await index_chunk(engine)
    for _ in range(3):
        await hurry(engine)
        assert await worker.run() is False
    assert await in_the_table(engine) == await by_hand(engine)


async def test_old_rows_are_removed(engine: AsyncEngine):
    await call(engine, now_ms())
    worker = Rollups(engine)
    await worker.run()
    async with working(engine) as connection:
        await connection.execute(update(rollup).values(start_ms=rollup.c.start_ms - 20 * _DAY_MS))
    await worker.run()
    async with reading(engine) as connection:
        spans = await connection.execute(
            select(rollup.c.span, func.count()).group_by(rollup.c.span)
        )
        assert 300 not in {span for span, _ in spans}


async def test_a_long_run_asks_for_another(engine: AsyncEngine):
    await call(engine, now_ms())
    await index_chunk(engine)
    await hurry(engine)
    worker = Rollups(engine, run_ms=0)
    assert await worker.run() is True
    while await worker.run():
        pass
    assert len(await in_the_table(engine)) >= 1
