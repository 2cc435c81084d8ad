"""The twin of storage/marks.py: a number is kept by its name, and another one over it."""

from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.storage.marks import read_mark, set_mark
from tollbridge.storage.unit_of_work import reading, working


async def test_numbers_are_kept_by_name(engine: AsyncEngine) -> None:
    for value in (7, 2**63, 0):
        async with working(engine) as connection:
            await set_mark(connection, "one", value)
            assert await read_mark(connection, "one") == value
    async with reading(engine) as connection:
        assert await read_mark(connection, "one") == 0 == await read_mark(connection, "two")
