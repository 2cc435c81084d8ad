"""Proof that purses are read as they stand and that charges are skipped over, not read."""

from typing import Any

from sqlalchemy import event, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.identity.rows import key_columns, user_columns
from tollbridge.storage.ledger_items import Figures
from tollbridge.storage.ledger_tables import journal, purse
from tollbridge.storage.purse_reads import (
    BudgetPurse,
    BudgetRow,
    LimitRow,
    budget_of,
    budget_purse,
    credited,
    figures_of,
    limit_of,
)
from tollbridge.storage.tables import api_keys, users
from tollbridge.storage.unit_of_work import reading, writing

WALLET, OTHER = 7, 8
MINE, THEIRS = f"wallet:{WALLET}", f"wallet:{OTHER}"
LINES = [
    ("promo", MINE, 1000, "grant"),
    ("clearing:stripe", MINE, 500, "topup"),
    (MINE, "refunds", 30, "a-refund"),
    (MINE, "revenue", 400, "charge"),
    # Corrections of charges are spending, not credit.
    (MINE, "revenue", 5, "late"),
    ("revenue", MINE, 7, "late"),
    ("revenue", MINE, 3, "return"),
    ("operator_loss", "revenue", 9, "loss"),
    ("promo", THEIRS, 11, "grant"),
]


async def fill(engine: AsyncEngine) -> None:
    async with writing(engine) as connection:
        rows = [
            {"id": at, "at_ms": 1, "debit": debit, "credit": credit, "amount": amount,
             "kind": kind, "ref": str(at)}
            for at, (debit, credit, amount, kind) in enumerate(LINES)
        ]  # fmt: skip
        await connection.execute(insert(journal), rows)


async def test_figures_of_purses_that_exist(engine: AsyncEngine):
    async with writing(engine) as connection:
        row = {"kind": "wallet", "owner_id": 1, "available": 5, "held": 2}
        await connection.execute(insert(purse).values(id=WALLET, **row))
        assert await figures_of(connection, [WALLET, OTHER]) == {WALLET: Figures(5, 2)}


async def test_what_was_credited_less_what_was_taken_back(engine: AsyncEngine):
    await fill(engine)
    async with reading(engine) as connection:
        assert await credited(connection, WALLET) == 1470
        assert await credited(connection, OTHER) == 11
        assert await credited(connection, 9) == 0


async def test_charges_are_skipped_over(engine: AsyncEngine):
    """The journal grows by every call; the question must not cost more each time."""
    if engine.dialect.name != "sqlite":
        # PostgreSQL plans by the size of the table, which is nothing here.
        return
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    async with reading(engine) as connection:
        await credited(connection, WALLET)
        statement, parameters = asked[-1]
        plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        steps = [row.detail for row in plan]
    assert any("INDEX" in step for step in steps)
    assert not any(step.startswith("SCAN") for step in steps)


async def test_a_limit(engine: AsyncEngine):
    async with writing(engine) as connection:
        user = {"email": "a@b.c", "email_norm": "a@b.c", "status": "active", "wallet_id": WALLET}
        await connection.execute(insert(users).values(id=1, created_ms=1, **user_columns(**user)))
        for at, limit in ((1, 100), (2, None)):
            key = key_columns(name=f"k{at}", user_id=1, hash=bytes([at]), last6="", created_ms=1)
            await connection.execute(
                insert(api_keys).values(
                    id=at, limit_nano=limit, limit_excess_nano=3, limit_purse_id=9, **key
                )
            )
        assert await limit_of(connection, 1) == LimitRow(100, 3)
        assert await limit_of(connection, 2) is None
        assert await limit_of(connection, 3) is None


async def test_a_budget_and_its_purses(engine: AsyncEngine):
    async with writing(engine) as connection:
        user = {"email": "a@b.c", "email_norm": "a@b.c", "status": "active", "wallet_id": WALLET}
        await connection.execute(insert(users).values(id=1, created_ms=1, **user_columns(**user)))
        for at, budget in ((1, (100, "week")), (2, (None, None))):
            key = key_columns(name=f"k{at}", user_id=1, hash=bytes([at]), last6="", created_ms=1)
            key |= dict(zip(("budget_nano", "budget_period"), budget, strict=True))
            await connection.execute(insert(api_keys).values(id=at, **key))
        for at, kind, owner in ((20, "key_budget", 1), (21, "key_budget", 2), (22, "key_limit", 1)):
            row = {"id": at, "kind": kind, "owner_id": owner, "period_start": 7}
            figures = {"available": at, "held": 3, "granted": 30}
            await connection.execute(insert(purse).values(**row, **figures))
        for lock in (False, True):
            assert await budget_of(connection, 1, lock=lock) == BudgetRow(100, "week")
            assert await budget_of(connection, 2, lock=lock) is None
            assert await budget_of(connection, 3, lock=lock) is None
        assert await budget_purse(connection, 1, 7) == BudgetPurse(20, 20, 3, 30)
        assert await budget_purse(connection, 2, 7) == BudgetPurse(21, 21, 3, 30)
        assert await budget_purse(connection, 1, 8) is None
