"""The books' health: sums by plain SQL, what calls hold, what no wallet covered; proofs are noted."""

from sqlalchemy import insert

from tests.console.calls import DAY_MS, Till
from tests.people.operators import BOSS, noted
from tests.services.pages import House
from tollbridge.core.clock import new_id, new_tid, now_ms
from tollbridge.people.ledger_health import check_now, read_health
from tollbridge.storage.ledger_tables import hold, journal
from tollbridge.storage.unit_of_work import reading, working


async def test_charges_are_those_of_the_calls(house: House):
    till = await Till(house).open()
    await till.call()
    await till.call()
    await till.catch_up()
    async with reading(house.engine) as connection:
        health = await read_health(connection, till.now)
    assert list(health.charges.values())[-1] > 0 and health.losses == 0
    assert health.holds == 0 and health.oldest_hold_ms is None


async def test_sums_and_holds(house: House):
    at_ms = now_ms()
    for number, credit in enumerate((3, 4)):
        await house.user(f"{number}@example.com", credit=credit)
    async with working(house.engine) as connection:
        for age, amount in ((9_000, 5), (2_000, 6)):
            row = {"tid": new_tid(), "wallet_id": 1, "amount": amount, "at_ms": at_ms - age}
            more = {"covered": 0, "node_id": 1, "epoch": 1, "bill": "{}"}
            await connection.execute(insert(hold).values(**row, **more))
    async with reading(house.engine) as connection:
        health = await read_health(connection, at_ms)
    assert (health.wallets, health.available, health.held) == (2, 7, 0)
    assert (health.holds, health.held_by_calls, health.oldest_hold_ms) == (2, 11, at_ms - 9_000)
    assert health.marks is None and health.checked_ms is None


async def test_losses_of_thirty_days(house: House):
    at_ms = now_ms()
    async with working(house.engine) as connection:
        for kind, debit, credit, amount, age in (
            ("loss", "operator_loss", "revenue", 50, 0),
            ("late_loss", "operator_loss", "revenue", 7, 2),
            ("return_loss", "revenue", "operator_loss", 9, 1),
            ("reversal", "revenue", "wallet:1", 1000, 0),
        ):
            row = {"id": new_id(), "at_ms": at_ms - age * DAY_MS, "debit": debit, "credit": credit}
            more = {"amount": amount, "kind": kind, "ref": new_tid()}
            if age:
                row["id"] -= age * DAY_MS << 22
            await connection.execute(insert(journal).values(**row, **more))
    async with reading(house.engine) as connection:
        health = await read_health(connection, at_ms)
    assert health.losses == 48


async def test_a_proof_is_noted(house: House):
    await house.user(credit=5)
    verdict = await check_now(house.engine, BOSS, now_ms())
    assert verdict.right and verdict.lines == 1
    [(action, _, detail)] = await noted(house)
    assert action == "ledger.check"
    assert detail == {"calls": 0, "lines": 1, "off": [], "right": True}
    async with reading(house.engine) as connection:
        health = await read_health(connection, now_ms())
    assert health.checked_ms is not None and not health.off
