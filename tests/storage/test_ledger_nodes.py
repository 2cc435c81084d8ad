"""The twin of storage/ledger_nodes.py: epochs begin, beat, end and never come back."""

import pytest

from tests.storage import books, pg_books
from tollbridge.core.clock import new_id
from tollbridge.storage import ledger_nodes


@pytest.fixture
async def url(migrated_postgres_url):
    await pg_books.begin(migrated_postgres_url)
    return migrated_postgres_url


@pytest.fixture
async def connection(url):
    async with pg_books.opened(url) as connection:
        yield connection


async def entered(connection):
    epoch = (new_id(), 1)
    await ledger_nodes.enter(connection, epoch[0], "a node")
    return epoch


async def test_an_epoch_beats_until_it_is_over(connection):
    mine, other = await entered(connection), await entered(connection)
    (seen,) = await ledger_nodes.others(connection, mine[0])
    assert seen[:2] == other
    assert (
        await ledger_nodes.beat(connection, other)
        == 1
        == await ledger_nodes.incarnation(connection)
    )
    (then,) = await ledger_nodes.others(connection, mine[0])
    assert then[2] > seen[2]
    assert not await ledger_nodes.mark_dead(connection, other, seen[2])
    assert await ledger_nodes.mark_dead(connection, other, then[2])
    assert not await ledger_nodes.mark_dead(connection, other, then[2])
    assert await ledger_nodes.beat(connection, other) is None
    assert await ledger_nodes.others(connection, mine[0]) == []
    await ledger_nodes.leave(connection, mine)
    assert await ledger_nodes.beat(connection, mine) is None


async def test_a_beat_moves_though_the_wall_clock_stands_or_goes_back(connection):
    mine = await entered(connection)
    await connection.execute("UPDATE node SET beat = beat + 900000000000")
    before = await connection.fetchval("SELECT beat FROM node")
    await ledger_nodes.beat(connection, mine)
    assert await connection.fetchval("SELECT beat FROM node") == before + 1


async def test_a_new_epoch_is_another_and_the_old_one_stays_over(connection):
    mine = await entered(connection)
    await ledger_nodes.leave(connection, mine)
    again = await ledger_nodes.rejoin(connection, mine, "a node")
    assert again == (mine[0], 2)
    assert await ledger_nodes.beat(connection, again) is not None
    assert await ledger_nodes.beat(connection, mine) is None
    # The old epoch can end nothing of the new one.
    await ledger_nodes.leave(connection, mine)
    assert await ledger_nodes.beat(connection, again) is not None
    # Nor does it matter that somebody removed the row.
    await connection.execute("DELETE FROM node")
    assert await ledger_nodes.rejoin(connection, again, "a node") == (mine[0], 3)


async def test_only_the_holds_of_the_dead_are_orphans(url, connection):
    tids = [books.tid() for _ in range(3)]
    async with pg_books.writing(url) as one, pg_books.writing(url) as two:
        await one.do(books.hold(tids[0], 10), books.hold(tids[1], 20, (1,), "bill"))
        await two.do(books.hold(tids[2], 30))
        assert await ledger_nodes.orphans(connection) == []
        await ledger_nodes.leave(connection, one.book.node)
        found = await ledger_nodes.orphans(connection)
        assert [(hold.tid, hold.purses, hold.amount, hold.bill) for hold in found] == [
            (tids[0], (1,), 10, "{}"), (tids[1], (1,), 20, "bill"),
        ]  # fmt: skip
        # A later epoch of the same node does not make them its own.
        await ledger_nodes.rejoin(connection, one.book.node, "a node")
        assert len(await ledger_nodes.orphans(connection)) == 2
