"""Proof that single calls are found by their trace id, whole."""

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.billing.bill import Bill, Ending, usage_row
from tollbridge.core.clock import new_tid
from tollbridge.protocols.usage import Usage
from tollbridge.storage.ledger_items import USAGE_COLUMNS
from tollbridge.storage.ledger_tables import hold, usage
from tollbridge.storage.tables import models, prices
from tollbridge.storage.unit_of_work import writing
from tollbridge.storage.usage_reads import find_price, find_usage, is_running

WALLET = 7


async def test_a_usage_row_is_found_whole(engine: AsyncEngine):
    tid = new_tid()
    bill = Bill(tid, 1, 2, 3, "key", WALLET, 4, "main", None, "m", "m", "chat", "openai", True, 5,
                3, 20, "curl")  # fmt: skip
    row = (*usage_row(bill, Ending("complete", usage=Usage(input=9))), 11, 0)
    async with writing(engine) as connection:
        values = dict(zip(USAGE_COLUMNS, row, strict=True))
        await connection.execute(insert(usage).values(values))
        found = await find_usage(connection, tid)
        assert found is not None
        assert {name: found[name] for name in USAGE_COLUMNS} == values
        assert found["stream"] is True
        assert await find_usage(connection, new_tid()) is None


async def test_a_price_is_found_long_after_its_end(engine: AsyncEngine):
    async with writing(engine) as connection:
        model = {"id": 1, "name": "m", "context": 1, "max_output": 1, "sizes": "[]", "n_max": 0,
                 "prompt_max": 0, "text_max": 0, "enabled": False, "created_ms": 1}  # fmt: skip
        await connection.execute(insert(models).values(model))
        price = {"id": 5, "model_id": 1, "valid_from_ms": 1, "valid_to_ms": 2, "rates": "{}",
                 "tiers": "[]", "items": "{}", "services": "{}"}  # fmt: skip
        await connection.execute(insert(prices).values(price))
        found = await find_price(connection, 5)
        assert found is not None
        assert dict(found) == price
        assert await find_price(connection, 6) is None


async def test_a_running_call_is_its_wallets_alone(engine: AsyncEngine):
    tid = new_tid()
    async with writing(engine) as connection:
        row = {"wallet_id": WALLET, "amount": 1, "covered": 0, "node_id": 1, "epoch": 1}
        await connection.execute(insert(hold).values(tid=tid, at_ms=1, bill="[]", **row))
        assert await is_running(connection, tid, WALLET)
        assert not await is_running(connection, tid, WALLET + 1)
        assert not await is_running(connection, new_tid(), WALLET)
