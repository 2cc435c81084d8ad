"""The twin of billing/losses.py: what no wallet covered is found once, piece by piece."""

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services.control_plane import database_url, engine
from tests.services.losses import lost
from tollbridge.billing.losses import Loss, losses_after
from tollbridge.core.clock import first_id, now_ms
from tollbridge.storage.ledger_tables import journal
from tollbridge.storage.unit_of_work import working

__all__ = ["database_url", "engine"]
NOW = now_ms()
START = first_id(NOW - 10_000)


async def look(engine: AsyncEngine, after: int = START, before_ms: int = NOW, most: int = 100):
    async with working(engine) as connection:
        return await losses_after(connection, after, before_ms, most=most)


async def test_losses_by_wallet(engine: AsyncEngine):
    await lost(engine, 7, 5, NOW - 900)
    await lost(engine, 8, 2**62, NOW - 800)
    await lost(engine, 7, 6, NOW - 700)
    piece = await look(engine)
    assert piece.losses == [Loss(7, 11, 2, NOW - 700), Loss(8, 2**62, 1, NOW - 800)]
    assert piece.upto == first_id(NOW - 700)
    assert not piece.more
    again = await look(engine, piece.upto)
    assert (again.losses, again.upto, again.more) == ([], piece.upto, False)


async def test_what_is_too_young_is_for_the_next_look(engine: AsyncEngine):
    await lost(engine, 7, 5, NOW - 900)
    await lost(engine, 7, 6, NOW)
    piece = await look(engine)
    assert piece.losses == [Loss(7, 5, 1, NOW - 900)]
    assert (await look(engine, piece.upto, NOW + 1)).losses == [Loss(7, 6, 1, NOW)]


async def test_what_came_back_is_taken_off(engine: AsyncEngine):
    back = await lost(engine, 7, 5, NOW - 900)
    await lost(engine, 7, -5, NOW - 800, "late_loss", back)
    less = await lost(engine, 8, 9, NOW - 700)
    await lost(engine, 8, -2, NOW - 600, "late_loss", less)
    more = await lost(engine, 9, 1, NOW - 500)
    await lost(engine, 9, 2, NOW - 400, "late_loss", more)
    assert (await look(engine)).losses == [Loss(8, 7, 1, NOW - 600), Loss(9, 3, 1, NOW - 400)]


async def test_other_lines_are_no_losses(engine: AsyncEngine):
    async with working(engine) as connection:
        await connection.execute(
            insert(journal).values(
                id=first_id(NOW - 5), at_ms=NOW - 5, debit="promo", credit="wallet:7", amount=5,
                kind="grant", ref="g",
            )
        )  # fmt: skip
    piece = await look(engine)
    assert (piece.losses, piece.upto) == ([], first_id(NOW - 5))


@pytest.mark.parametrize("most", [1, 2, 3, 4])
async def test_a_long_journal_is_read_in_pieces(engine: AsyncEngine, most: int):
    for number in range(3):
        await lost(engine, 7, 10**number, NOW - 900 + number)
    after, total, pieces = START, 0, 0
    while True:
        piece = await look(engine, after, most=most)
        total += sum(loss.amount for loss in piece.losses)
        after, pieces = piece.upto, pieces + 1
        if not piece.more:
            break
    assert total == 111
    assert pieces == 3 // most + 1
