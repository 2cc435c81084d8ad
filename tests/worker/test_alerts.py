"""Proof that each check raises what is so and closes what is not, and never tells it twice."""

import pytest
from sqlalchemy import delete, insert, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services.losses import lost
from tollbridge.core.clock import now_ms
from tollbridge.core.settings import Settings, load_settings
from tollbridge.notify.kinds import Kind, of_wallet
from tollbridge.notify.operators import Operators
from tollbridge.storage.alerts import Alert, list_alerts
from tollbridge.storage.ledger_tables import purse
from tollbridge.storage.queue import claim, enqueue
from tollbridge.storage.unit_of_work import working
from tollbridge.storage.work_tables import job
from tollbridge.worker.alerts import Checks

OPERATORS = Operators(("ops@example.test",))
MINUTE = 60_000


def settings(url: str, **changes) -> Settings:
    keys = {"keys": "x"} if url.startswith("postgresql") else {}
    return load_settings(database=url, **keys, **changes)


@pytest.fixture
def checks(engine: AsyncEngine, database_url: str) -> Checks:
    return Checks(engine, OPERATORS, settings(database_url))


async def alerts(engine: AsyncEngine) -> list[Alert]:
    async with working(engine) as connection:
        return sorted(await list_alerts(connection), key=lambda row: row.subject)


async def told(engine: AsyncEngine) -> list[str]:
    jobs = await claim(engine, 1, ["mail"], 60, 100)
    return [taken.payload["subject"].removeprefix("[tollbridge] ") for taken in jobs]


async def dead(engine: AsyncEngine, kind: str) -> None:
    async with working(engine) as connection:
        await enqueue(connection, kind, {})
        await connection.execute(
            update(job)
            .where(job.c.kind == kind)
            .values(state="dead", attempts=12, error="WebhookFailed")
        )


async def test_dead_jobs(engine: AsyncEngine, database_url: str):
    seen: list[int] = []
    checks = Checks(engine, OPERATORS, settings(database_url), on_dead=seen.append)
    await checks.jobs()
    assert await alerts(engine) == []
    for kind in ("webhook", "webhook", "index"):
        await dead(engine, kind)
    for _ in range(2):
        await checks.jobs()
    found = await alerts(engine)
    assert [(row.kind, row.subject) for row in found] == [
        ("dead_jobs", "index"),
        ("dead_jobs", "webhook"),
    ]
    assert found[1].detail.startswith("2 given up; the last is job ")
    assert found[1].detail.endswith(" after 12 attempts: WebhookFailed")
    assert len(await told(engine)) == 2
    async with working(engine) as connection:
        await connection.execute(delete(job).where(job.c.kind == "webhook"))
    await checks.jobs()
    assert [row.subject for row in await alerts(engine)] == ["index"]
    assert await told(engine) == ["over: Jobs were given up: webhook"]
    assert seen == [0, 3, 3, 1]


async def test_a_disk_that_fills_up(engine: AsyncEngine, database_url: str):
    if database_url.startswith("postgresql"):
        await Checks(engine, OPERATORS, settings(database_url, disk_alert_bytes=1 << 50)).disk()
        assert await alerts(engine) == []
        return

    async def look(least: int) -> int:
        await Checks(engine, OPERATORS, settings(database_url, disk_alert_bytes=least)).disk()
        return len(await alerts(engine))

    assert await look(1 << 50) == 1
    assert " bytes are free under the database" in (await alerts(engine))[0].detail
    free = int((await alerts(engine))[0].detail.split()[0])
    # Enough, but not a quarter more than enough: still open.
    assert await look(free * 9 // 10) == 1
    assert await look(free // 2) == 0
    assert await told(engine) == ["Disk almost full: database", "over: Disk almost full: database"]


async def test_books_that_do_not_balance(engine: AsyncEngine, database_url: str):
    seen: list[int] = []
    checks = Checks(engine, OPERATORS, settings(database_url), on_imbalance=seen.append)
    await checks.books()
    assert await alerts(engine) == []
    async with working(engine) as connection:
        await connection.execute(
            insert(purse).values(id=7, kind="wallet", owner_id=7, available=5, held=0)
        )
    for _ in range(2):
        await checks.books()
    (row,) = await alerts(engine)
    assert (row.kind, row.subject) == ("imbalance", "I1 available")
    assert "wallet 7 has 5 but its journal lines come to 0" in row.detail
    async with working(engine) as connection:
        await connection.execute(delete(purse))
    await checks.books()
    assert await alerts(engine) == []
    assert await told(engine) == [
        "The books do not balance: I1 available",
        "over: The books do not balance: I1 available",
    ]
    assert seen == [0, 1, 1, 0]


async def test_losses_are_told_once(engine: AsyncEngine, checks: Checks):
    at_ms = now_ms() - 2 * MINUTE
    await lost(engine, 7, 120_000_000, at_ms)
    await lost(engine, 7, 3, at_ms + 1)
    assert await checks.losses() is False
    (row,) = await alerts(engine)
    assert (row.kind, row.subject, row.count) == ("operator_loss", "wallet 7", 2)
    assert row.detail == "$0.120000003 in 2 calls"
    assert row.first_ms == at_ms + 1
    # The mark says so, also to a process that begins now.
    assert await checks.losses() is False
    assert (await alerts(engine))[0] == row
    await lost(engine, 7, 5, at_ms + 2)
    await checks.losses()
    (row,) = await alerts(engine)
    assert (row.count, row.detail) == (3, "$0.000000005 in one call")
    assert await told(engine) == ["Cost that no wallet covered: wallet 7"]


async def test_what_the_ledger_told_itself_is_not_counted_again(
    engine: AsyncEngine, checks: Checks
):
    at_ms = now_ms() - 2 * MINUTE
    await lost(engine, 7, 5, at_ms)
    async with working(engine) as connection:
        await OPERATORS.raise_alert(
            connection, Kind.OPERATOR_LOSS, of_wallet(7), "$0.000000005", at_ms + 10
        )
    await checks.losses()
    assert [row.count for row in await alerts(engine)] == [1]
    await lost(engine, 7, 6, at_ms + 20)
    await checks.losses()
    assert [row.count for row in await alerts(engine)] == [2]


async def test_history_is_no_alert(engine: AsyncEngine, checks: Checks):
    await lost(engine, 7, 5, now_ms() - 25 * 60 * MINUTE)
    await checks.losses()
    assert await alerts(engine) == []


async def test_a_failed_look_looks_again(engine: AsyncEngine, database_url: str):
    """Alerts and mark are one transaction: neither without the other."""

    class Broken(Operators):
        async def raise_alert(self, connection, *_given, **_more) -> None:
            await super().raise_alert(connection, *_given, **_more)
            await connection.execute(text("SELECT no_such_thing"))

    await lost(engine, 7, 5, now_ms() - 2 * MINUTE)
    broken = Checks(engine, Broken(), settings(database_url))
    with pytest.raises(Exception, match="no_such_thing"):
        await broken.losses()
    assert await alerts(engine) == []
    await Checks(engine, OPERATORS, settings(database_url)).losses()
    assert len(await alerts(engine)) == 1


async def test_the_sweep_closes_what_is_quiet(engine: AsyncEngine, checks: Checks):
    async with working(engine) as connection:
        await OPERATORS.raise_alert(connection, Kind.POOL_EMPTY, "acme", "", now_ms() - 16 * MINUTE)
    await checks.sweep()
    assert await alerts(engine) == []


def test_the_periodic_jobs():
    made = Checks(None, OPERATORS, load_settings(audit_every_s=7200)).periodic()  # type: ignore[arg-type]
    assert {work.name: work.every_s for work in made} == {
        "alerts_sweep": 60, "alerts_jobs": 60, "alerts_disk": 60, "alerts_losses": 60,
        "alerts_books": 7200,
    }  # fmt: skip
