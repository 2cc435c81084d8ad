"""Figures of the first page are those of plain sums over the books."""

from collections import Counter
from random import Random
from typing import Any

import pytest
from sqlalchemy import insert, select

from tests.console.calls import DAY_MS, Till
from tests.services.pages import House
from tollbridge.billing.adjustments import adjust
from tollbridge.billing.grants import grant
from tollbridge.core.clock import new_id
from tollbridge.people.office_figures import read_figures
from tollbridge.protocols.usage import Usage
from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.work_tables import job

FAILED: dict[str, Any] = {"state": "failed", "status": 502, "error_kind": "upstream_error"}


async def till_of(house: House) -> Till:
    return await Till(house).open()


@pytest.mark.parametrize("seed", [1, 2])
async def test_figures_are_the_sums_of_the_books(house: House, seed: int):
    till, chance = await till_of(house), Random(seed)
    for _ in range(12):
        await till.call(
            Usage(input=chance.randrange(1, 9999), output=chance.randrange(1, 999)),
            at_ms=till.now - chance.randrange(0, 6 * DAY_MS),
            own_cost=chance.randrange(10_000_000),
            first_token_ms=chance.randrange(1, 5000),
            **(FAILED if chance.random() < 0.3 else {}),
        )
    await till.catch_up()
    async with reading(house.engine) as connection:
        figures = await read_figures(connection, 30, "UTC", till.now)
        rows = (await connection.execute(select(usage))).mappings().all()
    total = figures.total
    assert total.calls == len(rows)
    assert total.charge == sum(row["charge"] - row["reversed"] for row in rows)
    assert total.own_cost == sum(row["own_cost"] for row in rows)
    assert total.list_cost == sum(row["list_cost"] for row in rows)
    assert total.margin == total.charge - total.own_cost
    assert total.failed == sum(row["end_state"] == "failed" for row in rows)
    assert figures.channels is not None
    for one in figures.channels:
        assert sum(one.charges) == one.sum.charge
    assert sum(one.sum.charge for one in figures.channels) == total.charge
    for top, column in ((figures.users, "user_id"), (figures.models, "model_asked")):
        paid: Counter[Any] = Counter()
        for row in rows:
            paid[row[column]] += row["charge"]
        assert sorted(one.charge for one in top) == sorted(paid.values())
        assert sum(one.calls for one in top) == len(rows)


async def test_accounts_are_counted_by_state(house: House):
    till = await till_of(house)
    async with reading(house.engine) as connection:
        figures = await read_figures(connection, 1, "Asia/Kathmandu", till.now)
    assert sum(figures.accounts.values()) > 0
    assert set(figures.accounts) <= {"active", "parked", "disabled", "no_credential"}


async def test_money_in_is_told_by_kind(house: House):
    till = await till_of(house)
    ada, at_ms = await till.user(), till.now
    async with reading(house.engine) as connection:
        before = (await read_figures(connection, 1, "UTC", at_ms)).money_in
    async with working(house.engine) as connection:
        await grant(connection, ada["wallet_id"], 700, "code:12", at_ms)
        await grant(connection, ada["wallet_id"], 40, "bonus:1", at_ms)
        await grant(connection, ada["wallet_id"], 5, "bonus:2", at_ms - 3 * DAY_MS)
        await adjust(connection, ada["wallet_id"], 100, "form:1", at_ms)
        await adjust(connection, ada["wallet_id"], -30, "form:2", at_ms)
    async with reading(house.engine) as connection:
        figures = await read_figures(connection, 1, "UTC", at_ms)
    given = before.get("grant", 0) + 40
    assert figures.money_in == {"adjustment": 70, "code": 700, "grant": given}


async def test_dead_jobs_are_counted(house: House):
    till = await till_of(house)
    async with working(house.engine) as connection:
        for state in ("dead", "ready", "dead"):
            row = {"id": new_id(), "kind": "mail", "payload": "{}", "state": state, "attempts": 9}
            await connection.execute(insert(job).values(**row, run_at_ms=0, created_ms=0))
    async with reading(house.engine) as connection:
        assert (await read_figures(connection, 7, "UTC", till.now)).dead_jobs == 2
