"""Proof of the upkeep: months to come are made, and only nodes that are long gone are forgotten."""

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.clock import new_tid, now_ms
from tollbridge.storage.ledger_tables import hold, node
from tollbridge.storage.partitions import months_around
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.upkeep import extend_partitions, forget_dead_nodes

DAY_MS = 86_400_000
HOLD = {"wallet_id": 1, "amount": 1, "covered": 0, "epoch": 1, "at_ms": 1, "bill": "{}"}


async def test_a_month_that_is_missing_is_made(engine: AsyncEngine):
    missing = [months_around(now_ms(), table)[-1].name for table in ("usage", "call_index")]
    postgres = engine.dialect.name == "postgresql"
    if postgres:
        async with working(engine) as connection:
            for name in missing:
                await connection.execute(text(f"DROP TABLE {name}"))
    await extend_partitions(engine)
    async with reading(engine) as connection:
        for name in missing:
            if postgres:
                assert (
                    await connection.execute(text(f"SELECT count(*) FROM {name}"))
                ).scalar() == 0
            else:
                with pytest.raises(DBAPIError):
                    await connection.execute(text(f"SELECT count(*) FROM {name}"))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_calls_never_queue_behind_a_month_that_has_to_wait(engine: AsyncEngine):
    name = months_around(now_ms())[-1].name
    async with working(engine) as connection:
        await connection.execute(text(f"DROP TABLE {name}"))
    async with reading(engine) as connection:
        await connection.execute(text("SELECT count(*) FROM usage"))
        with pytest.raises(DBAPIError, match="lock timeout"):
            await extend_partitions(engine)
    await extend_partitions(engine)


async def test_nodes_that_are_long_gone_are_forgotten(engine: AsyncEngine):
    old = now_ms() - DAY_MS - 60_000
    nodes = {
        1: {"dead": True, "beat": old},
        2: {"dead": False, "beat": old},
        3: {"dead": True, "beat": now_ms()},
        4: {"dead": True, "beat": old},
    }
    async with working(engine) as connection:
        for number, facts in nodes.items():
            await connection.execute(insert(node).values(id=number, name="n", epoch=1, **facts))
        await connection.execute(insert(hold).values(tid=new_tid(), node_id=4, **HOLD))
    assert await forget_dead_nodes(engine, DAY_MS) == 1
    async with reading(engine) as connection:
        left = (await connection.execute(select(node.c.id).order_by(node.c.id))).scalars().all()
    assert left == [2, 3, 4]
