"""Owns the queue of jobs: a row is a job, made in the transaction of what causes it.

A job runs at least once: its worker may die after the deed and before `done`, so handlers must be
idempotent. While a lease holds nobody else runs the job. Must not know what a job does. Times are
compared by the database's clock. Nothing here is a change of the catalogue (architecture.md,
"Background work").
"""

import random
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, RowMapping, Update, and_, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.core.clock import new_id
from tollbridge.storage.database_clock import clock_of
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.upsert import upsert
from tollbridge.storage.work_tables import job

ATTEMPTS_MAX = 12
"""A job that was begun so often and never done is dead; `revive` gives it as many again."""

_FIRST_DELAY_MS = 10_000
_LONGEST_DELAY_MS = 3_600_000
_REASON_MAX = 200
_VANISHED = "LeaseExpired"

Failure = Literal["again", "dead", "lost"]
"""What a failure led to: another try later, none, or nothing, because the lease was lost before."""


class Job(NamedTuple):
    """A job that was claimed: `holder` may run it until its lease ends. `attempts` counts this one."""

    id: int
    kind: str
    payload: Any
    attempts: int
    holder: int


class DeadJob(NamedTuple):
    """A job that was given up. `error` is a class of errors or a short reason."""

    id: int
    kind: str
    attempts: int
    error: str
    created_ms: int


async def enqueue(
    connection: AsyncConnection,
    kind: str,
    payload: Mapping[str, Any],
    *,
    run_at_ms: int | None = None,
    dedupe: str | None = None,
) -> bool:
    """Add a job to the caller's transaction, to be run from `run_at_ms` on (at once by default).

    False when a waiting or running job has the same `dedupe`: nothing is added then, and a
    running job may have read its data already, so use it only for work that another run repeats.
    `payload` is JSON; never a body of a call. `dedupe` has at most 128 characters.
    """
    clock = clock_of(connection)
    values = {
        "id": new_id(),
        "kind": kind,
        "payload": msgspec.json.encode(payload).decode(),
        "state": "ready",
        "run_at_ms": clock if run_at_ms is None else run_at_ms,
        "attempts": 0,
        "dedupe": dedupe,
        "created_ms": clock,
    }
    if dedupe is None:
        await connection.execute(insert(job).values(values))
        return True
    query = upsert(connection, job).values(values).on_conflict_do_nothing(index_elements=["dedupe"])
    return (await connection.execute(query)).rowcount == 1


async def claim(
    engine: AsyncEngine, holder: int, kinds: Collection[str], lease_s: float, limit: int
) -> list[Job]:
    """Take up to `limit` due jobs of `kinds` for `lease_s`; the longest due first.

    Jobs whose lease ended are due again. One that ended its workers `ATTEMPTS_MAX` times is dead.
    Costs one read when nothing is due.
    """
    if not await _anything_due(engine, kinds):
        return []
    async with working(engine) as connection:
        clock = clock_of(connection)
        query = (
            select(job.c.id, job.c.kind, job.c.payload, job.c.attempts)
            .where(_is_due(clock, kinds))
            .order_by(job.c.run_at_ms, job.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        found = (await connection.execute(query)).mappings().all()
        await _bury(connection, [row["id"] for row in found if row["attempts"] >= ATTEMPTS_MAX])
        taken = [row for row in found if row["attempts"] < ATTEMPTS_MAX]
        if taken:
            await connection.execute(
                update(job)
                .where(job.c.id.in_([row["id"] for row in taken]))
                .values(
                    state="running",
                    holder=holder,
                    lease_until_ms=clock + int(lease_s * 1000),
                    attempts=job.c.attempts + 1,
                )
            )
    return [_job(row, holder) for row in taken]


async def prolong(engine: AsyncEngine, claimed: Job, lease_s: float) -> bool:
    """Let the lease end `lease_s` from now; False when the job is not this holder's any more."""
    async with working(engine) as connection:
        until = clock_of(connection) + int(lease_s * 1000)
        return await _change(connection, _of(claimed).values(lease_until_ms=until))


async def done(engine: AsyncEngine, claimed: Job) -> bool:
    """Delete a job that has run; False when it is not this holder's any more."""
    async with working(engine) as connection:
        gone = await connection.execute(delete(job).where(_held(claimed)))
        return gone.rowcount == 1


async def failed(engine: AsyncEngine, claimed: Job, reason: str) -> Failure:
    """Put a job back for a later try: after 10 s, then twice as long each time, at most an hour.

    After `ATTEMPTS_MAX` attempts it is dead, and its `dedupe` free for another job. `reason` is a
    class of errors or a few words; never a body, never a secret.
    """
    dead = claimed.attempts >= ATTEMPTS_MAX
    async with working(engine) as connection:
        change = _of(claimed).values(
            error=reason[:_REASON_MAX],
            holder=None,
            lease_until_ms=None,
            **(
                {"state": "dead", "dedupe": None}
                if dead
                else {
                    "state": "ready",
                    "run_at_ms": clock_of(connection) + _delay_ms(claimed.attempts),
                }
            ),
        )
        if not await _change(connection, change):
            return "lost"
    return "dead" if dead else "again"


async def give_back(engine: AsyncEngine, claimed: Job) -> bool:
    """Let others run a job at once that this holder was stopped in; it counts as no attempt."""
    async with working(engine) as connection:
        back = {"state": "ready", "holder": None, "lease_until_ms": None}
        return await _change(connection, _of(claimed).values(attempts=job.c.attempts - 1, **back))


async def dead_jobs(connection: AsyncConnection, limit: int = 100) -> list[DeadJob]:
    """Return jobs that were given up, the newest first."""
    query = (
        select(job.c.id, job.c.kind, job.c.attempts, job.c.error, job.c.created_ms)
        .where(job.c.state == "dead")
        .order_by(job.c.id.desc())
        .limit(limit)
    )
    return [DeadJob(*row) for row in await connection.execute(query)]


async def revive(connection: AsyncConnection, job_id: int) -> bool:
    """Make a dead job due now, with all its attempts before it; False when there is none such."""
    query = (
        update(job)
        .where(job.c.id == job_id, job.c.state == "dead")
        .values(state="ready", attempts=0, run_at_ms=clock_of(connection))
    )
    return await _change(connection, query)


async def _anything_due(engine: AsyncEngine, kinds: Collection[str]) -> bool:
    async with reading(engine) as connection:
        query = select(job.c.id).where(_is_due(clock_of(connection), kinds)).limit(1)
        return (await connection.execute(query)).first() is not None


def _is_due(clock: ColumnElement[int], kinds: Collection[str]) -> ColumnElement[bool]:
    return and_(
        job.c.kind.in_(sorted(kinds)),
        or_(
            and_(job.c.state == "ready", job.c.run_at_ms <= clock),
            and_(job.c.state == "running", job.c.lease_until_ms <= clock),
        ),
    )


async def _bury(connection: AsyncConnection, jobs: Sequence[int]) -> None:
    if jobs:
        end = {"state": "dead", "dedupe": None, "holder": None, "lease_until_ms": None}
        query = update(job).where(job.c.id.in_(jobs)).values(error=_VANISHED, **end)
        await connection.execute(query)


def _job(row: RowMapping, holder: int) -> Job:
    payload = msgspec.json.decode(row["payload"])
    return Job(row["id"], row["kind"], payload, row["attempts"] + 1, holder)


def _held(claimed: Job) -> ColumnElement[bool]:
    # The attempts tell a second claim by the same holder from the first.
    return and_(
        job.c.id == claimed.id,
        job.c.state == "running",
        job.c.holder == claimed.holder,
        job.c.attempts == claimed.attempts,
    )


def _of(claimed: Job) -> Update:
    return update(job).where(_held(claimed))


async def _change(connection: AsyncConnection, query: Update) -> bool:
    return (await connection.execute(query)).rowcount == 1


def _delay_ms(attempts: int) -> int:
    """Return the pause after that many attempts, up to a quarter shorter so that jobs spread."""
    delay = min(_FIRST_DELAY_MS << (attempts - 1), _LONGEST_DELAY_MS)
    return delay - random.randrange(delay // 4)
