"""Proof that what is over goes, that what is not stays, and that a second run changes nothing."""

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.identity.rows import user_columns
from tollbridge.core.secrets import Secrets
from tollbridge.identity.doors import Door, Doors
from tollbridge.identity.one_time import Purpose, issue, use
from tollbridge.identity.sessions import IDLE_MS, LIFE_MS, find_session, note_visit, start_session
from tollbridge.identity.users import add_user
from tollbridge.storage.counters_memory import MemoryCounters
from tollbridge.storage.people_tables import door_counts, idempotency, one_time, sessions
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.worker.people import ANSWERS_MS, People

START = 1_774_908_000_000
HOUR, DAY = 3_600_000, 86_400_000


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at_ms = START

    def __call__(self) -> int:
        return self.at_ms


@pytest.fixture
async def user_id(engine: AsyncEngine) -> int:
    async with working(engine) as connection:
        columns = user_columns(wallet_id=100)
        await add_user(connection, 1, "ann@example.test", START, columns)
    return 1


async def counts(engine: AsyncEngine) -> dict[str, int]:
    """Return how many rows each table of these has."""
    tables = (sessions, one_time, door_counts, idempotency)
    async with reading(engine) as connection:
        return {
            table.name: len((await connection.execute(select(table))).all()) for table in tables
        }


async def begin_session(engine: AsyncEngine, secrets: Secrets, user_id: int, at_ms: int) -> str:
    async with working(engine) as connection:
        return await start_session(
            connection, secrets, user_id, "full", at_ms, address="192.0.2.1", agent="a browser"
        )


async def test_sessions_end_after_a_week_without_a_visit_and_after_a_month(
    engine: AsyncEngine, secrets: Secrets, user_id: int
):
    clock = Clock()
    job = People(engine, clock)
    idle = await begin_session(engine, secrets, user_id, START)
    used = await begin_session(engine, secrets, user_id, START)
    async with working(engine) as connection:
        await note_visit(connection, await _session(connection, secrets, used), START + 2)
    clock.at_ms = START + IDLE_MS - 1
    await job.run()
    assert (await counts(engine))["sessions"] == 2
    clock.at_ms = START + IDLE_MS
    await job.run()
    async with working(engine) as connection:
        assert await find_session(connection, secrets, idle, START) is None
        await note_visit(connection, await _session(connection, secrets, used), START + LIFE_MS - 1)
    clock.at_ms = START + LIFE_MS - 1
    await job.run()
    assert (await counts(engine))["sessions"] == 1
    clock.at_ms += 1
    await job.run()
    assert (await counts(engine))["sessions"] == 0


async def _session(connection, secrets: Secrets, token: str) -> int:
    found = await find_session(connection, secrets, token, START + 1)
    assert found is not None
    return found.id


async def test_a_word_goes_when_it_is_no_longer_good(engine: AsyncEngine, secrets: Secrets):
    clock = Clock()
    async with working(engine) as connection:
        words = [
            await issue(connection, secrets, Purpose.SIGN_UP, at_ms=START, life_ms=life)
            for life in (HOUR, DAY)
        ]
    clock.at_ms = START + HOUR
    await People(engine, clock).run()
    assert (await counts(engine))["one_time"] == 1
    async with working(engine) as connection:
        assert await use(connection, secrets, Purpose.SIGN_UP, words[1], clock.at_ms) is not None


async def test_knocks_of_a_day_that_is_over(engine: AsyncEngine, secrets: Secrets):
    clock = Clock()
    doors = Doors(engine, MemoryCounters(), secrets)
    door = Door("test", per_minute=10, per_day=10)
    await doors.knock(door, "a", START)
    await doors.knock(door, "b", START + HOUR)
    clock.at_ms = START + DAY
    await People(engine, clock).run()
    assert (await counts(engine))["door_counts"] == 1


async def test_answers_are_kept_for_two_days(engine: AsyncEngine):
    clock = Clock()
    async with working(engine) as connection:
        for name, made_ms in (("old", START), ("fresh", START + 1)):
            await connection.execute(
                insert(idempotency).values(
                    user_id=1, name=name, request=b"r", status=200, answer="{}", created_ms=made_ms
                )
            )
    clock.at_ms = START + ANSWERS_MS
    for _ in range(2):
        await People(engine, clock).run()
        async with reading(engine) as connection:
            names = (await connection.execute(select(idempotency.c.name))).scalars().all()
        assert names == ["fresh"]


def test_two_days_are_two_days():
    assert ANSWERS_MS == 2 * DAY
