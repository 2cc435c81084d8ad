"""Proof that pages of a user's calls join in both directions and never show another user's."""

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services.control_plane import database_url, engine
from tests.storage.usage_writer import make_calls
from tollbridge.billing.usage_page import Asked, UnknownName, UsagePage, read_page
from tollbridge.core.clock import new_tid
from tollbridge.storage.call_index import index_chunk
from tollbridge.storage.unit_of_work import reading, working

__all__ = ["database_url", "engine"]

ME, OTHER = 1, 2


async def fill(engine: AsyncEngine, count: int = 25) -> list[str]:
    """Make calls of two users in turn; return mine, newest first. Each third one failed."""
    tids = sorted(new_tid() for _ in range(2 * count))
    async with working(engine) as connection:
        for number, tid in enumerate(tids):
            one = {"user_id": ME + number % 2, "status": 502 if number % 3 == 0 else 200}
            await make_calls(connection, [tid], **one)
    while await index_chunk(engine):
        pass
    return tids[::2][::-1]


async def page(engine: AsyncEngine, asked: Asked | None = None, **how: Any) -> UsagePage:
    async with reading(engine) as connection:
        return await read_page(connection, ME, asked or Asked(), **how)


def tids(found: UsagePage) -> list[str]:
    return [line.tid for line in found.lines]


async def test_pages_join_both_ways(engine: AsyncEngine):
    mine = await fill(engine)
    for limit in (1, 4, 25, 26):
        seen, pages, after = [], [], None
        while True:
            found = await page(engine, limit=limit, after=after)
            seen += tids(found)
            pages.append(found)
            if found.older is None:
                break
            after = found.older
        assert seen == mine
        assert pages[0].newer is None
        for earlier, later in zip(pages[1:], pages, strict=False):
            back = await page(engine, limit=limit, before=earlier.newer)
            assert tids(back) == tids(later)
            again = await page(engine, limit=limit, after=back.older)
            assert tids(again) == tids(earlier)


async def test_an_empty_page_leads_on_and_back(engine: AsyncEngine):
    mine = await fill(engine)
    none = Asked(status_class=4)
    first = await page(engine, none, limit=5, span=10)
    assert (first.lines, first.older, first.newer) == ((), mine[9], None)
    second = await page(engine, none, limit=5, span=10, after=first.older)
    assert second.older == mine[19]
    # The way back from an empty page misses no call, not even the one it began behind.
    back = await page(engine, limit=5, before=second.newer)
    assert tids(back) == mine[5:10]
    older = await page(engine, none, limit=5, span=10, before=mine[-1])
    assert older.newer == mine[-11]
    forth = await page(engine, limit=2, after=older.older)
    assert tids(forth) == [mine[-1]]


async def test_filters_hold_together(engine: AsyncEngine):
    mine = await fill(engine)
    failed = Asked(status_class=5)
    found = await page(engine, failed, limit=200)
    assert tids(found)
    assert all(line.status == 502 for line in found.lines)
    assert set(tids(found)) < set(mine)


@pytest.mark.parametrize("field", ["key", "channel"])
async def test_unknown_names_are_told(engine: AsyncEngine, field: str):
    with pytest.raises(UnknownName) as error:
        await page(engine, Asked(**{field: "nothing"}), limit=1)
    assert error.value.field == field
