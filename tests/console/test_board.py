"""The twin of console/board.py: one who reads, the others take what there is; old is better than none."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from tests.services.pages import House
from tollbridge.console.board import Board
from tollbridge.core.clock import now_ms
from tollbridge.storage.unit_of_work import writing


async def test_many_at_once_read_once(house: House) -> None:
    board, at = Board(house.engine), now_ms()
    seen = await asyncio.gather(*(board.look(at) for _ in range(20)))
    assert all(one is seen[0] for one in seen)
    later = await asyncio.gather(*(board.look(at + 30_000) for _ in range(20)))
    # Whoever came while it was read anew got what there was.
    assert sum(one is seen[0] for one in later) == 19
    assert await board.look(at + 30_001) is not seen[0]


async def test_without_the_database_the_last_is_shown_and_tried_again_soon(house: House) -> None:
    board, fresh, at = Board(house.engine), Board(house.engine), now_ms()
    seen = await board.look(at)
    async with writing(house.engine) as connection:
        await connection.execute(text("ALTER TABLE announcements RENAME TO elsewhere"))
    assert await board.look(at + 30_000) is seen
    with pytest.raises(SQLAlchemyError):
        await fresh.look(at)
    async with writing(house.engine) as connection:
        await connection.execute(text("ALTER TABLE elsewhere RENAME TO announcements"))
    assert await board.look(at + 34_999) is seen
    assert await board.look(at + 35_000) is not seen
