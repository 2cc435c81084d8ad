"""The twin of billing/postgres_node.py: the life and death of nodes that share one PostgreSQL."""

import asyncio
import contextlib
import os
import sys
from urllib.parse import urlsplit

import pytest

from tests.billing.ledgers import PATIENCE_S, Gauges, soon
from tests.services.cable import Cable
from tests.storage import books, pg_books
from tests.storage.books import WALLET
from tollbridge.billing.postgres_node import PostgresNode
from tollbridge.core.settings import Settings
from tollbridge.storage import ledger_nodes
from tollbridge.storage.ledger_items import HoldResult

QUICK = {"node_beat_s": 0.05, "node_dead_s": 0.4}
HELD = HoldResult(ok=True, short=None)
_ENTER = (
    "import asyncio, sys; sys.path[:0] = ['.']\n"
    "from tests.billing.test_postgres_node import held_for_ever\n"
    "asyncio.run(held_for_ever(sys.argv[1]))"
)


class Running:
    """A started node."""

    def __init__(self, url, **values):
        self.gauges, self.reasons, self.alarms = Gauges(), [], []
        settings = Settings(database=url, key_file="unused", **{**QUICK, **values})
        self.node = PostgresNode(url, settings, lambda *facts: self.alarms.append(facts))

    async def open(self):
        self.ledger = await self.node.open(self.gauges, self.reasons.append)
        return self

    async def hold(self, amount=100, tid=None):
        tid = tid or books.tid()
        held = self.ledger.hold(tid, (WALLET,), amount, 0, "{}")
        return tid, await soon(held.future)

    async def settle(self, tid, cost):
        return await soon(self.ledger.settle(tid, cost, books.row(tid), (WALLET,)).future)

    async def beaten(self, control, times=3):
        """Wait for some beats."""
        for _ in range(times):
            before = await self.beat(control)
            async with asyncio.timeout(PATIENCE_S):
                while await self.beat(control) == before:
                    await asyncio.sleep(0.01)

    async def beat(self, control):
        return await control.fetchval("SELECT beat FROM node WHERE id = $1", self.node.book.node[0])


@pytest.fixture
async def url(migrated_postgres_url):
    await pg_books.begin(migrated_postgres_url, 1000)
    yield migrated_postgres_url
    assert await pg_books.findings(migrated_postgres_url) == []


@pytest.fixture
async def control(url):
    async with pg_books.opened(url) as connection:
        yield connection


@contextlib.asynccontextmanager
async def running(url, **values):
    """Yield a node that is stopped at the end."""
    one = await Running(url, **values).open()
    try:
        yield one
    finally:
        assert await one.node.stop(PATIENCE_S)


async def held_for_ever(url):
    """Hold, checkpoint, say the tid, and wait to be killed (in a process of its own)."""
    async with running(url) as one:
        tid, _ = await one.hold(300)
        await one.ledger.update(tid, 300, 120, "{}")
        sys.stdout.write(tid + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


async def gone(control, tid):
    """Wait until a hold is no more."""
    async with asyncio.timeout(PATIENCE_S):
        while await control.fetchval("SELECT count(*) FROM hold WHERE tid = $1", tid):
            await asyncio.sleep(0.01)


async def epochs(control):
    return {
        row[0]: (row[1], row[2]) for row in await control.fetch("SELECT id, epoch, dead FROM node")
    }


async def test_a_node_enters_beats_writes_and_leaves(url, control):
    async with running(url) as one:
        one.node.claim()
        assert one.node.epoch == 1
        await one.beaten(control)
        tid, held = await one.hold()
        assert held == HELD
        assert (one.node.open_holds, one.node.queued, one.node.oldest_hold_ms()) == (1, 0, 0)
        assert (await one.settle(tid, 30)).charge == 30
        assert one.node.open_holds == 0
        assert one.node.oldest_hold_ms() is None
        assert [dead for _, dead in (await epochs(control)).values()] == [False]
    assert [dead for _, dead in (await epochs(control)).values()] == [True]
    assert one.reasons == []


async def test_what_an_orderly_stop_leaves_is_reclaimed_at_once(url, control):
    async with running(url, node_dead_s=3600.0) as other:
        async with running(url, node_dead_s=3600.0) as one:
            tid, _ = await one.hold(200)
            await one.ledger.update(tid, 200, 50, "{}")
        await gone(control, tid)
        row = await control.fetchrow("SELECT charge, end_state FROM usage WHERE tid = $1", tid)
        assert tuple(row) == (50, "reclaimed")
        async with asyncio.timeout(PATIENCE_S):
            while not other.gauges.posted:
                await asyncio.sleep(0.01)
        assert other.alarms == []


async def test_a_killed_process_is_declared_dead_and_its_calls_are_posted(url, control):
    async with running(url) as other:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _ENTER, url, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
        )
        try:
            tid = (await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)).decode().strip()
            assert await control.fetchval("SELECT count(*) FROM hold") == 1
        finally:
            process.kill()
            await process.communicate()
        await gone(control, tid)
        assert await control.fetchval("SELECT charge FROM usage WHERE tid = $1", tid) == 120
        async with asyncio.timeout(PATIENCE_S):
            while not (other.alarms and other.gauges.posted):
                await asyncio.sleep(0.01)
        assert len(other.alarms) == 1


async def test_a_stalled_node_is_refused_and_goes_on_under_a_new_epoch(url, control):
    async with running(url, node_beat_s=3600.0) as one:
        tid, _ = await one.hold(200)
        await one.ledger.update(tid, 200, 50, "{}")
        mine = one.node.book.node
        beat = await one.beat(control)
        assert await ledger_nodes.mark_dead(control, mine, beat)
        from tollbridge.billing.reclaimer import reclaim_orphans

        assert await reclaim_orphans(control) == 1
        # The first write finds out; no beat is waited for.
        _, refused = await one.hold()
        assert refused == HoldResult(ok=False, short=None)
        async with asyncio.timeout(PATIENCE_S):
            while one.node.epoch == 1:
                await asyncio.sleep(0.01)
        assert one.node.book.node == (mine[0], 2)
        assert one.node.open_holds == 0
        _, held = await one.hold(10, other := books.tid())
        assert held == HELD
        assert await soon(one.ledger.update(tid, 300, 60, "{}")) == HoldResult(False, None)
        late = await one.settle(tid, 80)
        assert (late.charge, late.late, late.balance) == (80, True, 920)
        assert one.gauges.late == 1
        await one.settle(other, 0)
        assert one.reasons == []


async def test_a_restored_database_ends_the_process(url, control):
    async with running(url) as one:
        await one.beaten(control, 1)
        await control.execute("UPDATE ledger SET incarnation = incarnation + 1")
        async with asyncio.timeout(PATIENCE_S):
            while not one.reasons:
                await asyncio.sleep(0.01)
        assert set(one.reasons) == {"the database was restored from a backup"}


async def test_a_restore_that_ended_our_epoch_is_no_reason_to_rejoin(url, control):
    async with running(url) as one:
        await control.execute(
            "WITH moved AS (UPDATE ledger SET incarnation = incarnation + 1) DELETE FROM node"
        )
        async with asyncio.timeout(PATIENCE_S):
            while not one.reasons:
                await asyncio.sleep(0.01)
        assert one.node.epoch == 1


async def test_nobody_is_declared_dead_because_the_database_was_away(url, control):
    parts = urlsplit(url)
    cable = Cable(parts.port)
    port = await cable.start()
    wired = url.replace(f":{parts.port}/", f":{port}/")
    # Long outages, seen from a beat of 50 ms: each longer than it takes to be dead.
    async with running(wired, node_dead_s=1.0) as one, running(wired, node_dead_s=1.0) as two:
        for _ in range(2):
            await cable.stop()
            await asyncio.sleep(1.5)
            await cable.start(port)
            await one.beaten(control)
            await two.beaten(control)
        tid, held = await one.hold()
        assert held == HELD
        assert (await one.settle(tid, 5)).open
        assert (one.node.epoch, two.node.epoch) == (1, 1)
        assert one.alarms == two.alarms == []
    await cable.stop()


async def test_wall_clocks_have_no_say(url, control, monkeypatch):
    for module in ("ledger_postgres", "ledger_exact"):
        monkeypatch.setattr(f"tollbridge.storage.{module}.now_ms", lambda: 4_000_000_000_000)
    async with running(url) as one, running(url) as two:
        # A beat from far in the future, as a server's clock that jumped back leaves it.
        await control.execute("UPDATE node SET beat = beat + 900000000000")
        await one.beaten(control, 12)
        await two.beaten(control, 12)
        tid, _ = await one.hold()
        await two.beaten(control, 3)
        assert (await one.settle(tid, 5)).open
        assert one.alarms == two.alarms == []


async def test_a_writers_connection_may_be_lost_at_any_time(url, control):
    async with running(url, writer_deadline_s=PATIENCE_S) as one:
        for _ in range(5):
            await control.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE 'tollbridge-%' AND datname = current_database()"
            )
            tid, held = await one.hold()
            assert held == HELD
            assert (await one.settle(tid, 10)).charge == 10
        await one.beaten(control)
        assert one.node.epoch == 1
