"""The twin of billing/node.py: the whole of a node on a real file, its thread and loop included."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from tests.billing.ledgers import Gauges, Running, locked, running, settings_of, soon, until
from tests.storage import books
from tests.storage.books import WALLET
from tests.storage.books_faults import BrokenDisk, Moody, Mortal, SmallDisk
from tollbridge.billing.ledger import DatabaseDown
from tollbridge.billing.node import SqliteNode
from tollbridge.core.clock import now_ms
from tollbridge.storage.disk import DatabaseInUse

_SERVE = """
import asyncio, sys
from pathlib import Path
from tests.billing.ledgers import Running
async def main():
    node = Running(Path(sys.argv[1]))
    await node.ledger.hold("a" * 32, (1,), 300, 1, "{}").future
    await node.ledger.update("a" * 32, 300, 70, "{}")
    print("held", flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path):
    return books.fresh(tmp_path)


def ask(node, tid, amount=10):
    return node.ledger.hold(tid, (WALLET,), amount, now_ms(), "{}").future


def end(node, tid, cost):
    return node.ledger.settle(tid, cost, books.row(tid)).future


async def test_a_call_from_hold_to_settle(path):
    async with running(path) as node:
        await soon(node.ledger.look((WALLET,)))
        assert node.ledger.free((WALLET,)) == 1000
        assert (await soon(ask(node, "a", 300))).ok
        assert node.ledger.free((WALLET,)) == 700
        result = await soon(end(node, "a", 120))
        assert (result.charge, result.balance) == (120, 880)
        assert node.ledger.free((WALLET,)) == 880
        node.ledger.record(books.row("b"))
    assert books.query(path, "SELECT tid FROM usage") == [("a",), ("b",)]
    assert books.findings(path) == []


async def test_credit_of_another_process_is_seen_by_the_next_look(path):
    async with running(path) as node:
        await soon(node.ledger.look((WALLET,)))
        books.credit(path, WALLET, 500)
        await soon(node.ledger.look((WALLET,)))
        assert node.ledger.free((WALLET,)) == 1500


async def test_a_second_node_on_the_file_is_refused(path):
    async with running(path):
        with pytest.raises(DatabaseInUse):
            Running(path)
    async with running(path):
        pass


async def test_a_killed_node_leaves_the_file_and_its_calls_to_the_next(path):
    command = [sys.executable, "-c", _SERVE, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:  # noqa: ASYNC220
        assert await asyncio.to_thread(child.stdout.readline) == "held\n"
        with pytest.raises(DatabaseInUse):
            Running(path)
        child.send_signal(signal.SIGKILL)
    async with running(path) as node:
        assert node.node.reclaimed == 1
    assert books.purse(path) == (930, 0)
    assert books.findings(path) == []


async def test_a_failed_start_lets_go_of_the_file(path):
    class Refusing(sqlite3.Connection):
        def execute(self, sql, values=()):
            if sql.startswith("INSERT INTO node"):
                raise sqlite3.OperationalError("a made-up failure")
            return super().execute(sql, values)

    with pytest.raises(sqlite3.OperationalError):
        Running(path, Refusing)
    async with running(path):
        pass


async def test_stopping_a_node_that_never_started_is_harmless(path):
    assert await SqliteNode(path, settings_of(path)).stop(1)


async def test_a_writer_that_does_not_end_keeps_the_file(path):
    node = Running(path)
    with locked(path):
        future = end(node, "a", 0)
        assert not await node.node.stop(0.01)
        with pytest.raises(DatabaseInUse):
            Running(path)
    await soon(future)
    assert await node.node.stop(30)
    async with running(path):
        pass


@pytest.mark.parametrize("seconds", [1, 3])
async def test_a_busy_database_fails_holds_and_delays_settles(path, seconds):
    async with running(path, writer_deadline_s=0.5) as node:
        assert (await soon(ask(node, "a", 300))).ok
        with locked(path):
            settled = end(node, "a", 120)
            with pytest.raises(DatabaseDown):
                await soon(ask(node, "b", 300))
            assert not node.ledger.ready
            await asyncio.sleep(seconds - 0.5)
            assert not settled.done()
        assert (await soon(settled)).charge == 120
        await until(lambda: node.ledger.ready)
        await soon(end(node, "b", 0))
        assert (await soon(ask(node, "c", 880))).ok
        await soon(end(node, "c", 0))
    assert books.purse(path) == (880, 0)
    assert books.query(path, "SELECT tid, charge FROM usage") == [("a", 120), ("b", 0), ("c", 0)]
    assert books.findings(path) == []


async def test_a_full_disk_gives_up_the_reserve_and_stops_admission(path):
    async with running(path, SmallDisk) as node:
        reserve = path.with_name("books.db.reserve")
        assert reserve.exists()
        assert (await soon(ask(node, "a", 300))).ok
        # Admission is the disk's affair, so it is asked of a disk without the demanded room.
        node.node._reserve._min_free = 1 << 60
        await until(lambda: not node.ledger.ready)
        node.connection.limit(0)
        settled = node.ledger.settle("a", 120, books.row("a", key_name="x" * 9000)).future
        await until(lambda: not reserve.exists())
        assert not settled.done()
        node.connection.limit(None)
        assert (await soon(settled)).charge == 120
        assert not reserve.exists()
        node.node._reserve._min_free = 0
        await until(lambda: node.ledger.ready)
        assert reserve.exists()
    assert books.findings(path) == []


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own, of 4 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", tmp_path]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("this machine lets nobody mount")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def fill(file):
    """Take all that is left of a disk."""
    with file.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(b"x" * 4096):
            pass


DEMANDS = {"reserve_file_bytes": 1 << 19, "min_free_disk_bytes": 1 << 20}


async def test_a_really_full_disk_settles_from_the_reserve(small_disk):
    path, filler = books.fresh(small_disk), small_disk / "filler"
    reserve = path.with_name("books.db.reserve")
    async with running(path, **DEMANDS) as node:
        assert reserve.exists()
        for number in range(20):
            assert (await soon(ask(node, f"{number}"))).ok
        fill(filler)
        await until(lambda: not node.ledger.ready)
        settles = [
            node.ledger.settle(f"{number}", 5, books.row(f"{number}", key_name="x" * 5000)).future
            for number in range(20)
        ]
        assert [result.charge for result in await soon(asyncio.gather(*settles))] == [5] * 20
        assert not reserve.exists()
        assert not node.ledger.ready
        filler.unlink()
        await until(lambda: node.ledger.ready)
        assert reserve.exists()
    assert books.purse(path) == (900, 0)
    assert books.findings(path) == []


async def test_a_node_starts_on_a_full_disk_and_posts_what_was_left(small_disk):
    path, filler = books.fresh(small_disk), small_disk / "filler"
    async with running(path, **DEMANDS) as node:
        for number in range(20):
            assert (await soon(ask(node, f"{number}"))).ok
            await soon(node.ledger.update(f"{number}", 10, 5, "{}"))
    fill(filler)
    async with running(path, **DEMANDS) as node:
        assert node.node.reclaimed == 20
        assert not node.ledger.ready
        filler.unlink()
        await until(lambda: node.ledger.ready)
    assert books.purse(path) == (900, 0)
    assert books.findings(path) == []


@pytest.mark.parametrize(("when", "charge"), [("before", 40), ("after", 70)])
async def test_an_io_error_in_the_commit_is_told_and_nothing_is_lost_or_doubled(path, when, charge):
    node = Running(path, BrokenDisk)
    await soon(ask(node, "a", 300))
    await soon(node.ledger.update("a", 300, 40, "{}"))
    node.connection.breaks = when
    settled, other = end(node, "a", 70), ask(node, "b", 10)
    with pytest.raises(DatabaseDown):
        await soon(other)
    with pytest.raises(DatabaseDown):
        await soon(settled)
    assert node.reasons == ["the disk failed under the books"]
    assert not node.ledger.ready
    node.connection.close()
    assert await node.node.stop(30)
    async with running(path):
        pass
    assert books.purse(path) == (1000 - charge, 0)
    assert books.query(path, "SELECT charge FROM usage WHERE tid = 'a'") == [(charge,)]
    assert books.findings(path) == []


async def test_the_death_of_the_writer_is_told_once(path):
    node = Running(path, Mortal)
    node.connection.doomed = True
    with pytest.raises(DatabaseDown):
        await soon(ask(node, "a"))
    while not node.reasons:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.6)
    assert node.reasons == ["the writer thread died of SystemExit"]
    node.connection.close()
    assert await node.node.stop(30)


async def test_an_answer_withheld_at_any_moment_costs_nothing(path):
    async with running(path) as node:
        for number in range(40):
            tid = f"{number}"
            await soon(ask(node, tid, 10))
            settle = node.ledger.settle(tid, 7, books.row(tid))
            for _ in range(number % 8):
                await asyncio.sleep(0)
            node.ledger.withhold(settle, (WALLET,))
            node.ledger.withhold(settle, (WALLET,))
    assert books.purse(path) == (1000, 0)
    states = books.query(path, "SELECT DISTINCT charge, end_state FROM usage")
    assert states == [(0, "withheld")]
    assert books.findings(path) == []


async def test_a_hold_that_was_given_up_leaves_nothing_held_and_one_row(path):
    async with running(path, Moody, writer_deadline_s=0.3) as node:
        node.connection.codes = (sqlite3.SQLITE_BUSY,) * 20
        with pytest.raises(DatabaseDown):
            await soon(ask(node, "a", 300))
        await soon(end(node, "a", 0))
        await until(lambda: node.ledger.ready)
    assert books.purse(path) == (1000, 0)
    assert books.query(path, "SELECT tid FROM usage") == [("a",)]
    assert books.findings(path) == []


async def test_the_gauges_hear_of_refusals_losses_and_batches(path):
    async with running(path) as node:
        assert not (await soon(ask(node, "a", 2000))).ok
        await soon(ask(node, "b", 900))
        assert (await soon(end(node, "b", 1001))).loss == 1
        gauges: Gauges = node.gauges
        assert (gauges.refused, gauges.losses) == (1, [1])
        assert sum(gauges.batches) == 3
