"""Proof that a wallet's lines are found without a look at its charges."""

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.usage_writer import make_calls
from tollbridge.core.clock import new_id, new_tid
from tollbridge.storage import journal_reads as module
from tollbridge.storage.journal_reads import groups_of_calls, running_calls, wallet_lines
from tollbridge.storage.ledger_tables import hold, journal
from tollbridge.storage.unit_of_work import reading, working

LINES = [
    (9, "promo", "wallet:7", "grant"),
    (5, "wallet:7", "promo", "expiry"),
    (5, "wallet:7", "revenue", "charge"),
    (6, "wallet:7", "revenue", "late"),
    (6, "revenue", "wallet:7", "return"),
    (7, "revenue", "wallet:7", "reversal"),
    (1, "promo", "wallet:77", "grant"),
    (1, "operator_loss", "revenue", "loss"),
]


async def test_lines_of_a_wallet(engine: AsyncEngine):
    rows = [
        {"id": 100 + place, "at_ms": at, "debit": debit, "credit": credit, "amount": 10 + place,
         "currency": "USD", "kind": kind, "ref": str(place)}
        for place, (at, debit, credit, kind) in enumerate(LINES)
    ]  # fmt: skip
    async with working(engine) as connection:
        await connection.execute(insert(journal), rows)
    async with reading(engine) as connection:
        found = await wallet_lines(connection, 7)
        assert await wallet_lines(connection, 8) == []
    assert [(line.at_ms, line.kind, line.amount, line.ref) for line in found] == [
        (5, "expiry", -11, "1"), (7, "reversal", 15, "5"), (9, "grant", 10, "0")
    ]  # fmt: skip


@pytest.mark.parametrize("side", ["credit", "debit"])
async def test_its_index_is_used(engine: AsyncEngine, side: str):
    async with working(engine) as connection:
        rows = [
            {"id": new_id(), "at_ms": 1, "debit": "wallet:7", "credit": "revenue", "amount": 1,
             "currency": "USD", "kind": "charge", "ref": str(number)}
            for number in range(2_000)
        ]  # fmt: skip
        rows += [
            {**rows[0], "id": new_id(), "debit": f"x:{at}", "credit": f"y:{at}", "kind": "grant",
             "ref": str(at)}
            for at in range(300)
        ]  # fmt: skip
        await connection.execute(insert(journal), rows)
        await connection.execute(text("ANALYZE"))
    condition = str(
        module.lines_query(getattr(journal.c, side), "wallet:7").compile(
            engine.sync_engine, compile_kwargs={"literal_binds": True}
        )
    )
    explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
    async with reading(engine) as connection:
        plan = " ".join(str(row) for row in await connection.execute(text(explain + condition)))
    assert f"ix_journal_{side}_id" in plan


async def test_groups_of_calls(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_TIDS_AT_ONCE", 2)
    tids = [new_tid() for _ in range(5)]
    async with working(engine) as connection:
        await make_calls(connection, tids, channel_id=4, model_asked="m")
    async with reading(engine) as connection:
        found = await groups_of_calls(connection, [*tids, new_tid(), tids[0]])
    assert found == dict.fromkeys(tids, (4, "m"))


async def test_running_calls(engine: AsyncEngine):
    async with working(engine) as connection:
        for at, wallet in ((5, 7), (9, 7), (5, 8)):
            values = {
                "tid": f"{at:012x}7{wallet:019x}", "wallet_id": wallet, "amount": 1, "covered": 0,
                "node_id": 1, "epoch": 1, "at_ms": at, "bill": "[]",
            }  # fmt: skip
            await connection.execute(insert(hold).values(values))
    async with reading(engine) as connection:
        assert [await running_calls(connection, 7, at) for at in (5, 6, 10)] == [0, 1, 2]
