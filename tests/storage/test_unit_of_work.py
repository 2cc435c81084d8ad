"""Proof that a unit of work is all or nothing and that the version tells of what was kept."""

import asyncio

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.storage.tables import change, site
from tollbridge.storage.unit_of_work import reading, take_turns, working, writing


async def state(engine: AsyncEngine) -> tuple[int, list[str]]:
    async with reading(engine) as connection:
        version = (await connection.execute(select(change.c.version))).scalar_one()
        keys = (await connection.execute(select(site.c.key).order_by(site.c.key))).scalars().all()
    return version, list(keys)


def row(key: str):
    return insert(site).values(key=key, value="1")


async def test_writing_commits_and_bumps_the_version(engine: AsyncEngine):
    async with writing(engine) as connection:
        await connection.execute(row("a"))
    assert await state(engine) == (2, ["a"])


async def test_an_exception_keeps_nothing(engine: AsyncEngine):
    async def fail() -> None:
        async with writing(engine) as connection:
            await connection.execute(row("a"))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await state(engine) == (1, [])


async def test_a_rollback_inside_keeps_nothing_and_is_no_change(engine: AsyncEngine):
    async with writing(engine) as connection:
        await connection.execute(row("a"))
        await connection.rollback()
    assert await state(engine) == (1, [])


async def test_working_commits_and_is_no_change(engine: AsyncEngine):
    async with working(engine) as connection:
        await connection.execute(row("a"))
    assert await state(engine) == (1, ["a"])


async def test_work_that_fails_keeps_nothing(engine: AsyncEngine):
    async def fail() -> None:
        async with working(engine) as connection:
            await connection.execute(row("a"))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await state(engine) == (1, [])


async def test_reading_sees_one_moment(engine: AsyncEngine):
    async with reading(engine) as connection:
        before = (await connection.execute(select(site.c.key))).all()
        async with writing(engine) as other:
            await other.execute(row("a"))
        assert (await connection.execute(select(site.c.key))).all() == before
    assert await state(engine) == (2, ["a"])


async def test_reading_keeps_no_change(engine: AsyncEngine):
    async with reading(engine) as connection:
        if engine.dialect.name == "postgresql":
            with pytest.raises(DBAPIError, match="read-only"):
                await connection.execute(row("a"))
        else:
            await connection.execute(row("a"))
    assert await state(engine) == (1, [])


async def test_writers_that_take_turns_never_overlap(engine: AsyncEngine):
    inside = 0

    async def work(name: str) -> None:
        nonlocal inside
        async with writing(engine) as connection:
            await take_turns(connection, 42)
            assert inside == 0
            inside += 1
            await connection.execute(row(name))
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*(work(f"w{number}") for number in range(4)))
    assert await state(engine) == (5, ["w0", "w1", "w2", "w3"])
