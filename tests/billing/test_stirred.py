"""Proof that whose money moved is found, a piece at a time, and what each line did."""

from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services.control_plane import database_url, engine
from tests.worker.spenders import START, Spenders
from tollbridge.billing.stirred import Line, Span, Stirred, lines_of, stirred_after
from tollbridge.core.clock import first_id
from tollbridge.storage.unit_of_work import reading

__all__ = ["database_url", "engine"]


async def moved(made: Spenders, after: int = 0, most: int = 100) -> Stirred:
    async with reading(made.engine) as connection:
        return await stirred_after(connection, after, most=most)


async def test_keys_wallets_and_when_their_calls_began(engine: AsyncEngine):
    made = Spenders(engine)
    await made.open()
    assert await moved(made) == Stirred({}, {}, frozenset(), 0, more=False)
    await made.call(11, 5, START - 9)
    await made.call(12, 5, START - 3)
    await made.call(11, 5, START)
    # Without a charge there is no line.
    await made.call(22, 0)
    await made.grant(2, 7)
    assert await moved(made) == Stirred(
        {11: Span(START - 9, START), 12: Span(START - 3, START - 3)},
        {100: Span(START - 9, START)},
        frozenset({200}),
        first_id(START) + 4,
        more=False,
    )
    assert (await moved(made)).wallets == {100, 200}


async def test_a_piece_ends_after_so_many_lines(engine: AsyncEngine):
    made = Spenders(engine)
    await made.open()
    for key in (11, 21):
        await made.call(key, 5)
    first = await moved(made, most=1)
    assert (set(first.keys), first.more) == ({11}, True)
    second = await moved(made, first.upto, most=2)
    assert (set(second.keys), second.more) == ({21}, False)
    assert (await moved(made, second.upto)).upto == second.upto


async def test_lines_are_signed_and_come_newest_first(engine: AsyncEngine):
    made = Spenders(engine)
    await made.open()
    tid, _ = await made.call(11, 5, START - 9)
    await made.call(21, 5)
    await made.grant(1, 7)
    await made.late(tid, 2)
    await made.reverse(tid)
    async with reading(engine) as connection:
        lines = await lines_of(connection, [100], first_id(START))
        assert await lines_of(connection, [], 0) == []
        assert await lines_of(connection, [100], lines[0].id) == []
    began = START - 9
    assert [line[1:] for line in lines] == [
        (100, -7, tid, 11, began),
        (100, 2, tid, 11, began),
        (100, -7, None, None, 0),
        (100, 5, tid, 11, began),
    ]
    assert isinstance(lines[0], Line)
