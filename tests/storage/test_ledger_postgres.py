"""The twin of storage/ledger_postgres.py: batches on a real PostgreSQL, quick and exact."""

import asyncio

import pytest

from tests.storage import books, pg_books
from tests.storage.books import LIMIT, OTHER, SECOND, WALLET
from tollbridge.storage.ledger_items import Figures, HoldResult, Look, Poisoned, SettleResult

HELD = HoldResult(ok=True, short=None)
GONE = HoldResult(ok=False, short=None)
ALL = (WALLET, LIMIT, SECOND)


@pytest.fixture
async def url(migrated_postgres_url):
    await pg_books.begin(migrated_postgres_url, 1000, limit=500, second=400)
    yield migrated_postgres_url
    assert await pg_books.findings(migrated_postgres_url) == []


async def test_a_call_from_hold_to_settle(url):
    tid = books.tid()
    async with pg_books.writing(url) as writer, pg_books.opened(url) as reader:
        assert await writer.do(books.hold(tid, 300, ALL)) == [HELD]
        assert (await pg_books.purses(reader))[SECOND] == (400, 300)
        assert await writer.do(books.update(tid, 350, 40, "bill")) == [HELD]
        assert await writer.do(books.settle(tid, 60)) == [SettleResult(True, 60, 0, 940)]
        now = await pg_books.purses(reader)
        assert (now[WALLET], now[LIMIT], now[SECOND]) == ((940, 0), (440, 0), (340, 0))
        assert writer.book.own == {}
        assert await reader.fetchval("SELECT count(*) FROM usage_feed") == 1


async def test_hold_and_settle_in_one_batch_are_one_statement(url):
    first, second = books.tid(), books.tid()
    async with pg_books.writing(url) as writer:
        answers = await writer.do(
            books.hold(first, 300), books.settle(first, 60),
            books.hold(second, 500), books.update(second, 500, 5), books.settle(second, 100),
        )  # fmt: skip
    assert answers == [
        HELD,
        SettleResult(True, 60, 0, 940),
        HELD,
        HELD,
        SettleResult(True, 100, 0, 840),
    ]


async def test_several_holds_on_one_purse_are_taken_by_running_sum(url):
    tids = [books.tid() for _ in range(6)]
    async with pg_books.writing(url) as writer:
        answers = await writer.do(*[books.hold(tid, 300) for tid in tids])
        assert [answer.ok for answer in answers] == [True, True, True, False, False, False]
        assert {answer.short for answer in answers} == {None, WALLET}
        # A large one that does not fit leaves room for a small one after it.
        assert await writer.do(books.hold(books.tid(), 200), books.hold(books.tid(), 90)) == [
            HoldResult(ok=False, short=WALLET),
            HELD,
        ]
        for tid in tids[:3]:
            await writer.do(books.settle(tid, 0))


async def test_the_first_purse_that_lacks_money_is_named(url):
    async with pg_books.writing(url) as writer:
        assert await writer.do(books.hold(books.tid(), 450, ALL)) == [
            HoldResult(ok=False, short=SECOND)
        ]
        assert await writer.do(books.hold(books.tid(), 2000, ALL)) == [
            HoldResult(ok=False, short=WALLET)
        ]
        assert await writer.do(books.hold(books.tid(), 1, (99,))) == [
            HoldResult(ok=False, short=99)
        ]


async def test_a_cost_above_the_hold_comes_from_the_wallet_then_from_the_operator(url):
    first, second = books.tid(), books.tid()
    async with pg_books.writing(url) as writer:
        await writer.do(books.hold(first, 100), books.hold(second, 100))
        assert await writer.do(books.settle(first, 150)) == [SettleResult(True, 150, 0, 850)]
        assert await writer.do(books.settle(second, 1000)) == [SettleResult(True, 850, 150, 0)]


async def test_poison_hurts_one_call_only(url):
    tids = [books.tid() for _ in range(3)]
    async with pg_books.writing(url) as writer:
        await writer.do(*[books.hold(tid, 100) for tid in tids])
        bad = books.settle(tids[1], 30, model_asked="\udc00", input=1 << 66)
        nul = books.settle(tids[2], 20, model_asked="a\x00b", status=1 << 40)
        answers = await writer.do(books.settle(tids[0], 10), bad, nul)
        assert [answer.charge for answer in answers] == [10, 30, 20]
        spoilt = books.hold(books.tid(), 10, bill="\ud800")
        answers = await writer.do(spoilt, books.hold(tids[0] + "0", 10), books.hold(books.tid(), 0))
        assert [type(answer) for answer in answers] == [Poisoned, Poisoned, Poisoned]


async def test_looks_records_and_returns(url):
    tid, refused = books.tid(), books.tid()
    async with pg_books.writing(url) as writer:
        looks = await writer.do(Look((WALLET, 77)), Look(()))
        assert looks == [{WALLET: Figures(1000, 0), 77: Figures(0, 0)}, {}]
        assert await writer.do(books.record(refused)) == [None]
        await writer.do(books.hold(tid, 100, ALL), books.settle(tid, 60))
        assert await writer.do(books.give_back(tid, ALL)) == [True]
        assert await writer.do(books.give_back(tid, ALL)) == [True]
        (look,) = await writer.do(Look(ALL))
        assert look[WALLET] == (1000, 0)


async def test_an_epoch_that_is_over_writes_nothing_but_late(url):
    tid, later = books.tid(), books.tid()
    async with pg_books.writing(url) as writer, pg_books.opened(url) as other:
        await writer.do(books.hold(tid, 100), books.update(tid, 100, 40))
        await other.execute("UPDATE node SET dead = true")
        assert await writer.do(books.hold(later, 10), books.update(tid, 200, 50)) == [GONE, GONE]
        assert writer.over.is_set()
        from tollbridge.billing.reclaimer import reclaim_orphans

        assert await reclaim_orphans(other) == 1
        assert await reclaim_orphans(other) == 0
        (late,) = await writer.do(books.settle(tid, 70))
        assert late == SettleResult(True, 70, 0, 930, late=True)


async def test_two_nodes_on_one_wallet_never_hold_more_than_it_has(url):
    async with pg_books.writing(url) as one, pg_books.writing(url) as two:

        async def spend(writer):
            charged = 0
            for _ in range(40):
                tid = books.tid()
                (held,) = await writer.do(books.hold(tid, 90, (WALLET, LIMIT)))
                if held.ok:
                    (done,) = await writer.do(books.settle(tid, 45, purses=(WALLET, LIMIT)))
                    charged += done.charge
            return charged

        charges = await asyncio.gather(*[spend(writer) for writer in (one, two) for _ in range(4)])
        (look,) = await one.do(Look((WALLET, LIMIT, OTHER)))
    assert look[WALLET] == (1000 - sum(charges), 0)
    assert look[LIMIT] == (500 - sum(charges), 0)


async def test_a_lost_connection_is_read_back(url):
    tid = books.tid()
    async with pg_books.writing(url) as writer, pg_books.opened(url) as other:
        await writer.do(books.hold(tid, 100))
        for _ in range(5):
            await other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'tollbridge-ledger'"
            )
            assert await writer.do(books.update(tid, 100, 50)) == [HELD]
        assert await writer.do(books.settle(tid, 60)) == [SettleResult(True, 60, 0, 940)]


async def test_a_settle_that_is_read_back_leaves_the_mirror(url):
    tid = books.tid()
    async with pg_books.writing(url) as writer:
        await writer.do(books.hold(tid, 100))
        known = writer.book.own[tid]
        assert await writer.do(books.settle(tid, 60)) == [SettleResult(True, 60, 0, 940)]
        # Written, but the answer never came: the node still believes in the hold.
        writer.book.own[tid] = known
        again = books.settle(tid, 60)
        again.resent = True
        assert await writer.do(again) == [SettleResult(True, 60, 0, 940)]
        assert writer.book.own == {}


async def test_what_is_left_over_is_done_in_its_order(url):
    tid = books.tid()
    async with pg_books.writing(url) as writer:
        await writer.do(books.hold(tid, 100))
        # The settle costs more than its hold, so both go the exact way.
        settled, returned = await writer.do(books.settle(tid, 150), books.give_back(tid))
        assert (settled.charge, returned) == (150, True)
        assert (await writer.do(Look((WALLET,))))[0][WALLET] == (1000, 0)


async def test_a_new_connection_ends_the_old_one_alone(url):
    async with pg_books.writing(url) as writer, pg_books.opened(url) as other:
        await writer.do(Look(()))
        number = await other.fetchval("SELECT pg_backend_pid()")
        # As if the old number had come to a stranger.
        writer.book._backend = (number, writer.book._backend[1])
        await writer.book.connect()
        assert await other.fetchval("SELECT 1") == 1
