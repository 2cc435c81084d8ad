"""The twin of storage/ledger_statement.py: what each of its guards is for, proved by its absence."""

import asyncio

import asyncpg
import pytest

from tests.storage import books, pg_books, pg_nodes
from tests.storage.books import LIMIT, SECOND, WALLET
from tests.storage.pg_nodes import Node
from tollbridge.storage.ledger_items import HoldResult, SettleResult
from tollbridge.storage.ledger_plan import Own
from tollbridge.storage.ledger_postgres import PostgresBook
from tollbridge.storage.ledger_statement import APPLY
from tollbridge.storage.migrate import migrate

ALL = (WALLET, LIMIT, SECOND)
HELD = HoldResult(ok=True, short=None)
_WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    " AND datname = current_database()"
)


@pytest.fixture(scope="module")
def database(postgres_server):
    """Return the URL of one migrated database."""
    with postgres_server.database() as url:
        asyncio.run(migrate(url))
        yield url


class Case:
    """A node whose statement may be another than ours; `other` is somebody else."""

    def __init__(self, url, other, text):
        self.other = other
        self.url = url

        class Book(PostgresBook):
            async def connect(self):
                await super().connect()
                self._apply = await self._connection.prepare(text)

        self.node = Node(url, Book)

    @property
    def book(self):
        return self.node.book

    async def quick(self, *items):
        """Write by the statement alone; return the answers in order, None for what is left over."""
        answers, _, left = await self.book.quick(items)
        told = dict(answers)
        assert set(told) | set(left) == set(items)
        return [told.get(item) for item in items]

    async def blocked(self, task):
        """Wait until the statement waits for a lock; it must not get by without."""
        async with asyncio.timeout(30):
            while not await self.other.fetchval(_WAITING):
                assert not task.done(), "it should have waited"
                await asyncio.sleep(0.005)


class _Running:
    def __init__(self, url, text):
        self._url, self._text = url, text

    async def __aenter__(self):
        self._other = await asyncpg.connect(self._url)
        await pg_nodes.wipe(self._other, 1000, 500, 400)
        case = self._case = Case(self._url, self._other, self._text)
        await case.node.enter(self._other)
        await case.book.connect()
        return case

    async def __aexit__(self, *facts):
        self._case.book.drop()
        await pg_nodes.quiet(self._other, [])
        await self._other.close()


async def running_sum(case):
    answers = await case.quick(*[books.hold(books.tid(), 400) for _ in range(3)])
    assert answers == [HELD, HELD, None]
    first, second = books.tid(), books.tid()
    # A call that is held and charged in one batch counts as well.
    answers = await case.quick(
        books.hold(first, 150), books.settle(first, 100), books.hold(second, 60)
    )
    assert answers == [HELD, SettleResult(True, 100, 0, 900), None]


async def every_purse(case):
    assert await case.quick(books.hold(books.tid(), 450, ALL)) == [None]
    assert await case.quick(books.hold(books.tid(), 1, (WALLET, 77))) == [None]


async def what_settles_free(case):
    first, second = books.tid(), books.tid()
    await case.quick(books.hold(first, 900))
    answers = await case.quick(
        books.settle(first, 100), books.hold(second, 901), books.hold(books.tid(), 1)
    )
    assert answers == [SettleResult(True, 100, 0, 900), None, None]


async def the_epoch(case):
    tid = books.tid()
    await case.quick(books.hold(tid, 100))
    await case.other.execute("UPDATE node SET dead = true")
    wishes = (books.hold(books.tid(), 1), books.update(tid, 200, 5), books.record(books.tid()))
    assert await case.quick(*wishes) == [None, None, None]
    assert await case.quick(books.settle(tid, 1)) == [None]
    assert (await pg_nodes.state(case.other))[1:] == ({tid: (100, 0)}, {}, set())


async def the_lock_of_the_epoch(case):
    transaction = case.other.transaction()
    await transaction.start()
    await case.other.execute("UPDATE node SET dead = true")
    task = asyncio.create_task(case.quick(books.hold(books.tid(), 1)))
    try:
        await case.blocked(task)
    finally:
        await transaction.commit()
        answers = await task
    assert answers == [None]


async def the_lock_of_purses(case):
    transaction = case.other.transaction()
    await transaction.start()
    await case.other.execute("UPDATE purse SET available = 50 WHERE id = $1", WALLET)
    task = asyncio.create_task(case.quick(books.hold(books.tid(), 60), books.hold(books.tid(), 50)))
    try:
        await case.blocked(task)
    finally:
        await transaction.commit()
        answers = await task
    # The sum runs over what is refused, too: what is left over is decided exactly.
    assert answers == [None, None]


async def the_order_of_locks(case):
    transaction = case.other.transaction()
    await transaction.start()
    await case.other.execute("SELECT 1 FROM purse WHERE id = $1 FOR UPDATE", WALLET)
    task = asyncio.create_task(case.quick(books.hold(books.tid(), 10, ALL)))
    try:
        await case.blocked(task)
        await case.other.execute("SELECT 1 FROM purse WHERE id = $1 FOR UPDATE NOWAIT", SECOND)
    finally:
        await transaction.rollback()
        await task


async def checkpoints_only_grow(case):
    tid = books.tid()
    await case.quick(books.hold(tid, 100, bill="none"), books.update(tid, 100, 40, "forty"))
    await case.quick(books.update(tid, 100, 20, "twenty"))
    query = "SELECT amount, covered, bill FROM hold"
    assert tuple(await case.other.fetchrow(query)) == (100, 40, "forty")
    await case.quick(books.update(tid, 90, 50, "fifty"))
    assert tuple(await case.other.fetchrow(query)) == (100, 50, "fifty")


async def refuses(case, *items):
    before = await pg_nodes.state(case.other)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await case.book.quick(items)
    assert await pg_nodes.state(case.other) == before


async def the_amount_before(case):
    """A node that is wrong about its hold would otherwise hold less than the purse says."""
    tid = books.tid()
    await case.quick(books.hold(tid, 100))
    case.book.own[tid] = Own((WALLET,), 60, 0)
    await refuses(case, books.update(tid, 80, 1))


async def a_hold_that_is_gone(case):
    await case.quick(books.hold(books.tid(), 300))
    case.book.own[tid := books.tid()] = Own((WALLET,), 100, 0)
    await refuses(case, books.settle(tid, 5))
    await refuses(case, books.update(tid, 100, 5))


async def a_hold_of_another_epoch(case):
    tid = books.tid()
    await case.quick(books.hold(tid, 100))
    await case.other.execute("UPDATE node SET epoch = 2")
    case.book.node = (case.book.node[0], 2)
    await refuses(case, books.settle(tid, 5))
    await refuses(case, books.update(tid, 100, 5))


CHECKS = [
    running_sum, every_purse, what_settles_free, the_epoch, the_lock_of_the_epoch,
    the_lock_of_purses, the_order_of_locks, checkpoints_only_grow, the_amount_before,
    a_hold_that_is_gone, a_hold_of_another_epoch,
]  # fmt: skip
_OWN_HOLD = "AND h.node_id = $1::bigint AND h.epoch = $2::bigint"
_DELETED = "= COALESCE(array_length($14::bpchar[], 1), 0)"
MUTANTS = [
    ("SUM(c.need) OVER (PARTITION BY c.purse ORDER BY c.number)", "c.need", running_sum),
    ("PARTITION BY c.purse ORDER BY c.number", "PARTITION BY c.number", running_sum),
    ("l.id IS NULL OR c.running", "c.purse = 1 AND c.running", every_purse),
    ("- l.held + s.freed", "- l.held + 2 * s.freed", what_settles_free),
    ("- l.held + s.freed", "+ s.freed", what_settles_free),
    (" AND NOT dead", "", the_epoch),
    (" FOR SHARE", "", the_lock_of_the_epoch),
    (" FOR UPDATE OF p", "", the_lock_of_purses),
    ("ORDER BY p.id FOR", "ORDER BY p.id DESC FOR", the_order_of_locks),
    ("GREATEST(h.covered, u.covered)", "u.covered", checkpoints_only_grow),
    ("CASE WHEN u.covered >= h.covered THEN u.bill ELSE h.bill END", "u.bill", checkpoints_only_grow),
    ("AND h.amount = u.before", "", the_amount_before),
    (_DELETED, ">= 0", a_hold_that_is_gone),
    ("(SELECT COUNT(*) FROM wanted)", "(SELECT COUNT(*) FROM changed)", a_hold_that_is_gone),
    (_OWN_HOLD, "", a_hold_of_another_epoch),
]  # fmt: skip


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_statement(database, check):
    async with _Running(database, APPLY) as case:
        await check(case)
        assert [name for name in await pg_nodes.broken(case.other) if name != "I1 available"] == []


@pytest.mark.parametrize(("guard", "instead", "check"), MUTANTS, ids=range(len(MUTANTS)))
async def test_without_a_guard_it_is_noticed(database, guard, instead, check):
    text = APPLY.replace(guard, instead)
    assert text != APPLY
    async with _Running(database, text) as case:
        with pytest.raises((AssertionError, asyncpg.PostgresError, pytest.fail.Exception)):
            await check(case)


async def test_all_of_a_batch_is_one_statement(database):
    """Nothing is left for the exact way, and the purses after it are told."""
    tids = [books.tid() for _ in range(4)]
    async with pg_books.opened(database) as other:
        await pg_nodes.wipe(other, 1000, 500, 400)
    async with _Running(database, APPLY) as case:
        await case.quick(*[books.hold(tid, 100, ALL) for tid in tids])
        answers, purses, left = await case.book.quick([
            books.settle(tids[0], 10), books.update(tids[1], 150, 20), books.settle(tids[2], 0),
            books.record(books.tid()), books.hold(books.tid(), 50),
        ])  # fmt: skip
        assert len(answers) == 5 and left == []
        assert purses == {WALLET: (990, 300), LIMIT: (490, 250), SECOND: (390, 250)}
