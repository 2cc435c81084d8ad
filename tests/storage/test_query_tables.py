"""Proof that the query tables carry the indexes that usage does not."""

from sqlalchemy import inspect
from sqlalchemy.ext.asyncio import AsyncEngine


async def test_calls_are_found_by_user_key_channel_and_model(engine: AsyncEngine):
    async with engine.connect() as connection:
        indexes = await connection.run_sync(lambda sync: inspect(sync).get_indexes("call_index"))
    columns = {tuple(index["column_names"]) for index in indexes}
    assert columns >= {
        ("user_id", "tid"),
        ("key_id", "tid"),
        ("channel_id", "tid"),
        ("user_id", "model", "tid"),
    }
