"""Proof that an alarm costs its caller nothing, and that none is lost while the database is away."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.notify.waiting import subjects
from tollbridge.notify.alarms import Alarms
from tollbridge.notify.kinds import Kind
from tollbridge.notify.operators import Operators
from tollbridge.storage.alerts import Alert, list_alerts
from tollbridge.storage.engine import open_engine
from tollbridge.storage.migrate import migrate
from tollbridge.storage.unit_of_work import working

OPERATORS = Operators(("a@example.test",))


async def rows(engine: AsyncEngine, *, open_only: bool = True) -> list[Alert]:
    async with working(engine) as connection:
        return sorted(
            await list_alerts(connection, open_only=open_only), key=lambda row: row.subject
        )


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true; the suite's time limit ends it."""
    while not condition():
        await asyncio.sleep(0.005)


async def test_an_alarm_becomes_an_alert(engine: AsyncEngine):
    alarms = Alarms(engine, OPERATORS)
    alarms.raise_(Kind.POOL_EMPTY, "acme", "none is active")
    alarms.start()
    alarms.raise_(Kind.ACCOUNT_DISABLED, "acme/one", "refused with 401")
    await alarms.stop()
    found = await rows(engine)
    assert [(row.kind, row.subject, row.detail, row.count) for row in found] == [
        ("pool_empty", "acme", "none is active", 1),
        ("account_disabled", "acme/one", "refused with 401", 1),
    ]
    assert len(await subjects(engine)) == 2


async def test_repeats_wait_and_are_counted(engine: AsyncEngine):
    alarms = Alarms(engine, OPERATORS, pause_s=0.01)
    alarms.start()
    for number in range(100):
        alarms.raise_(Kind.POOL_EMPTY, "acme", f"try {number}")
    while not await rows(engine):
        await asyncio.sleep(0.005)
    for number in range(100, 1000):
        alarms.raise_(Kind.POOL_EMPTY, "acme", f"try {number}")
    alarms.raise_(Kind.POOL_EMPTY, "other", "first")
    while len(await rows(engine)) < 2:
        await asyncio.sleep(0.005)
    # The other one passed, the repeats are held back.
    assert [row.count for row in await rows(engine)] == [100, 1]
    assert len(alarms._noted) == 1
    await alarms.stop()
    found = await rows(engine)
    assert [(row.count, row.detail) for row in found] == [(1000, "try 999"), (1, "first")]
    assert len(await subjects(engine)) == 2


async def test_what_was_held_back_is_written_without_another_call(engine: AsyncEngine):
    alarms = Alarms(engine, OPERATORS, hold_back_ms=50, pause_s=0.01)
    alarms.start()
    alarms.raise_(Kind.POOL_EMPTY, "acme", "1")
    while not await rows(engine):
        await asyncio.sleep(0.005)
    alarms.raise_(Kind.POOL_EMPTY, "acme", "2")
    while (await rows(engine))[0].count < 2:
        await asyncio.sleep(0.005)
    await alarms.stop()
    assert not alarms._noted


async def test_what_is_over_closes(engine: AsyncEngine):
    alarms = Alarms(engine, OPERATORS, hold_back_ms=0, pause_s=0.01)
    alarms.start()
    alarms.close(Kind.POOL_EMPTY, "never")
    alarms.raise_(Kind.POOL_EMPTY, "acme", "1")
    alarms.close(Kind.POOL_EMPTY, "acme")
    alarms.raise_(Kind.POOL_EMPTY, "back", "1")
    alarms.close(Kind.POOL_EMPTY, "back")
    alarms.raise_(Kind.POOL_EMPTY, "back", "2")
    await alarms.stop()
    found = await rows(engine, open_only=False)
    assert [(row.subject, row.count, row.closed_ms is None) for row in found] == [
        ("acme", 1, False),
        ("back", 2, True),
    ]


async def test_kept_while_the_database_is_away(tmp_path: Path):
    """The tables are not there yet: every write fails until they are."""
    url = f"sqlite:///{tmp_path}/late.db"
    engine = open_engine(url)
    alarms = Alarms(engine, OPERATORS, hold_back_ms=0, pause_s=0.01)
    alarms.start()
    alarms.raise_(Kind.POOL_EMPTY, "acme", "before")
    await until(lambda: alarms._trouble)
    for number in range(9):
        alarms.raise_(Kind.POOL_EMPTY, "acme", f"meanwhile {number}")
    await migrate(url)
    await until(lambda: not alarms._trouble)
    await alarms.stop()
    (row,) = await rows(engine)
    assert (row.count, row.detail) == (10, "meanwhile 8")
    await engine.dispose()


async def test_memory_is_bounded(tmp_path: Path):
    engine = open_engine(f"sqlite:///{tmp_path}/none.db")
    alarms = Alarms(engine, OPERATORS, kept_max=3)
    for number in range(10):
        alarms.raise_(Kind.POOL_EMPTY, f"channel {number}", "")
    alarms.raise_(Kind.POOL_EMPTY, "channel 0", "")
    assert (len(alarms._noted), alarms.dropped) == (3, 7)
    assert alarms._noted[Kind.POOL_EMPTY, "channel 0"].count == 2
    await engine.dispose()


async def test_stopping_does_not_wait_for_a_database_for_ever(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/busy.db"
    await migrate(url)
    engine, other = open_engine(url), open_engine(url)
    async with working(other) as connection:
        await connection.execute(text("SELECT 1"))
        alarms = Alarms(engine, OPERATORS, stop_s=0.1)
        alarms.raise_(Kind.POOL_EMPTY, "acme", "")
        alarms.start()
        await alarms.stop()
        assert len(alarms._noted) == 1
    await alarms.stop()
    await engine.dispose()
    await other.dispose()


async def test_a_write_that_is_under_way_when_all_ends_is_no_second_one(engine: AsyncEngine):
    alarms = Alarms(engine, OPERATORS)
    ends: list[asyncio.Task[None]] = []

    def end(_connection: Connection) -> None:
        if not ends:
            ends.append(asyncio.ensure_future(alarms.stop()))

    event.listen(engine.sync_engine, "commit", end)
    alarms.raise_(Kind.POOL_EMPTY, "acme", "none is active")
    alarms.start()
    await until(lambda: bool(ends))
    await ends[0]
    (row,) = await rows(engine)
    assert row.count == 1


async def test_what_comes_during_a_write_that_fails_is_added(engine: AsyncEngine):
    class Busy(Operators):
        tries = 0

        async def raise_alert(self, connection, *given, **more) -> None:
            self.tries += 1
            if self.tries == 1:
                alarms.raise_(Kind.POOL_EMPTY, "acme", "meanwhile")
                raise OSError
            await super().raise_alert(connection, *given, **more)

    alarms = Alarms(engine, Busy(), pause_s=0.01)
    alarms.raise_(Kind.POOL_EMPTY, "acme", "before")
    alarms.start()
    while not await rows(engine):
        await asyncio.sleep(0.005)
    await alarms.stop()
    (row,) = await rows(engine)
    assert (row.count, row.detail) == (2, "meanwhile")
