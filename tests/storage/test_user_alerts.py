"""Proof that a mark is written once, by one of two who try, and goes with its transaction."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services.control_plane import database_url, engine
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.user_alerts import LIMIT_KINDS, UserMark, forget_marks, mark_told, marks_of

__all__ = ["database_url", "engine"]
MARK = UserMark(1, 11, "key_limit_80", 500)


async def put(engine: AsyncEngine, mark: UserMark) -> bool:
    async with working(engine) as connection:
        return await mark_told(connection, mark, 7)


async def test_of_many_at_once_one_writes(engine: AsyncEngine):
    assert sorted(await asyncio.gather(*(put(engine, MARK) for _ in range(5)))) == [False] * 4 + [
        True
    ]


async def test_each_part_of_a_mark_tells_it_from_others(engine: AsyncEngine):
    marks = {
        MARK,
        MARK._replace(user_id=2),
        MARK._replace(key_id=0),
        MARK._replace(kind="key_limit_100"),
        MARK._replace(window_ms=501),
    }
    for mark in marks:
        assert await put(engine, mark)
    async with reading(engine) as connection:
        found = await marks_of(connection, [1, 2, 3])
    assert found == {1: marks - {MARK._replace(user_id=2)}, 2: {MARK._replace(user_id=2)}, 3: set()}


async def test_what_is_rolled_back_can_be_told_again(engine: AsyncEngine):
    async with working(engine) as connection:
        assert await mark_told(connection, MARK, 7)
        await connection.rollback()
    assert await put(engine, MARK)


async def test_only_the_kinds_of_that_key_are_forgotten(engine: AsyncEngine):
    kept = {MARK._replace(key_id=12), MARK._replace(kind="key_budget_day_80")}
    for mark in kept | {MARK, MARK._replace(kind="key_limit_100")}:
        await put(engine, mark)
    async with working(engine) as connection:
        await forget_marks(connection, 1, 11, LIMIT_KINDS)
    async with reading(engine) as connection:
        assert await marks_of(connection, [1]) == {1: kept}
