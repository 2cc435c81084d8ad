"""Proof that the database itself refuses figures that money must never have."""

from typing import Any

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.storage.ledger_items import USAGE_COLUMNS
from tollbridge.storage.ledger_statement import HOLD_ORDER, JOURNAL_ORDER, USAGE_ORDER
from tollbridge.storage.ledger_tables import hold, journal, ledger, purse, usage

PURSE = {"id": 1, "kind": "wallet", "owner_id": 1, "period_start": 0, "available": 5, "held": 5}
HOLD = {
    "tid": "0" * 32,
    "wallet_id": 1,
    "amount": 1,
    "covered": 0,
    "node_id": 1,
    "epoch": 1,
    "at_ms": 1,
    "bill": "{}",
}
LINE = {
    "id": 1,
    "at_ms": 1,
    "debit": "promo",
    "credit": "wallet:1",
    "amount": 1,
    "kind": "grant",
    "ref": "r",
}


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        (purse, [{**PURSE, "available": -1, "held": 0}]),
        (purse, [{**PURSE, "held": -1}]),
        (purse, [{**PURSE, "held": 6}]),
        (purse, [{**PURSE, "kind": "other"}]),
        (purse, [PURSE, {**PURSE, "id": 2}]),
        (hold, [{**HOLD, "amount": 0}]),
        (hold, [{**HOLD, "covered": -1}]),
        (hold, [HOLD, HOLD]),
        (journal, [{**LINE, "amount": 0}]),
        (journal, [{**LINE, "debit": "wallet:1"}]),
        (journal, [LINE, {**LINE, "id": 2}]),
        (ledger, [{"id": 2, "incarnation": 1}]),
    ],
)
async def test_a_bad_row_is_refused(engine: AsyncEngine, table, rows: list[dict[str, Any]]):
    async with engine.connect() as connection:
        for row in rows[:-1]:
            await connection.execute(insert(table).values(**row))
        with pytest.raises(IntegrityError):
            await connection.execute(insert(table).values(**rows[-1]))


async def test_good_rows_are_taken_up_to_the_last_nano_dollar(engine: AsyncEngine):
    most = 2**63 - 1
    async with engine.connect() as connection:
        await connection.execute(insert(purse).values(**{**PURSE, "available": most, "held": most}))
        await connection.execute(insert(hold).values(**{**HOLD, "amount": most}))
        await connection.execute(insert(journal).values(**{**LINE, "amount": most}))
        await connection.rollback()


def test_the_writers_know_every_usage_column():
    assert set(USAGE_COLUMNS) == set(usage.columns.keys())


@pytest.mark.parametrize(
    ("table", "order"),
    [("usage", USAGE_ORDER), ("hold", HOLD_ORDER), ("journal", JOURNAL_ORDER)],
)
async def test_whole_rows_are_in_the_order_of_the_table(engine: AsyncEngine, table, order):
    query = {
        "sqlite": f"SELECT name FROM pragma_table_info('{table}') ORDER BY cid",
        "postgresql": f"SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass"
        " AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
    }[engine.dialect.name]
    async with engine.connect() as connection:
        names = (await connection.execute(text(query))).scalars().all()
    assert tuple(names) == order
    if table == "journal":
        # The plan writes them by place.
        assert order == ("id", "at_ms", "debit", "credit", "amount", "currency", "kind", "ref")
