"""Proof that months of usage are gapless ranges of tids and that rows land in theirs."""

from calendar import timegm
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from tollbridge.core.clock import new_tid, now_ms, tid_ms
from tollbridge.storage.engine import driver_url
from tollbridge.storage.migrate import migrate
from tollbridge.storage.partitions import create_partitions, months_around, partitions_before

MOMENTS = st.integers(10**12, timegm((9000, 1, 1, 0, 0, 0)) * 1000)


@given(MOMENTS)
def test_months_are_gapless_and_hold_the_moment(at_ms: int):
    months = months_around(at_ms)
    assert len(months) == 14
    assert all(one.upper == next_.lower for one, next_ in pairwise(months))
    assert tid_ms(months[1].lower) <= at_ms < tid_ms(months[1].upper)
    assert months[0].lower < f"{at_ms:012x}".ljust(32, "f") < months[2].lower


def test_names_say_the_month():
    names = [month.name for month in months_around(timegm((2026, 12, 31, 23, 59, 59)) * 1000)]
    assert names[:3] == ["usage_202611", "usage_202612", "usage_202701"]
    assert names[-1] == "usage_202712"


def test_a_new_tid_falls_into_the_present_month():
    month = months_around(now_ms())[1]
    assert month.lower <= new_tid() < month.upper


async def test_rows_land_in_their_month_and_strays_in_the_default(postgres_url: str):
    await migrate(postgres_url)
    engine = create_async_engine(driver_url(postgres_url))
    late = f"{timegm((2090, 1, 1, 0, 0, 0)) * 1000:012x}" + "0" * 20
    async with engine.begin() as connection:
        for tid in (new_tid(), late):
            await connection.execute(text(_ROW), {"tid": tid})
        found = await connection.execute(
            text("SELECT tableoid::regclass::text FROM usage ORDER BY tid")
        )
        tables = found.scalars().all()
    await engine.dispose()
    assert tables == [months_around(now_ms())[1].name, "usage_default"]


async def test_upkeep_adds_what_is_missing(postgres_url: str):
    await migrate(postgres_url)
    engine = create_async_engine(driver_url(postgres_url))
    later = timegm((2032, 2, 1, 0, 0, 0)) * 1000

    def upkeep(connection: Connection) -> None:
        create_partitions(connection, later)
        create_partitions(connection, later)

    async with engine.begin() as connection:
        await connection.run_sync(upkeep)
        exists = await connection.execute(text("SELECT to_regclass('usage_203202') IS NOT NULL"))
        assert exists.scalar_one()
    await engine.dispose()


_ROW = """
INSERT INTO usage (tid, at_ms, user_id, key_id, key_name, wallet_id, channel_id, channel_name,
  model_asked, surface, stream, status, end_state, flags, input, cache_read, cache_write_5m,
  cache_write_1h, output, reasoning, audio_input, audio_output, image_input, image_output,
  multiplier_num, multiplier_den, charge, list_cost, own_cost, loss, held, total_ms)
VALUES (:tid, 1, 1, 1, 'k', 1, 1, 'c', 'm', 'chat', false, 200, 'complete', '',
  1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 1, 1)
"""


async def test_months_below_a_tid_are_found_the_oldest_first(postgres_url: str):
    await migrate(postgres_url)
    engine = create_async_engine(driver_url(postgres_url))
    months = months_around(now_ms())
    async with engine.connect() as connection:
        for tid, count in ((months[0].upper, 1), (months[2].upper, 3), (months[1].upper[:-1], 1)):
            found = await connection.run_sync(partitions_before, tid)
            assert found == [month.name for month in months[:count]]
    await engine.dispose()
