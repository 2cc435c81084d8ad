"""Proof that one run empties the feed, or asks for another, and tells how long rows waited."""

from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.usage_writer import expected, fed, feed, indexed, make_calls
from tests.worker.watching import Remembered
from tollbridge.core.clock import new_tid
from tollbridge.storage.call_index import chunk_of
from tollbridge.storage.unit_of_work import working
from tollbridge.worker import usage_index
from tollbridge.worker.usage_index import UsageIndex


async def fill(engine: AsyncEngine, rows: int) -> None:
    tid = new_tid()
    async with working(engine) as connection:
        await make_calls(connection, [tid])
        await feed(connection, [tid] * (rows - 1))


async def test_a_run_empties_the_feed(engine: AsyncEngine):
    gauges = Remembered()
    await fill(engine, 2 * chunk_of(engine) + 1)
    index = UsageIndex(engine, gauges)
    while await index.run():
        pass
    assert await fed(engine) == 0
    assert await indexed(engine) == await expected(engine)
    assert gauges.lags[-1] >= 0


async def test_with_nothing_to_do_nothing_waited(engine: AsyncEngine):
    gauges = Remembered()
    assert await UsageIndex(engine, gauges).run() is False
    assert gauges.lags == [0]


async def test_the_lag_counts_from_when_the_feed_was_last_seen_empty(engine: AsyncEngine):
    gauges = Remembered()
    index = UsageIndex(engine, gauges)
    index._indexed_to -= 5_000
    await fill(engine, 1)
    await index.run()
    assert 5_000 <= gauges.lags[-1] < 5_000 + usage_index._AWAY_MS
    await fill(engine, 1)
    await index.run()
    assert len(gauges.lags) == 2


async def test_who_was_not_the_leader_cannot_tell_what_waited(engine: AsyncEngine):
    gauges = Remembered()
    index = UsageIndex(engine, gauges)
    index._indexed_to = index._ran_at = index._ran_at - 10 * usage_index._AWAY_MS
    await fill(engine, 1)
    await index.run()
    assert gauges.lags[-1] < 10 * usage_index._AWAY_MS
