"""Proof that the floor of usage only rises, and that SQL reads the same one."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.usage_floor import FLOOR_SQL, raise_usage_floor, usage_floor_ms

DAY_MS = 86_400_000


async def floors(engine: AsyncEngine) -> tuple[int, str]:
    async with reading(engine) as connection:
        as_sql = (await connection.execute(text(f"SELECT {FLOOR_SQL}"))).scalar_one()
        return await usage_floor_ms(connection), as_sql


async def test_it_rises_and_never_falls(engine: AsyncEngine):
    assert await floors(engine) == (0, "")
    highest = 0
    for days in (20_000, 19_000, 20_001, 20_001):
        async with working(engine) as connection:
            await raise_usage_floor(connection, days * DAY_MS)
        highest = max(highest, days * DAY_MS)
        assert await floors(engine) == (highest, f"{highest:012x}{'0' * 20}")
