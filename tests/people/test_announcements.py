"""Announcements are kept within bounds, and every change of one is noted with what was before."""

from dataclasses import replace

import pytest

from tests.people.operators import BOSS, noted
from tests.services.pages import House
from tollbridge.core.clock import now_ms
from tollbridge.people.announcements import (
    BODY_MAX,
    TITLE_MAX,
    Announcement,
    NoSuchAnnouncement,
    announce,
    change,
    end,
    find,
    list_all,
)
from tollbridge.storage.unit_of_work import reading, working

WISH = Announcement("news", "New models", "There are **more**.", "en", 1_000, 9_000)


async def test_what_is_written_is_found(house: House):
    async with working(house.engine) as connection:
        numbers = [await announce(connection, BOSS, WISH, now_ms()) for _ in range(3)]
    async with reading(house.engine) as connection:
        assert await find(connection, numbers[0]) == WISH
        assert await find(connection, 1) is None
        found = await list_all(connection, limit=2)
        assert [row["id"] for row in found] == numbers[:0:-1]
        rest = await list_all(connection, before=numbers[1])
        assert [row["id"] for row in rest] == numbers[:1]


async def test_only_what_changed_is_noted(house: House):
    async with working(house.engine) as connection:
        number = await announce(connection, BOSS, WISH, now_ms())
        await change(connection, BOSS, number, WISH, now_ms())
        await change(connection, BOSS, number, replace(WISH, ends_ms=None), now_ms())
    made, changed = await noted(house)
    assert made[2]["after"]["title"] == WISH.title
    assert changed[2] == {"after": {"ends_ms": None}, "before": {"ends_ms": 9_000}}


async def test_it_ends_once(house: House):
    async with working(house.engine) as connection:
        number = await announce(connection, BOSS, replace(WISH, ends_ms=None), 2_000)
        assert await end(connection, BOSS, number, 500)
        assert not await end(connection, BOSS, number, 600)
        found = await find(connection, number)
    assert found is not None and (found.starts_ms, found.ends_ms) == (500, 500)
    assert [line[0] for line in await noted(house)] == ["announcement.make", "announcement.end"]


@pytest.mark.parametrize(
    "bad",
    [{"level": "x"}, {"language": "de"}, {"title": ""}, {"title": "x" * (TITLE_MAX + 1)},
     {"body": ""}, {"body": "x" * (BODY_MAX + 1)}, {"ends_ms": 1_000}],
)  # fmt: skip
async def test_what_is_out_of_bounds(house: House, bad: dict[str, object]):
    wish = Announcement(**{**{name: getattr(WISH, name) for name in WISH.__slots__}, **bad})
    async with working(house.engine) as connection:
        with pytest.raises(ValueError, match=r"announcement|level"):
            await announce(connection, BOSS, wish, now_ms())


async def test_what_is_not_there(house: House):
    async with working(house.engine) as connection:
        for attempt in (change(connection, BOSS, 1, WISH, 2), end(connection, BOSS, 1, 2)):
            with pytest.raises(NoSuchAnnouncement):
                await attempt
