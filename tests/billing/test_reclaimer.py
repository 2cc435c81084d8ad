"""The twin of billing/reclaimer.py: the calls of dead nodes are posted at their own checkpoints."""

import asyncio

import pytest

from tests.storage import books, pg_books, sold
from tests.storage.books import LIMIT, SECOND, WALLET
from tollbridge.billing.bill import Bill, pack
from tollbridge.billing.reclaimer import reclaim_orphans
from tollbridge.storage import ledger_nodes
from tollbridge.storage.ledger_items import Figures

ALL = (WALLET, LIMIT, SECOND)


@pytest.fixture
async def url(migrated_postgres_url):
    await pg_books.begin(migrated_postgres_url, 100_000, limit=50_000, second=40_000)
    yield migrated_postgres_url
    assert await pg_books.findings(migrated_postgres_url) == []


async def abandon(url, *items):
    """Let a node write items and die."""
    async with pg_books.writing(url) as writer:
        for at in range(0, len(items), 200):
            await writer.do(*items[at : at + 200])
        async with pg_books.opened(url) as connection:
            await ledger_nodes.leave(connection, writer.book.node)


async def test_each_call_is_posted_at_its_own_checkpoint_and_the_rest_is_free(url):
    tids = [books.tid() for _ in range(3)]
    await abandon(
        url,
        *(books.hold(tid, 1000, ALL) for tid in tids),
        books.update(tids[1], 1000, 300),
        books.update(tids[2], 2000, 1700),
    )
    async with pg_books.opened(url) as connection:
        assert await reclaim_orphans(connection) == 3
        assert await reclaim_orphans(connection) == 0
        purses = await pg_books.purses(connection)
        assert [purses[purse] for purse in ALL] == [
            Figures(98_000, 0), Figures(48_000, 0), Figures(38_000, 0)
        ]  # fmt: skip
        query = "SELECT charge, held, end_state, flags, status FROM usage ORDER BY tid"
        assert [tuple(row) for row in await connection.fetch(query)] == [
            (0, 1000, "reclaimed", "reclaimed", 500),
            (300, 1000, "reclaimed", "reclaimed", 500),
            (1700, 2000, "reclaimed", "reclaimed", 500),
        ]
        assert await connection.fetchval("SELECT count(*) FROM usage_feed") == 3


async def test_a_call_is_worth_what_its_counts_are_where_its_price_is_known(url):
    known, unknown, strange = tids = [books.tid() for _ in range(3)]
    bills = [
        pack(
            Bill(
                tid, 5, 6, 7, "key", WALLET, sold.CHANNEL, "channel", sold.ACCOUNT, "asked", "sent",
                "chat", "openai", True, price, 3, 20, "client", 7, 8,
            )
        )
        for tid, price in ((known, sold.PRICE), (unknown, sold.DAMAGED), (strange, 2**64 - 1))
    ]  # fmt: skip
    items = [books.hold(tid, 300, ALL, text) for tid, text in zip(tids, bills, strict=True)]
    items += [books.update(tid, 300, 60, text) for tid, text in zip(tids, bills, strict=True)]
    await abandon(url, *items)
    async with pg_books.opened(url) as connection:
        for row in sold.ROWS:
            await connection.execute(row)
        assert await reclaim_orphans(connection) == 3
        query = "SELECT charge, list_cost, own_cost FROM usage ORDER BY tid"
        rows = [tuple(row) for row in await connection.fetch(query)]
        assert rows == [(60, 397, 265), (60, 400, 0), (60, 400, 0)]


async def test_many_are_posted_in_turns_and_by_all_at_once(url):
    many = ledger_nodes.ORPHANS_AT_ONCE + 50
    await abandon(url, *(books.hold(books.tid(), 2) for _ in range(many)))

    async def reclaim():
        async with pg_books.opened(url) as connection:
            return await reclaim_orphans(connection)

    assert sum(await asyncio.gather(*[reclaim() for _ in range(3)])) == many


async def test_a_bill_that_no_table_takes_keeps_nobody_elses_money(url):
    tids = [books.tid() for _ in range(3)]
    await abandon(url, *(books.hold(tid, 100) for tid in tids))
    async with pg_books.opened(url) as connection:
        spoilt = '{"tid":"","at_ms":1,"user_id":99999999999999999999999}'
        await connection.execute("UPDATE hold SET bill = $1 WHERE tid = $2", spoilt, tids[1])
        await connection.execute("UPDATE hold SET bill = 'nonsense' WHERE tid = $1", tids[2])
        assert await reclaim_orphans(connection) == 3


async def test_a_living_nodes_calls_are_left_alone(url):
    async with pg_books.writing(url) as writer, pg_books.opened(url) as connection:
        tid = books.tid()
        await writer.do(books.hold(tid, 100))
        assert await reclaim_orphans(connection) == 0
        assert len(await writer.do(books.settle(tid, 5))) == 1


async def test_a_hold_that_cannot_be_posted_stops_nobody_else(url):
    stuck, other, done = books.tid(), books.tid(), books.tid()
    await abandon(url, books.hold(stuck, 100), books.hold(other, 100))
    async with pg_books.writing(url) as writer:
        await writer.do(books.hold(done, 1), books.settle(done, 0))
    async with pg_books.opened(url) as connection:
        await connection.execute(
            "INSERT INTO usage SELECT (jsonb_populate_record(u, jsonb_build_object('tid', $1::text))).*"
            " FROM usage u WHERE tid = $2",
            stuck,
            done,
        )
        assert await reclaim_orphans(connection) == 1
        assert await reclaim_orphans(connection) == 0
        await connection.execute("DELETE FROM usage WHERE tid = $1", stuck)
        assert await reclaim_orphans(connection) == 1
