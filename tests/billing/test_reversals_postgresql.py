"""Reversals on PostgreSQL beside nodes that hold, settle late and withhold on the same purses."""

import asyncio

import pytest
from sqlalchemy import insert

from tests.identity.rows import key_columns, user_columns
from tests.storage import books, pg_books, pg_nodes
from tests.storage.books import LIMIT, WALLET
from tests.storage.pg_nodes import Node
from tollbridge.billing.reclaimer import reclaim_orphans
from tollbridge.billing.reversals import NotReversible, reverse
from tollbridge.core.clock import new_tid, now_ms
from tollbridge.storage.engine import open_engine
from tollbridge.storage.migrate import migrate
from tollbridge.storage.tables import api_keys, users
from tollbridge.storage.unit_of_work import working

BOTH = (WALLET, LIMIT)
KEY = 0


@pytest.fixture(scope="module")
def database(postgres_server):
    """Return the URL of one migrated database."""
    with postgres_server.database() as url:
        asyncio.run(migrate(url))
        yield url


@pytest.fixture
async def control(database):
    """Yield a plain connection to fresh books, which are right at the end."""
    async with pg_books.opened(database) as connection:
        await pg_nodes.wipe(connection, 10_000, 10_000, 400)
        yield connection
        await pg_nodes.quiet(connection, [])
        assert await pg_nodes.broken(connection) == []


@pytest.fixture
async def node(database, control):
    """Yield a connected node."""
    node = Node(database)
    await node.enter(control)
    await node.book.connect()
    yield node
    node.book.drop()


@pytest.fixture
async def engine(database, control):
    """Yield an engine on books in which the calls' key has the limit."""
    opened = open_engine(database)
    async with working(opened) as connection:
        await connection.execute(api_keys.delete())
        await connection.execute(users.delete())
        user = user_columns(email="a@b.c", email_norm="a@b.c", status="active", wallet_id=WALLET)
        await connection.execute(insert(users).values(id=5, created_ms=1, **user))
        await connection.execute(
            insert(api_keys).values(
                id=KEY, user_id=5, hash=b"h", last6="", created_ms=1, limit_nano=10_000,
                limit_purse_id=LIMIT, **key_columns(),
            )
        )  # fmt: skip
    yield opened
    await opened.dispose()


async def give_back(engine, tid):
    async with working(engine) as connection:
        return await reverse(connection, tid, "a mistake", "test", now_ms())


async def figures(control, purse):
    return await control.fetchval("SELECT available FROM purse WHERE id = $1", purse)


async def test_reversals_and_settles_of_one_wallet_at_the_same_time(node, engine, control):
    """Nobody waits for somebody who waits: both lock purses by id."""
    tids = [new_tid() for _ in range(40)]
    settled = asyncio.Queue()

    async def call():
        for tid in tids:
            await node.write([books.hold(tid, 60, BOTH)])
            await node.write([books.settle(tid, 50, purses=BOTH)])
            settled.put_nowait(tid)

    async def undo():
        for _ in range(len(tids) // 2):
            tid = await settled.get()
            first, second = await asyncio.gather(give_back(engine, tid), give_back(engine, tid))
            assert {first.repeated, second.repeated} == {True, False}

    async with asyncio.timeout(60):
        await asyncio.gather(call(), undo(), undo())
    assert (await figures(control, WALLET), await figures(control, LIMIT)) == (10_000, 10_000)


@pytest.mark.parametrize(("cost", "net"), [(90, 20), (40, 0)])
async def test_a_late_settle_keeps_what_was_given_back(node, engine, control, cost, net):
    tid = new_tid()
    await node.book.exact([books.hold(tid, 100, BOTH), books.update(tid, 100, 70)])
    with pytest.raises(NotReversible):
        await give_back(engine, tid)
    await control.execute("UPDATE node SET dead = true")
    assert await reclaim_orphans(control) == 1
    assert (await give_back(engine, tid)).amount == 70
    answers, _ = await node.book.exact([books.settle(tid, cost, purses=BOTH)])
    assert answers[0][1].late
    row = await control.fetchrow("SELECT charge, reversed, flags FROM usage WHERE tid = $1", tid)
    assert tuple(row) == (70 + net, 70, "late,reversed")
    for purse in BOTH:
        assert await figures(control, purse) == 10_000 - net


async def test_a_withheld_answer_is_given_back_once(node, engine, control):
    tid = new_tid()
    await node.book.exact([books.hold(tid, 100, BOTH), books.settle(tid, 70, purses=BOTH)])
    await give_back(engine, tid)
    await node.book.exact([books.give_back(tid, BOTH)])
    row = await control.fetchrow("SELECT charge, reversed FROM usage WHERE tid = $1", tid)
    assert tuple(row) == (70, 70)
    assert await figures(control, WALLET) == 10_000
