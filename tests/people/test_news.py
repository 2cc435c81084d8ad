"""Proof that announcements are shown while they last, and to readers of their language."""

from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.people.news import news_of_now
from tollbridge.storage.people_tables import announcements
from tollbridge.storage.unit_of_work import working

NOW = 1_767_225_600_000


async def announce(connection: AsyncConnection, number: int, **values: Any) -> None:
    row = {
        "id": number, "level": "news", "title": f"title {number}", "body": "text", "language": "",
        "starts_ms": NOW - 10 + number, "ends_ms": None, "created_ms": NOW, **values,
    }  # fmt: skip
    await connection.execute(insert(announcements).values(row))


async def test_what_has_begun_and_not_ended_is_shown(engine: AsyncEngine):
    async with working(engine) as connection:
        await announce(connection, 1)
        await announce(connection, 2, ends_ms=NOW)
        await announce(connection, 3, ends_ms=NOW + 1, level="incident")
        await announce(connection, 4, starts_ms=NOW + 1)
        await announce(connection, 5, starts_ms=NOW)
        await announce(connection, 6, language="zh_Hans")
        await announce(connection, 7, language="en")
        shown = {
            language: [one.id for one in await news_of_now(connection, language, NOW)]
            for language in ("en", "zh_Hans")
        }
    assert shown == {"en": [5, 7, 3, 1], "zh_Hans": [5, 6, 3, 1]}


async def test_never_more_than_five(engine: AsyncEngine):
    async with working(engine) as connection:
        for number in range(9):
            await announce(connection, number + 1)
        assert [one.id for one in await news_of_now(connection, "en", NOW)] == [9, 8, 7, 6, 5]
