"""Proof that roll-ups are the plain sums of the rows, whatever happens in between."""

import asyncio
import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.rollup_oracle import by_hand, call, catch_up, in_the_table, tid_at, views_right
from tests.storage.usage_writer import feed, give_back, make_calls, recharge
from tollbridge.core.clock import now_ms, tid_ms
from tollbridge.core.periods import period_at
from tollbridge.storage import rollups as module
from tollbridge.storage.call_index import index_chunk
from tollbridge.storage.engine import open_engine
from tollbridge.storage.ledger_tables import usage, usage_feed
from tollbridge.storage.query_tables import rollup, rollup_dirty, rollup_floor, rollup_view
from tollbridge.storage.rollup_marks import DAY, FIVE_MINUTES, HOUR
from tollbridge.storage.rollups import FOREVER, begin, rebuild, recompute, trim
from tollbridge.storage.unit_of_work import reading, working

_DAY_MS = 86_400_000
NOW = now_ms()
TODAY = period_at("day", NOW).start_ms
MONTH = period_at("month", NOW).start_ms
# Borders of every span, this side and that; before five minutes are kept, before hours are.
MOMENTS = [
    border + beside
    for border in (TODAY, TODAY - _DAY_MS, MONTH, TODAY - 8 * _DAY_MS, TODAY - 400 * _DAY_MS, 0)
    for beside in (-3_600_000, -300_000, -1, 0, 299_999, 300_000, 3_600_000)
    if border + beside >= 0
]


async def amount(engine: AsyncEngine, table) -> int:
    async with reading(engine) as connection:
        return (await connection.execute(select(func.count()).select_from(table))).scalar_one()


async def is_right(engine: AsyncEngine) -> None:
    assert await amount(engine, rollup_dirty) == 0
    assert await in_the_table(engine) == await by_hand(engine)
    assert await views_right(engine)


async def anew(engine: AsyncEngine) -> None:
    """Empty everything: what stays of an earlier example would be in the way."""
    async with working(engine) as connection:
        for table in (usage, usage_feed, rollup, rollup_view, rollup_dirty, rollup_floor):
            await connection.execute(delete(table))


_STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("make"), st.sampled_from(MOMENTS), st.integers(1, 3), st.integers(0, 2**40)
        ),
        st.tuples(st.just("change"), st.integers(0, 20), st.sampled_from(["partial", "complete"])),
        st.tuples(st.just("reverse"), st.integers(0, 20)),
        st.tuples(st.just("forget"), st.integers(0, 20)),
        st.tuples(st.just("index")),
        st.tuples(st.just("work")),
        # A worker that has read and is paused, for as long as it likes or for ever.
        st.tuples(st.just("look"), st.integers(0, 1)),
        st.tuples(st.just("write"), st.integers(0, 1), st.booleans()),
        st.tuples(st.just("trim"), st.sampled_from([0, 1, 20, 500])),
    ),
    max_size=25,
)


class _Shop:
    """Does what a step says."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._tids: list[str] = []
        self._paused = {}

    async def make(self, ms: int, user: int, tokens: int) -> None:
        values = {"user_id": user, "input": tokens, "first_token_ms": tokens % 70_000}
        self._tids.append(await call(self._engine, ms, end_state="complete", **values))

    async def change(self, which: int, state: str) -> None:
        if which < len(self._tids):
            tid = self._tids[which]
            async with working(self._engine) as connection:
                values = {"end_state": state, "status": 200 if state == "complete" else 503}
                await connection.execute(update(usage).where(usage.c.tid == tid).values(values))
                await recharge(connection, tid, which)

    async def reverse(self, which: int) -> None:
        if which < len(self._tids):
            async with working(self._engine) as connection:
                await give_back(connection, self._tids[which])

    async def forget(self, which: int) -> None:
        """Take a row away, as nothing does yet: a group may become empty."""
        if which < len(self._tids):
            async with working(self._engine) as connection:
                tid = self._tids.pop(which)
                await connection.execute(delete(usage).where(usage.c.tid == tid))
                await feed(connection, [tid])

    async def index(self) -> None:
        await index_chunk(self._engine)

    async def work(self) -> None:
        await recompute(self._engine, FOREVER)

    async def look(self, worker: int) -> None:
        self._paused[worker] = await module._look(self._engine, FOREVER)

    async def write(self, worker: int, half: bool) -> None:
        _, changes, floors = self._paused.pop(worker, (0, [], {}))
        for batch in module._batches(changes):
            async with working(self._engine) as connection:
                await module._write(connection, batch, floors)
                if half:
                    await connection.rollback()
                    return

    async def trim(self, days: int) -> None:
        await trim(self._engine, NOW + days * _DAY_MS)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(steps=_STEPS)
async def test_any_history_ends_in_the_plain_sums(engine: AsyncEngine, steps):
    await anew(engine)
    await begin(engine, NOW)
    shop = _Shop(engine)
    for what, *how in steps:
        await getattr(shop, what)(*how)
    await catch_up(engine)
    while await trim(engine, NOW):
        pass
    await is_right(engine)
    incremental = await in_the_table(engine)
    await rebuild(engine, 0, NOW)
    assert await in_the_table(engine) == incremental


@pytest.mark.parametrize("again", [False, True])
async def test_who_was_paused_writes_nothing_stale(engine: AsyncEngine, again: bool):
    """Its slot was made anew by another meanwhile, and perhaps marked once more."""
    await begin(engine, NOW)
    tid = await call(engine, TODAY)
    await index_chunk(engine)
    _, changes, floors = await module._look(engine, FOREVER)
    async with working(engine) as connection:
        await recharge(connection, tid, 77)
    await catch_up(engine)
    right = await in_the_table(engine)
    if again:
        async with working(engine) as connection:
            await feed(connection, [tid])
        await index_chunk(engine)
    async with working(engine) as connection:
        await module._write(connection, changes, floors)
    assert await in_the_table(engine) == right
    assert await amount(engine, rollup_dirty) == again


async def test_what_was_there_before_is_found_at_the_beginning(engine: AsyncEngine):
    for ms in MOMENTS:
        await call(engine, ms)
    async with working(engine) as connection:
        await connection.execute(delete(usage_feed))
    await begin(engine, NOW)
    await catch_up(engine)
    await is_right(engine)
    await begin(engine, NOW + 99 * _DAY_MS)
    await is_right(engine)


async def test_a_rebuild_mends_every_row(engine: AsyncEngine):
    for ms in MOMENTS:
        await call(engine, ms)
    await begin(engine, NOW)
    await catch_up(engine)
    stray = {"user_id": 9, "key_id": 9, "channel_id": 9, "model": "stray", "status_class": 2}
    async with working(engine) as connection:
        await connection.execute(update(rollup).values(calls=7, total_bins="1:1"))
        other = select(rollup).limit(1)
        [kept] = (await connection.execute(other.where(rollup.c.span == DAY))).mappings()
        await connection.execute(rollup.insert().values({**kept, **stray}))
        await connection.execute(delete(rollup).where(rollup.c.span == HOUR))
    slots = await by_hand(engine)
    assert await rebuild(engine, 0, NOW) == len(slots)
    await is_right(engine)


async def test_a_rebuild_leaves_days_before_it_as_they_are(engine: AsyncEngine):
    await begin(engine, NOW)
    for ms in (TODAY - 2 * _DAY_MS, TODAY - 1, TODAY):
        await call(engine, ms)
    await catch_up(engine)
    async with working(engine) as connection:
        await connection.execute(update(rollup).values(calls=7))
    assert await rebuild(engine, TODAY - 1, NOW) == 6
    found = await in_the_table(engine)
    assert {slot for slot, [row] in found.items() if row[5] == 7} == {
        (span, TODAY - 2 * _DAY_MS) for span in (FIVE_MINUTES, HOUR, DAY)
    }
    async with working(engine) as connection:
        await connection.execute(delete(usage))
    # Without rows there is nothing to make days from that are kept for ever.
    assert await rebuild(engine, 0, NOW) == 0
    assert await in_the_table(engine) == found


async def test_old_rows_go_and_what_is_above_stays_right(engine: AsyncEngine):
    await begin(engine, NOW)
    old = TODAY - 3 * _DAY_MS
    tids = [await call(engine, old + at * 300_000) for at in (0, 1, 30)]
    await catch_up(engine)
    assert not await trim(engine, NOW)
    later = NOW + 8 * _DAY_MS
    recent = await call(engine, later - _DAY_MS)
    await catch_up(engine)
    while await trim(engine, later):
        assert (FIVE_MINUTES, tid_ms(recent) // 300_000 * 300_000) in await in_the_table(engine)
    async with working(engine) as connection:
        await connection.execute(delete(usage).where(usage.c.tid == recent))
        await feed(connection, [recent])
    await catch_up(engine)
    spans = {span for span, _ in await in_the_table(engine)}
    assert spans == {HOUR, DAY}
    await is_right(engine)
    # A clock that goes back makes nothing of what is gone, nor does one that was read long ago.
    assert not await trim(engine, NOW)
    async with working(engine) as connection:
        await module._raise_floors(connection, module._floors_at(NOW))
    async with working(engine) as connection:
        await recharge(connection, tids[0], 77)
    await catch_up(engine)
    await is_right(engine)


async def test_many_groups_are_written_in_parts(engine: AsyncEngine):
    await begin(engine, NOW)
    count = 2 * module.WRITTEN_AT_ONCE + 5
    async with working(engine) as connection:
        for user in range(count):
            await make_calls(connection, [tid_at(TODAY)], user_id=user)
    while await index_chunk(engine):
        pass
    seen, changes, floors = await module._look(engine, FOREVER)
    batches = list(module._batches(changes))
    assert (seen, [sum(one.size for one in batch) for batch in batches]) == (
        1,
        [module.WRITTEN_AT_ONCE, module.WRITTEN_AT_ONCE, 5],
    )
    # Killed after the first part: the mark stands, and the hour above knows.
    async with working(engine) as connection:
        await module._write(connection, batches[0], floors)
    assert await amount(engine, rollup) == module.WRITTEN_AT_ONCE
    assert await amount(engine, rollup_dirty) == 2
    await catch_up(engine)
    await is_right(engine)


async def test_what_has_not_changed_is_not_written(engine: AsyncEngine):
    await begin(engine, NOW)
    tid = await call(engine, TODAY)
    await catch_up(engine)
    async with working(engine) as connection:
        await feed(connection, [tid])
    await index_chunk(engine)
    _, changes, _ = await module._look(engine, FOREVER)
    assert [change.size for change in changes] == [0]
    await recompute(engine, FOREVER)
    # Nor is the hour above looked at.
    await is_right(engine)


async def test_a_turn_is_waited_for(engine: AsyncEngine):
    await begin(engine, NOW)
    await call(engine, TODAY)
    await index_chunk(engine)
    assert await recompute(engine, now_ms()) == 0
    for later, spans in ((10_000, 1), (60_000, 2), (300_000, 3)):
        while await recompute(engine, now_ms() + later):
            pass
        assert len(await in_the_table(engine)) == spans


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_workers_that_are_stopped_anywhere_lose_nothing(engine: AsyncEngine):
    """Writers, two workers that index and add up, and a hand that stops them, all at once.

    On SQLite a cancelled transaction may keep the lock for a while: there they are killed, below.
    """
    await begin(engine, NOW)

    async def write() -> None:
        tids: list[str] = []
        for number in range(25):
            async with working(engine) as connection:
                fresh = [tid_at(TODAY + number * 60_000 + at) for at in range(4)]
                await make_calls(connection, fresh, user_id=number % 3)
                for tid in tids[-3:]:
                    await recharge(connection, tid, number)
            tids.extend(fresh)

    async def work() -> None:
        while True:
            await index_chunk(engine)
            await recompute(engine, FOREVER)
            await asyncio.sleep(0)

    writer = asyncio.create_task(write())
    turn = 0
    while not writer.done():
        workers = [asyncio.create_task(work()) for _ in range(2)]
        turn += 1
        await asyncio.wait({writer}, timeout=0.002 * (turn % 20))
        for worker in workers:
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker
    await writer
    await catch_up(engine)
    assert await amount(engine, usage) == 100
    await is_right(engine)


_WORKER = """
import asyncio, sys
from tollbridge.storage.call_index import index_chunk
from tollbridge.storage.engine import open_engine
from tollbridge.storage.rollups import FOREVER, recompute
async def work():
    engine = open_engine(sys.argv[1])
    print("works", flush=True)
    while True:
        await index_chunk(engine)
        await recompute(engine, FOREVER)
asyncio.run(work())
"""


async def test_a_worker_that_is_killed_leaves_marks(database_url: str, engine: AsyncEngine):
    await begin(engine, NOW)
    for life in range(2):
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _WORKER, database_url, stdout=subprocess.PIPE
        )
        try:
            assert worker.stdout
            assert await worker.stdout.readline() == b"works\n"
            for number in range(12):
                tid = await call(engine, TODAY + life * 3_600_000 + number * 100_000)
                async with working(engine) as connection:
                    await recharge(connection, tid, number)
        finally:
            worker.kill()
            await worker.communicate()
    await catch_up(engine)
    assert await amount(engine, usage) == 24
    await is_right(engine)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_the_planner_finds_a_slot_by_the_key(engine: AsyncEngine):
    """In a month that nothing is known of yet."""
    async with reading(engine) as connection:
        await connection.execute(select(func.set_config("enable_seqscan", "off", True)))
        query = (
            "EXPLAIN SELECT 1 FROM usage"
            " WHERE tid >= CAST(:first AS VARCHAR) AND tid < CAST(:last AS VARCHAR)"
        )
        ends = {"first": tid_at(TODAY), "last": tid_at(NOW)}
        lines = "\n".join((await connection.execute(text(query), ends)).scalars())
    assert "Seq Scan" not in lines
    assert "Index Cond: ((tid >=" in lines


async def test_two_leaders_at_once(database_url: str, engine: AsyncEngine):
    """A lease moved and the old leader does not know yet: both work on the same slots."""
    await begin(engine, NOW)
    other = open_engine(database_url)
    try:
        for number in range(6):
            for ms in MOMENTS[:8]:
                await call(engine, ms, user_id=number)
            await asyncio.gather(catch_up(engine), catch_up(other))
    finally:
        await other.dispose()
    await catch_up(engine)
    await is_right(engine)
