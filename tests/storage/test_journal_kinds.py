"""The twin of storage/journal_kinds.py: every line but charges is in one sum, found by the index."""

from collections import defaultdict
from random import Random

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.clock import first_id, new_tid, now_ms
from tollbridge.storage.journal_kinds import KindSum, pieces, sums_by_kind
from tollbridge.storage.ledger_tables import journal
from tollbridge.storage.unit_of_work import reading, working

DAY_MS = 86_400_000
WALLET = "wallet:7"
# (kind, debit, credit, sign, begin of the reference, kind in the sums)
SHAPES = (
    ("grant", "promo", WALLET, 1, "bonus:", "grant"),
    ("grant", "promo", WALLET, 1, "code:", "code"),
    ("adjustment", "promo", WALLET, 1, "a", "adjustment"),
    ("adjustment", WALLET, "promo", -1, "b", "adjustment"),
    ("expiry", WALLET, "promo", -1, "", "expiry"),
    ("late", WALLET, "revenue", -1, "", "late"),
    ("reversal", "revenue", WALLET, 1, "", "reversal"),
    ("loss", "operator_loss", "revenue", 1, "", "loss"),
    ("return_loss", "revenue", "operator_loss", -1, "", "return_loss"),
    ("charge", WALLET, "revenue", 0, "", ""),
)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_sums_are_those_of_the_lines(engine: AsyncEngine, seed: int):
    chance, now = Random(seed), now_ms()
    start, end = now - 5 * DAY_MS, now - DAY_MS
    expected: dict[tuple[int, str], list[int]] = defaultdict(list)
    rows = []
    for number in range(60):
        kind, debit, credit, sign, begin, shown = chance.choice(SHAPES)
        at_ms, amount = now - chance.randrange(8 * DAY_MS), chance.randrange(1, 10**15)
        rows.append(
            {"id": first_id(at_ms) + number, "at_ms": at_ms, "debit": debit, "credit": credit,
             "amount": amount, "kind": kind, "ref": begin + new_tid()}
        )  # fmt: skip
        if sign and start <= at_ms < end:
            expected[at_ms - at_ms % DAY_MS, shown].append(sign * amount)
    async with working(engine) as connection:
        await connection.execute(insert(journal), rows)
    async with reading(engine) as connection:
        found = await sums_by_kind(connection, start, end)
    assert found == [
        KindSum(*which, len(amounts), sum(amounts)) for which, amounts in sorted(expected.items())
    ]


async def test_no_charge_is_looked_at(engine: AsyncEngine):
    async with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
        word = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        for query in pieces(now_ms() - DAY_MS, now_ms()):
            shown = query.compile(
                dialect=connection.dialect, compile_kwargs={"literal_binds": True}
            )
            plan = " ".join(
                str(row[-1]) for row in await connection.exec_driver_sql(f"{word} {shown}")
            )
            assert "ix_journal_debit_id" in plan or "ix_journal_credit_id" in plan, plan
