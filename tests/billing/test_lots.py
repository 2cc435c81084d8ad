"""Proof that lots come to what the wallet has, whatever its history, and are spent in their order."""

import asyncio

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from tests.billing.tills import DAY_MS, TODAY, till
from tests.services.control_plane import database_url, engine
from tollbridge.billing.lots import Lot, add_lot, attribute, lots_of
from tollbridge.billing.verify import verify
from tollbridge.storage.ledger_tables import journal, lot_use, purse
from tollbridge.storage.unit_of_work import reading, working

__all__ = ["database_url", "engine"]

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ("call", "call", "call", "correct", "reverse", "grant", "lapse", "day", "attribute",
             "attribute", "expire", "unknown")
        ),
        st.integers(0, 12),
        st.integers(1, 300),
    ),
    max_size=25,
)  # fmt: skip
HOUSE = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


async def uses(made):
    query = select(lot_use.c.lot_id, lot_use.c.amount)
    found = {}
    for lot_id, amount in await made.rows(query):
        assert amount >= 0
        found[lot_id] = found.get(lot_id, 0) + amount
    return found


async def held_lots(made):
    async with reading(made.engine) as connection:
        return await lots_of(connection, made.wallet)


async def is_balanced(made):
    """Lots come to the wallet, and what is gone of each was spent or ended."""
    lots, spent = await held_lots(made), await uses(made)
    assert sum(one.remaining for one in lots) == await made.available()
    query = select(journal.c.ref, journal.c.amount).where(journal.c.kind == "expiry")
    ended = {}
    for ref, amount in await made.rows(query):
        lot_id = int(ref.partition(":")[0])
        ended[lot_id] = ended.get(lot_id, 0) + amount
    for one in lots:
        assert one.amount - one.remaining == spent.get(one.id, 0) + ended.get(one.id, 0)
    assert await verify(made.engine) == []


async def play(made, steps):
    now = TODAY
    for kind, which, amount in steps:
        tid = made.tids[which % len(made.tids)] if made.tids else None
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
        elif kind == "day":
            await made.count()
            now += DAY_MS
        elif kind == "attribute":
            await made.attribute(now)
            await is_balanced(made)
        elif kind == "expire":
            await made.expire(now)
        elif kind == "unknown":
            await unknown_credit(made, amount)
    return now


async def unknown_credit(made, amount):
    """Money that came without a lot, as from another version of the program."""
    async with working(made.engine) as connection:
        await made._change(connection, made.wallet, amount)
        number = len((await connection.execute(select(journal.c.id))).all())
        await connection.execute(
            insert(journal).values(
                id=number, at_ms=1, debit="promo", credit=f"wallet:{made.wallet}", amount=amount,
                kind="grant", ref=f"unknown {number}",
            )
        )  # fmt: skip


@HOUSE
@example(steps=[("call", 0, 1), ("correct", 0, 138), ("reverse", 0, 1)], credit=3000)
@given(steps=STEPS, credit=st.sampled_from([0, 500, 3000]))
async def test_after_any_history_lots_come_to_what_the_wallet_has(engine, steps, credit):
    async with till(engine, credit=credit) as made:
        now = await play(made, steps)
        await made.attribute(now)
        await is_balanced(made)
        assert await made.attribute(now) == 0
        before = await made.available()
        taken = await made.expire(now)
        assert await made.available() == before - taken
        await is_balanced(made)
        assert not [one for one in await held_lots(made) if one.is_over(now) and one.remaining]
        assert await made.expire(now) == 0


@HOUSE
@given(
    charges=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 90)), min_size=1, max_size=12),
    seen=st.integers(0, 4),
)
async def test_days_without_a_run_come_out_as_their_calls(engine, charges, seen):
    """Whenever it ran last: every day has what its calls cost, once the roll-ups know."""
    async with till(engine, credit=10**6) as made:
        expected = {}
        for day in range(5):
            for charge in (charge for on, charge in charges if on == day):
                await made.call(charge, TODAY + day * DAY_MS, guarded=False)
                begins = TODAY + day * DAY_MS
                expected[begins] = expected.get(begins, 0) + charge
            await made.count()
            if day == seen:
                await made.attribute(TODAY + day * DAY_MS)
        await made.attribute(TODAY + 5 * DAY_MS)
        assert await made.used() == expected


async def test_what_ends_first_is_spent_first_and_then_what_is_oldest(engine):
    async with till(engine, credit=0) as made:
        await made.grant(10, TODAY - 3)
        await made.grant(20, TODAY - 5)
        await made.grant(30, TODAY - 1, TODAY + 2 * DAY_MS)
        await made.grant(40, TODAY - 2, TODAY + DAY_MS)
        await made.call(75, guarded=False)
        assert await made.attribute() == 75
        assert await made.lots() == [
            ("grant", 40, 0), ("grant", 30, 0), ("grant", 20, 15), ("grant", 10, 10),
        ]  # fmt: skip
        assert await made.used() == {TODAY: 75}


async def test_a_day_is_not_paid_by_a_lot_that_came_after_it(engine):
    async with till(engine, credit=100) as made:
        await made.attribute()
        await made.call(30, TODAY + 5, guarded=False)
        await made.attribute(TODAY + 6)
        await made.call(20, TODAY + 7, guarded=False)
        await made.count()
        await made.grant(50, TODAY + 2 * DAY_MS, TODAY + 3 * DAY_MS)
        await made.call(1, TODAY + 2 * DAY_MS, guarded=False)
        await made.attribute(TODAY + 2 * DAY_MS)
        assert await made.lots() == [("grant", 50, 49), ("grant", 100, 50)]
        assert await made.used() == {TODAY: 50, TODAY + 2 * DAY_MS: 1}


async def test_what_comes_back_goes_to_the_lot_it_was_taken_from_last(engine):
    async with till(engine, credit=0) as made:
        await made.grant(10, TODAY - 5)
        await made.grant(50, TODAY - 3)
        tid = await made.call(30, guarded=False)
        await made.attribute()
        await made.correct(tid, -25)
        assert await made.attribute() == -25
        assert await made.lots() == [("grant", 10, 5), ("grant", 50, 50)]
        assert await made.used() == {TODAY: 5}


async def test_money_of_which_no_lot_is_known_becomes_one(engine):
    async with till(engine, credit=0) as made:
        await unknown_credit(made, 70)
        assert await made.attribute() == -70
        assert await made.lots() == [("correction", 70, 70)]


async def test_a_reversal_is_a_lot_of_its_own_that_never_ends(engine):
    async with till(engine, credit=0) as made:
        await made.grant(50, TODAY - 3, TODAY + DAY_MS)
        tid = await made.call(30)
        await made.attribute()
        await made.reverse(tid)
        assert await made.attribute() == 0
        assert await made.lots() == [("grant", 50, 20), ("reversal", 30, 30)]
        assert await made.expire(TODAY + DAY_MS) == 20
        assert await made.lots() == [("grant", 50, 0), ("reversal", 30, 30)]


async def test_two_at_once_take_once(engine):
    async with till(engine) as made:
        await made.call(300, guarded=False)
        taken = await asyncio.gather(*(made.attribute() for _ in range(6)))
        assert sorted(taken) == [0] * 5 + [300]
        await is_balanced(made)


async def test_calls_and_grants_meanwhile_are_nobodys_trouble(engine):
    async with till(engine, credit=5000) as made:

        async def spend():
            for _ in range(8):
                await made.call(10, guarded=False)
                await made.grant(3, TODAY)

        async def work():
            for _ in range(8):
                await made.attribute()

        await asyncio.gather(spend(), work(), work())
        await made.attribute()
        await is_balanced(made)


async def test_what_running_calls_hold_of_an_ended_lot_stays_until_they_close(engine):
    async with till(engine, credit=0) as made:
        await made.grant(100, TODAY - 3, TODAY)
        await made.grant(10, TODAY - 2)
        async with working(engine) as connection:
            await connection.execute(update(purse).where(purse.c.id == made.wallet).values(held=80))
        assert await made.expire() == 30
        assert await made.lots() == [("grant", 100, 70), ("grant", 10, 10)]
        async with working(engine) as connection:
            await connection.execute(update(purse).where(purse.c.id == made.wallet).values(held=0))
        # The call that held it cost 60.
        await made.call(60, guarded=False)
        assert await made.expire() == 10
        assert (await made.lots(), await made.available()) == (
            [("grant", 100, 0), ("grant", 10, 10)], 10
        )  # fmt: skip
        lines = select(journal.c.debit, journal.c.credit, journal.c.amount)
        found = await made.rows(lines.where(journal.c.kind == "expiry").order_by(journal.c.id))
        wallet = f"wallet:{made.wallet}"
        assert found == [(wallet, "promo", 30), (wallet, "promo", 10)]
        await is_balanced(made)


async def test_a_lot_has_an_end_only_from_its_moment_on(engine):
    async with till(engine, credit=0) as made:
        await made.grant(100, TODAY - 3, TODAY)
        assert await made.expire(TODAY - 1) == 0
        assert await made.expire(TODAY) == 100


async def test_there_must_be_a_wallet(engine):
    async with till(engine) as made, working(engine) as connection:
        with pytest.raises(LookupError):
            await attribute(connection, made.wallet + 1, TODAY)
        with pytest.raises(LookupError):
            await attribute(connection, made.limit, TODAY)


async def test_a_lot_is_added_as_it_is(engine):
    async with till(engine, credit=0) as made:
        async with working(engine) as connection:
            lot_id = await add_lot(connection, made.wallet, 7, "order", "o1", 5, expires_ms=9)
        assert await held_lots(made) == [Lot(lot_id, "order", "o1", 7, 7, 5, 9)]
