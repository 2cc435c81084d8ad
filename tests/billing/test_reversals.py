"""Proof that a call is given back once and whole: wallet, key, lots, statistics, beside anything."""

import asyncio

import pytest
from sqlalchemy import delete, insert, select, update

from tests.billing.ledgers import running, soon
from tests.billing.tills import DAY_MS, KEY, TODAY, USER, till
from tests.services.control_plane import database_url, engine
from tests.storage import books
from tests.storage.books import LIMIT, WALLET
from tests.storage.rollup_oracle import by_hand, in_the_table
from tollbridge.billing.funds import read_allowance
from tollbridge.billing.reversals import NotReversible, Reversal, WhyNot, reverse
from tollbridge.billing.verify import verify
from tollbridge.core.clock import new_tid, now_ms
from tollbridge.storage.engine import open_engine
from tollbridge.storage.ledger_tables import hold, journal, lot, purse, usage, usage_feed
from tollbridge.storage.query_tables import call_index, rollup
from tollbridge.storage.tables import api_keys
from tollbridge.storage.unit_of_work import reading, working

__all__ = ["database_url", "engine"]


async def row_of(made, tid):
    columns = (usage.c.charge, usage.c.reversed, usage.c.flags)
    return (await made.rows(select(*columns).where(usage.c.tid == tid)))[0]


async def is_right(engine):
    assert await verify(engine) == await verify(engine, full=True) == []


async def test_everything_moves_in_one_transaction(engine):
    async with till(engine) as made:
        tid = await made.call(70, loss=3, flags="partial")
        await made.call(5)
        done = await made.reverse(tid, TODAY + 9)
        assert done == Reversal(
            tid, 70, made.wallet, USER, KEY, "a mistake", "test", TODAY + 9, repeated=False
        )
        assert await made.available() == 995
        assert (await made.available(made.limit), await made.available(made.budget)) == (495, 395)
        assert await row_of(made, tid) == (70, 70, "partial,reversed")
        columns = (journal.c.debit, journal.c.credit, journal.c.amount, journal.c.ref)
        lines = await made.rows(select(*columns).where(journal.c.kind == "reversal"))
        assert lines == [("revenue", f"wallet:{made.wallet}", 70, tid)]
        lots = select(lot.c.ref, lot.c.amount, lot.c.created_ms, lot.c.expires_ms)
        assert await made.rows(lots.where(lot.c.origin == "reversal")) == [
            (tid, 70, TODAY + 9, None)
        ]
        assert (tid,) in await made.rows(
            select(usage_feed.c.tid).order_by(usage_feed.c.id.desc()).limit(1)
        )
        await is_right(engine)


async def test_a_second_time_says_so_and_moves_nothing(engine):
    async with till(engine) as made:
        tid = await made.call(70)
        await made.reverse(tid)
        again = await made.reverse(tid)
        assert (again.repeated, again.amount) == (True, 70)
        assert await made.available() == 1000
        assert await made.available(made.limit) == 500


async def test_many_at_once_give_back_once(engine):
    async with till(engine) as made:
        tid, other = await made.call(70), await made.call(30)
        done = await asyncio.gather(*(made.reverse(one) for one in [tid, other] * 4))
        assert sorted(one.repeated for one in done) == [False] * 2 + [True] * 6
        assert await made.available() == 1000
        await is_right(engine)


async def test_what_cannot_be_reversed(engine):
    async with till(engine) as made:
        for tid, why in (
            (new_tid(), WhyNot.UNKNOWN),
            (await made.call(0, loss=5), WhyNot.NOTHING_CHARGED),
            (await running_call(made), WhyNot.RUNNING),
        ):
            with pytest.raises(NotReversible) as found:
                await made.reverse(tid)
            assert found.value.why is why
        assert await made.rows(select(lot.c.id).where(lot.c.origin == "reversal")) == []


async def running_call(made):
    tid = new_tid()
    async with working(made.engine) as connection:
        await connection.execute(
            insert(hold).values(
                tid=tid, wallet_id=made.wallet, amount=1, covered=0, node_id=1, epoch=1, at_ms=1,
                bill="",
            )
        )  # fmt: skip
    return tid


async def test_a_hook_is_in_the_same_transaction(engine):
    async def fail(connection, done):
        assert done.amount == 70
        raise RuntimeError("no rebate")

    async with till(engine) as made:
        tid = await made.call(70)
        with pytest.raises(RuntimeError):
            await made.reverse(tid, hooks=[fail])
        assert await made.available() == 930
        assert await row_of(made, tid) == (70, 0, "")
        assert not (await made.reverse(tid)).repeated


async def test_a_key_that_is_gone_keeps_nobody_from_their_money(engine):
    async with till(engine) as made:
        tid = await made.call(70)
        async with working(engine) as connection:
            await connection.execute(delete(api_keys))
        await made.reverse(tid)
        assert (await made.available(), await made.available(made.limit)) == (1000, 430)


async def test_a_key_never_gets_more_than_its_limit_and_its_budget_grant(engine):
    async with till(engine) as made:
        # The last call cost more than was left of both, as a call may that cost more than its hold.
        await made.call(390)
        tid = await made.call(200)
        assert (await made.available(made.limit), await made.available(made.budget)) == (0, 0)
        await made.reverse(tid)
        assert (await made.available(made.limit), await made.available(made.budget)) == (200, 200)
        async with working(engine) as connection:
            await connection.execute(
                update(purse).where(purse.c.id.in_([made.limit, made.budget])).values(available=399)
            )
        await made.reverse(made.tids[0])
        assert (await made.available(made.limit), await made.available(made.budget)) == (500, 400)


async def test_what_an_earlier_limit_was_overspent_by_is_made_good_first(engine):
    async with till(engine) as made:
        first, second = await made.call(100), await made.call(30)
        async with working(engine) as connection:
            # The limit was lowered to 20 when 130 were spent: 110 too much.
            await connection.execute(
                update(purse).where(purse.c.id == made.limit).values(available=0)
            )
            await connection.execute(update(api_keys).values(limit_nano=20, limit_excess_nano=110))
        await made.reverse(first)
        excess = select(api_keys.c.limit_excess_nano)
        assert (await made.rows(excess), await made.available(made.limit)) == ([(10,)], 0)
        await made.reverse(second)
        assert (await made.rows(excess), await made.available(made.limit)) == ([(0,)], 20)


@pytest.mark.parametrize(
    ("columns", "limit", "budget"),
    [
        ({"limit_nano": None}, 430, 400),
        ({"budget_nano": None, "budget_period": None}, 500, 330),
        # A week of which no purse was ever opened.
        ({"budget_period": "week"}, 500, 330),
    ],
)
async def test_a_guard_that_was_taken_away_stays(engine, columns, limit, budget):
    async with till(engine) as made:
        tid = await made.call(70)
        async with working(engine) as connection:
            await connection.execute(update(api_keys).values(**columns))
        await made.reverse(tid)
        assert await made.available(made.limit) == limit
        assert await made.available(made.budget) == budget


async def test_the_budget_of_another_day_is_not_touched(engine):
    async with till(engine) as made:
        tid = await made.call(70, TODAY - DAY_MS, guarded=False)
        await made.call(100)
        await made.reverse(tid)
        assert await made.available(made.budget) == 300


async def test_what_was_spent_falls_for_balance_widgets(engine):
    async with till(engine) as made:
        tid = await made.call(70)
        await made.call(20)
        await made.reverse(tid)
        async with reading(engine) as connection:
            whole = await read_allowance(connection, made.wallet, 0, None, TODAY)
            key = await read_allowance(connection, made.wallet, KEY, made.limit, TODAY)
        assert (whole.left, whole.spent, whole.granted) == (980, 20, 1000)
        assert (key.left, key.spent) == (380, 20)


async def test_the_query_tables_follow(engine):
    async with till(engine) as made:
        tid = await made.call(70)
        await made.call(20)
        await made.count()
        await made.reverse(tid)
        await made.count()
        index = await made.rows(select(call_index.c.charge).order_by(call_index.c.tid))
        assert index == [(0,), (20,)]
        assert {row[0] for row in await made.rows(select(rollup.c.charge))} == {20}
        assert await in_the_table(engine) == await by_hand(engine)


async def test_a_late_line_leaves_what_was_given_back(engine):
    async with till(engine) as made:
        tid = await made.call(70)
        await made.reverse(tid)
        await made.correct(tid, 15)
        assert (await row_of(made, tid))[:2] == (85, 70)
        assert await made.available() == 985
        await is_right(engine)


@pytest.fixture
def path(tmp_path):
    return books.fresh(tmp_path, limit=500)


@pytest.fixture
async def beside(path):
    """An engine beside the node that has the file."""
    opened = open_engine(f"sqlite:///{path}")
    yield opened
    await opened.dispose()


async def reversed_beside(beside, tid):
    async with working(beside) as connection:
        return await reverse(connection, tid, "a mistake", "test", now_ms())


async def test_a_serving_process_on_sqlite_goes_on_with_the_money(path, beside):
    async with running(path) as node:
        tid = new_tid()
        assert (await soon(node.ledger.hold(tid, (WALLET,), 900, now_ms(), "{}").future)).ok
        await soon(node.ledger.settle(tid, 900, books.row(tid)).future)
        more = new_tid()
        wish = node.ledger.hold(more, (WALLET,), 600, now_ms(), "{}")
        assert not (await soon(wish.future)).ok
        assert (await reversed_beside(beside, tid)).amount == 900
        # Its figures are from before; the writer reads them again.
        wish = node.ledger.hold(more, (WALLET,), 600, now_ms(), "{}")
        assert (await soon(wish.future)).ok
        settled = await soon(node.ledger.settle(more, 500, books.row(more)).future)
        assert settled.balance == 500
    assert books.findings(path) == []


@pytest.mark.parametrize(
    ("cost", "net", "available"), [(90, 20, 980), (40, 0, 1000), (70, 0, 1000)]
)
def test_a_late_settle_after_a_reversal_on_sqlite(path, cost, net, available):
    """What was given back is never given back again, and a higher cost is charged."""
    tid = new_tid()
    first = books.open_book(path)
    books.one(first, books.hold(tid, 100, (WALLET, LIMIT)))
    books.one(first, books.update(tid, 100, 70))
    first.close()
    second = books.open_book(path)
    books.run(given_back(path, tid))
    result = books.one(second, books.settle(tid, cost, purses=(WALLET, LIMIT)))
    assert result.late
    second.close()
    [(charge, back, flags)] = books.query(path, "SELECT charge, reversed, flags FROM usage")
    assert (charge - back, back, flags) == (net, 70, "late,reversed")
    assert books.purse(path).available == available
    assert books.findings(path) == []


def test_a_withheld_answer_after_a_reversal_is_given_back_once(path):
    tid = new_tid()
    book = books.open_book(path)
    books.one(book, books.hold(tid, 100))
    books.one(book, books.settle(tid, 70))
    books.run(given_back(path, tid))
    assert books.one(book, books.give_back(tid)) is True
    book.close()
    assert books.purse(path).available == 1000
    assert books.query(path, "SELECT charge, reversed FROM usage") == [(70, 70)]
    assert books.findings(path) == []


async def given_back(path, tid):
    opened = open_engine(f"sqlite:///{path}")
    async with working(opened) as connection:
        await reverse(connection, tid, "a mistake", "test", now_ms())
    await opened.dispose()
