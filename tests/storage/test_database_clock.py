"""Proof that the clock of a database tells milliseconds since 1970 and goes on inside a transaction."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.clock import now_ms
from tollbridge.storage.database_clock import clock_of

_FAR_MS = 60_000


async def test_it_tells_the_time_of_now(engine: AsyncEngine):
    async with engine.connect() as connection:
        told = (await connection.execute(select(clock_of(connection)))).scalar_one()
    assert isinstance(told, int)
    assert abs(told - now_ms()) < _FAR_MS


async def test_it_goes_on_while_a_transaction_lasts(engine: AsyncEngine):
    async with engine.connect() as connection:
        first = (await connection.execute(select(clock_of(connection)))).scalar_one()
        while (await connection.execute(select(clock_of(connection)))).scalar_one() == first:
            pass
