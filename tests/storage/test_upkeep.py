"""Proof of the upkeep: months to come are made, and only nodes that are long gone are forgotten."""

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.rollup_oracle import tid_at
from tests.storage.usage_writer import indexed, make_calls
from tollbridge.core.clock import new_tid, now_ms
from tollbridge.storage.call_index import index_chunk
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


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_year_without_upkeep_loses_no_call(engine: AsyncEngine):
    # The months of today are gone, as if they had never been made.
    tables = [(table, month.name) for table in ("usage", "call_index")
              for month in months_around(now_ms(), table)]  # fmt: skip
    async with working(engine) as connection:
        for _, name in tables:
            await connection.execute(text(f"DROP TABLE {name}"))
        tids = sorted(tid_at(now_ms() + days * DAY_MS) for days in (0, 0, 70))
        await make_calls(connection, tids)
    await index_chunk(engine)
    await extend_partitions(engine)
    await extend_partitions(engine)
    async with working(engine) as connection:
        later = tid_at(now_ms() + 130 * DAY_MS)
        await make_calls(connection, [later])
        for table, days in (("usage", 0), ("call_index", 0)):
            stray, future = months_around(now_ms() + days * DAY_MS, table)[1:3]
            found = select(
                text(f"to_regclass('{stray.name}')"), text(f"to_regclass('{future.name}')")
            )
            # What has calls in the default partition already stays there; what has not is made.
            assert [one is None for one in (await connection.execute(found)).one()] == [True, False]
        where = text("SELECT tableoid::regclass::text FROM usage ORDER BY tid")
        lie = (await connection.execute(where)).scalars().all()
    await index_chunk(engine)
    assert lie[:3] == ["usage_default"] * 3
    assert lie[3] != "usage_default"
    assert [row[0] for row in await indexed(engine)] == [*tids, later]


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
