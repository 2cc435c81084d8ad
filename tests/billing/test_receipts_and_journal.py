"""Receipts come to what the wallet paid by the journal, whatever happened to the calls since."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import case, func, select

from tests.billing.test_receipts import PRICE, check
from tests.billing.tills import USER, till
from tests.services.control_plane import database_url, engine
from tollbridge.billing.receipts import read_receipt, receipt_of
from tollbridge.billing.verify import verify
from tollbridge.storage.ledger_tables import journal, usage
from tollbridge.storage.query_tables import call_index, rollup
from tollbridge.storage.rollup_marks import DAY
from tollbridge.storage.unit_of_work import reading

__all__ = ["database_url", "engine"]

STEPS = st.lists(
    st.tuples(
        st.sampled_from(("call", "call", "fail", "correct", "reverse", "reverse", "count")),
        st.integers(0, 12),
        st.integers(0, 400),
    ),
    max_size=30,
)


async def play(made, steps):
    for kind, which, amount in steps:
        tid = made.tids[which % len(made.tids)] if made.tids else None
        if kind == "call":
            flags = ("", "estimated", "partial")[which % 3]
            await made.call(amount, input=amount * 4, loss=which % 2, flags=flags)
        elif kind == "fail":
            await made.call(0, end_state="upstream_error", status=502, input=amount)
        elif kind == "correct" and tid:
            await made.correct(tid, amount - 200)
        elif kind == "reverse" and tid:
            if await made.charged(tid):
                await made.reverse(tid)
        elif kind == "count":
            await made.count()


async def paid(made):
    """Return what calls took from the wallet, by the journal alone."""
    name = f"wallet:{made.wallet}"
    amount = case((journal.c.debit == name, journal.c.amount), else_=-journal.c.amount)
    query = select(func.sum(amount)).where(
        (journal.c.debit == name) | (journal.c.credit == name),
        journal.c.kind.in_(("charge", "late", "return", "reversal")),
    )
    return int((await made.rows(query))[0][0] or 0)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
async def test_the_sum_of_receipts_is_the_sum_of_the_journal(engine, steps):
    async with till(engine, credit=3000) as made:
        await play(made, steps)
        total = 0
        async with reading(engine) as connection:
            for tid in made.tids:
                receipt = await read_receipt(connection, tid, USER, made.wallet)
                total += receipt.charge
                query = select(usage).where(usage.c.tid == tid)
                row = (await connection.execute(query)).mappings().one()
                for price in (PRICE, None):
                    check(receipt_of(row, price))
        assert total == await paid(made) == 3000 - await made.available()
        assert await verify(engine) == []
        # And so are what statistics and the pages of calls add up.
        await made.count()
        days = select(func.sum(rollup.c.charge)).where(rollup.c.span == DAY)
        for query in (days, select(func.sum(call_index.c.charge))):
            assert int((await made.rows(query))[0][0] or 0) == total
