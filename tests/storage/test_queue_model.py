"""Proof of the queue against a plain model: any history ends as the model says, step by step."""

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.passing_time import pass_time
from tests.storage.queue_model import QueueModel
from tollbridge.core.clock import now_ms
from tollbridge.storage.queue import (
    ATTEMPTS_MAX,
    Job,
    claim,
    done,
    enqueue,
    failed,
    give_back,
    prolong,
    revive,
)
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.work_tables import job

KINDS = {"mail", "index"}
LEASE_S = 1000

_AFTER = st.sampled_from([0, 0, 0, 50])
_DEDUPE = st.sampled_from([None, "a", "b"])
_WHICH = st.integers(0, 3)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enqueue"), st.sampled_from(["mail", "index"]), _AFTER, _DEDUPE),
        st.tuples(st.just("claim"), st.integers(1, 2), st.integers(1, 3)),
        st.tuples(st.just("claim"), st.integers(1, 2), st.integers(1, 3)),
        st.tuples(st.sampled_from(["done", "failed", "give_back", "prolong", "vanish"]), _WHICH),
        st.tuples(st.just("wait"), st.sampled_from([60, LEASE_S + 60, 4000])),
        st.tuples(st.sampled_from(["revive", "wear"]), _WHICH),
    ),
    max_size=24,
)


class Walk:
    """Takes each step in the tables and in the model, and compares what they say."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.model = QueueModel()
        self.claims: list[Job] = []
        self.numbers = itertools.count()

    async def enqueue(self, kind, in_s, dedupe) -> None:
        number = next(self.numbers)
        at = now_ms() + in_s * 1000 if in_s else None
        async with working(self.engine) as connection:
            added = await enqueue(connection, kind, {"n": number}, run_at_ms=at, dedupe=dedupe)
        assert added == self.model.enqueue(number, kind, in_s, dedupe)

    async def claim(self, holder, limit) -> None:
        due = self.model.due(KINDS)
        taken = await claim(self.engine, holder, KINDS, LEASE_S, limit)
        numbers = {one.payload["n"] for one in taken}
        states = {number: row["state"] for number, row in (await self.by_number()).items()}
        buried = {number for number in due if states[number] == "dead"}
        assert numbers <= due - buried
        assert len(numbers) == len(taken)
        assert len(numbers) + len(buried) == min(limit, len(due))
        for number in buried:
            self.model.buried(number)
        for one in taken:
            assert one.attempts <= ATTEMPTS_MAX
            self.model.claimed(one.payload["n"], holder, LEASE_S)
            assert self.model.holds(one.payload["n"], (holder, one.attempts))
        self.claims += taken

    async def done(self, which) -> None:
        one, ours = self._claim(which)
        if one:
            assert await done(self.engine, one) == ours
            if ours:
                del self.model.jobs[one.payload["n"]]

    async def failed(self, which) -> None:
        one, ours = self._claim(which)
        if one:
            outcome = await failed(self.engine, one, "E")
            if not ours:
                assert outcome == "lost"
                return
            # How long it waits is judged elsewhere; here it waits an hour at most.
            async with working(self.engine) as connection:
                later = job.update().where(job.c.id == one.id, job.c.state == "ready")
                await connection.execute(later.values(run_at_ms=now_ms() + 3_600_000))
            assert outcome == self.model.failed(one.payload["n"], self.model.now + 3600)

    async def give_back(self, which) -> None:
        one, ours = self._claim(which)
        if one:
            assert await give_back(self.engine, one) == ours
            if ours:
                self.model.given_back(one.payload["n"])

    async def prolong(self, which) -> None:
        one, ours = self._claim(which, keep=True)
        if one:
            assert await prolong(self.engine, one, LEASE_S) == ours
            if ours:
                self.model.jobs[one.payload["n"]].lease_until = self.model.now + LEASE_S

    async def vanish(self, which) -> None:
        self._claim(which)

    async def wait(self, seconds) -> None:
        await pass_time(self.engine, seconds)
        self.model.now += seconds

    async def revive(self, which) -> None:
        row = (await self.by_number()).get(which)
        async with working(self.engine) as connection:
            revived = await revive(connection, row["id"] if row else 0)
        assert revived == self.model.revive(which)

    async def wear(self, which) -> None:
        row = (await self.by_number()).get(which)
        if row and row["state"] == "ready":
            async with working(self.engine) as connection:
                worn = job.update().where(job.c.id == row["id"])
                await connection.execute(worn.values(attempts=ATTEMPTS_MAX - 1))
            self.model.worn(which)

    async def by_number(self) -> dict:
        async with reading(self.engine) as connection:
            found = (await connection.execute(select(job))).mappings().all()
        return {int(row["payload"][5:-1]): row for row in found}

    async def compare(self) -> None:
        found = await self.by_number()
        assert found.keys() == self.model.jobs.keys()
        for number, expected in self.model.jobs.items():
            row = found[number]
            assert row["state"] == expected.state
            assert row["attempts"] == expected.attempts
            assert row["dedupe"] == expected.dedupe
            assert row["holder"] == (expected.token[0] if expected.token else None)

    def _claim(self, which, *, keep=False):
        if which >= len(self.claims):
            return None, False
        one = self.claims[which]
        if not keep:
            del self.claims[which]
        return one, self.model.holds(one.payload["n"], (one.holder, one.attempts))


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(steps=_STEPS)
async def test_any_history_is_what_the_model_says(engine: AsyncEngine, steps):
    async with working(engine) as connection:
        await connection.execute(delete(job))
    walk = Walk(engine)
    for name, *arguments in steps:
        await getattr(walk, name)(*arguments)
        await walk.compare()
