"""Proof that credit given or taken by hand is exact, once, never too much, and that lots follow."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from tests.billing.ledgers import running, soon
from tests.billing.tills import DAY_MS, TODAY, till
from tests.services.control_plane import database_url, engine
from tests.storage import books
from tests.storage.books import WALLET
from tollbridge.billing.adjustments import (
    AMOUNT_MAX,
    KIND,
    REF_MAX,
    NotEnough,
    ReferenceTaken,
    TooMuch,
    adjust,
)
from tollbridge.billing.verify import verify
from tollbridge.core.clock import new_tid, now_ms
from tollbridge.core.money import MAX_AMOUNT
from tollbridge.storage.engine import open_engine
from tollbridge.storage.ledger_tables import journal, lot, lot_use, purse
from tollbridge.storage.unit_of_work import working

__all__ = ["database_url", "engine"]

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ("call", "call", "correct", "reverse", "grant", "lapse", "give", "take", "take", "day",
             "attribute", "expire")
        ),
        st.integers(0, 12),
        st.integers(1, 300),
    ),
    max_size=25,
)  # fmt: skip
HOUSE = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


async def adjusted(made, amount, ref="a", at_ms=TODAY):
    async with working(made.engine) as connection:
        return await adjust(connection, made.wallet, amount, ref, at_ms)


async def hold(made, amount):
    async with working(made.engine) as connection:
        await connection.execute(update(purse).where(purse.c.id == made.wallet).values(held=amount))


async def lines(made):
    columns = (journal.c.debit, journal.c.credit, journal.c.amount, journal.c.ref)
    query = select(*columns).where(journal.c.kind == KIND).order_by(journal.c.id)
    return await made.rows(query)


async def total(made, column, *where):
    [(found,)] = await made.rows(select(func.coalesce(func.sum(column), 0)).where(*where))
    return int(found)


async def is_right(made):
    assert await verify(made.engine) == await verify(made.engine, full=True) == []


async def play(made, steps):
    """Play a history; return the balance that it must come to without calls, and its end."""
    now, taken = TODAY, 0
    for number, (kind, which, amount) in enumerate(steps):
        tid = made.tids[which % len(made.tids)] if made.tids else None
        ref = f"r{number}"
        if kind == "call":
            await made.call(amount, now, guarded=False)
        elif kind == "correct" and tid:
            await made.correct(tid, amount - 150)
        elif kind == "reverse" and tid:
            if await made.charged(tid):
                await made.reverse(tid, now)
        elif kind == "grant":
            await made.grant(amount, now)
        elif kind == "lapse":
            await made.grant(amount, now, now + which * DAY_MS // 2)
        elif kind == "give":
            before = await made.available()
            assert (await adjusted(made, amount, ref, now)).available == before + amount
        elif kind == "take":
            taken += await take(made, amount, ref, now)
        elif kind == "day":
            await made.count()
            now += DAY_MS
        elif kind == "attribute":
            await made.attribute(now)
        elif kind == "expire":
            await made.expire(now)
    return now, taken


async def take(made, amount, ref, now):
    before = await made.available()
    if amount <= before:
        assert (await adjusted(made, -amount, ref, now)).available == before - amount
        return amount
    with pytest.raises(NotEnough) as refused:
        await adjusted(made, -amount, ref, now)
    assert refused.value.free == await made.available() == before
    return 0


@HOUSE
@given(steps=STEPS, credit=st.sampled_from([0, 500]))
async def test_after_any_history_books_and_lots_are_right(engine, steps, credit):
    async with till(engine, credit=credit) as made:
        now, taken = await play(made, steps)
        await made.attribute(now)
        assert await total(made, lot.c.remaining) == await made.available()
        gone = await total(made, lot.c.amount) - await total(made, lot.c.remaining)
        used = await total(made, lot_use.c.amount)
        ended = await total(made, journal.c.amount, journal.c.kind == "expiry")
        assert gone == used + ended + taken
        assert await made.attribute(now) == 0
        await is_right(made)


async def test_what_is_given_is_a_line_a_change_and_a_lot(engine):
    async with till(engine, credit=5) as made:
        await hold(made, 4)
        assert await adjusted(made, 7) == (7, 12, False)
        assert await lines(made) == [("promo", f"wallet:{made.wallet}", 7, "a")]
        assert (KIND, 7, 7) in await made.lots()
        [held] = await made.rows(select(purse.c.held).where(purse.c.id == made.wallet))
        assert held == (4,)


async def test_what_is_taken_leaves_the_lots_that_are_spent_first(engine):
    async with till(engine, credit=0) as made:
        await made.grant(50, TODAY - 3)
        await made.grant(30, TODAY - 2, TODAY + DAY_MS)
        await made.call(10, guarded=False)
        assert await adjusted(made, -40) == (-40, 30, False)
        assert await lines(made) == [(f"wallet:{made.wallet}", "promo", 40, "a")]
        assert await made.lots() == [("grant", 30, 0), ("grant", 50, 30)]
        # What was taken is nobody's spending.
        assert await made.used() == {TODAY: 10}
        await is_right(made)


async def test_a_reference_moves_money_once(engine):
    async with till(engine, credit=100) as made:
        assert not (await adjusted(made, -60)).repeated
        # A repeat moves nothing, also where it could not be done any more.
        assert await adjusted(made, -60) == (-60, 40, True)
        for amount in (60, -59, 1):
            with pytest.raises(ReferenceTaken):
                await adjusted(made, amount)
        assert await made.available() == 40
        assert len(await lines(made)) == 1


async def test_many_at_once_move_once(engine):
    async with till(engine, credit=100) as made:
        done = await asyncio.gather(
            *(adjusted(made, sign * 10, f"{sign}") for sign in (1, -1) for _ in range(4))
        )
        assert sorted(one.repeated for one in done) == [False] * 2 + [True] * 6
        assert await made.available() == 100
        await is_right(made)


async def test_two_takers_never_take_more_than_there_is(engine):
    async with till(engine, credit=100) as made:
        done = await asyncio.gather(
            *(adjusted(made, -60, f"t{number}") for number in range(3)), return_exceptions=True
        )
        assert sorted(type(one).__name__ for one in done) == ["Adjustment"] + ["NotEnough"] * 2
        assert await made.available() == 40
        await is_right(made)


async def test_what_calls_hold_cannot_be_taken(engine):
    async with till(engine, credit=100) as made:
        await hold(made, 80)
        with pytest.raises(NotEnough) as refused:
            await adjusted(made, -21)
        assert refused.value.free == 20
        assert await lines(made) == []
        assert (await adjusted(made, -20)).available == 80


@pytest.mark.parametrize(
    ("amount", "ref"),
    [(0, "a"), (1, ""), (1, "a" * (REF_MAX + 1)), (AMOUNT_MAX + 1, "a"), (-AMOUNT_MAX - 1, "a")],
)
async def test_what_is_no_adjustment(engine, amount, ref):
    async with till(engine) as made:
        with pytest.raises(ValueError, match="an amount and a reference"):
            await adjusted(made, amount, ref)


async def test_a_wallet_never_has_more_than_can_be_booked(engine):
    async with till(engine, credit=MAX_AMOUNT - 5) as made:
        with pytest.raises(TooMuch):
            await adjusted(made, 6)
        assert (await adjusted(made, 5)).available == MAX_AMOUNT


@pytest.mark.parametrize("amount", [1, -1])
async def test_there_must_be_a_wallet(engine, amount):
    async with till(engine) as made:
        for wrong in (made.limit, made.wallet + 1):
            made.wallet = wrong
            with pytest.raises(LookupError):
                await adjusted(made, amount)
        assert await lines(made) == []


async def test_a_serving_process_on_sqlite_sees_what_was_given_and_taken(tmp_path):
    path = books.fresh(tmp_path, limit=500)
    beside = open_engine(f"sqlite:///{path}")

    async def by(amount, ref):
        async with working(beside) as connection:
            return await adjust(connection, WALLET, amount, ref, now_ms())

    async with running(path) as node:

        async def holds(need, tid):
            wish = node.ledger.hold(tid, (WALLET,), need, now_ms(), "{}")
            return (await soon(wish.future)).ok

        first = new_tid()
        assert await holds(900, first)
        with pytest.raises(NotEnough) as refused:
            await by(-101, "more than is free")
        assert refused.value.free == 100
        await by(-100, "taken")
        assert not await holds(1, new_tid())
        await by(700, "given")
        second = new_tid()
        assert await holds(700, second)
        for tid in (first, second):
            await soon(node.ledger.settle(tid, 600, books.row(tid)).future)
    await beside.dispose()
    assert books.purse(path).available == 400
    assert books.findings(path) == []
