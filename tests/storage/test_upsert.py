"""The twin of storage/upsert.py: on both engines a conflict is answered as the statement says."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.storage.tables import site
from tollbridge.storage.unit_of_work import working
from tollbridge.storage.upsert import upsert


async def test_a_conflict_is_answered(engine: AsyncEngine) -> None:
    async with working(engine) as connection:
        first = upsert(connection, site).values(key="bell", value="1")
        await connection.execute(first.on_conflict_do_nothing())
        query = upsert(connection, site).values(key="bell", value="2")
        kept = query.on_conflict_do_nothing(index_elements=["key"])
        assert (await connection.execute(kept)).rowcount == 0
        seen = select(site.c.value).where(site.c.key == "bell")
        assert (await connection.execute(seen)).scalar_one() == "1"
        changed = query.on_conflict_do_update(
            index_elements=["key"], set_={"value": query.excluded.value}
        )
        await connection.execute(changed.returning(site.c.key))
        assert (await connection.execute(seen)).scalar_one() == "2"
