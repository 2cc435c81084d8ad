"""Proof that the database itself refuses what must never stand among jobs and alerts."""

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.storage.work_tables import alert, job, lease

JOB = {
    "id": 1,
    "kind": "mail",
    "payload": "{}",
    "state": "ready",
    "run_at_ms": 1,
    "attempts": 0,
    "dedupe": "once",
    "created_ms": 1,
}
ALERT = {"id": 1, "kind": "disk_low", "subject": "", "detail": "", "first_ms": 1, "last_ms": 1,
         "count": 1}  # fmt: skip


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        (job, [{**JOB, "state": "done"}]),
        (job, [JOB, {**JOB, "id": 2}]),
        (lease, [{"name": "a", "holder": 1, "until_ms": 1}] * 2),
        (alert, [ALERT, {**ALERT, "id": 2}]),
    ],
)
async def test_refused(engine: AsyncEngine, table, rows):
    async with engine.connect() as connection:
        for row in rows[:-1]:
            await connection.execute(insert(table).values(**row))
        with pytest.raises(IntegrityError):
            await connection.execute(insert(table).values(**rows[-1]))


async def test_any_number_of_jobs_need_not_be_told_apart(engine: AsyncEngine):
    async with engine.connect() as connection:
        for number in (1, 2):
            await connection.execute(insert(job).values(**{**JOB, "id": number, "dedupe": None}))
