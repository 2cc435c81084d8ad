"""Proof with real processes that any worker's metrics are those of all, whoever dies."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tollbridge.core.metrics import Metrics
from tollbridge.supervisor.siblings import Siblings


class Family:
    """Workers that talk to each other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workers: dict[int, subprocess.Popen[str]] = {}

    def start(self, index: int) -> None:
        program = [sys.executable, "-m", "tests.services.talking"]
        self.workers[index] = worker = subprocess.Popen(
            [*program, str(self.folder), str(index), "3"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert worker.stdout.readline() == "ready\n"

    def scrape(self, index: int) -> set[str]:
        worker = self.workers[index]
        worker.stdin.write("\n")
        worker.stdin.flush()
        return {worker.stdout.readline().strip() for _ in range(int(worker.stdout.readline()))}

    def end(self, index: int) -> None:
        worker = self.workers.pop(index)
        worker.kill()
        worker.communicate()


@pytest.fixture
def family() -> Iterator[Family]:
    """Return three workers that run. A socket's path is short, so their folder is the system's."""
    with tempfile.TemporaryDirectory() as folder:
        made = Family(Path(folder))
        try:
            for index in range(3):
                made.start(index)
            yield made
        finally:
            for index in list(made.workers):
                made.end(index)


def calls(count: int) -> str:
    return f'tollbridge_requests_total{{outcome="complete",surface="chat"}} {count}.0'


def test_whoever_is_asked_answers_for_all(family: Family):
    for index in range(3):
        lines = family.scrape(index)
        assert calls(1 + 2 + 3) in lines
        assert "tollbridge_holds_open 6.0" in lines
        for worker in range(3):
            assert f'tollbridge_worker_up{{worker="{worker}"}} 1.0' in lines
            mine = f'process_resident_memory_bytes{{worker="{worker}"}}'
            assert any(line.startswith(mine) for line in lines)
            mine = f'process_cpu_seconds_total{{worker="{worker}"}}'
            assert any(line.startswith(mine) for line in lines)


def test_one_that_died_is_down_and_its_counts_stay(family: Family):
    family.scrape(0)
    family.end(2)
    lines = family.scrape(0)
    assert 'tollbridge_worker_up{worker="2"} 0.0' in lines
    assert calls(6) in lines
    assert "tollbridge_holds_open 4.0" in lines
    family.start(2)
    lines = family.scrape(1)
    assert 'tollbridge_worker_up{worker="2"} 1.0' in lines
    assert calls(6 + 3) in lines


def test_one_that_does_not_answer_is_left_out(family: Family):
    os.kill(family.workers[1].pid, signal.SIGSTOP)
    lines = family.scrape(0)
    assert 'tollbridge_worker_up{worker="1"} 0.0' in lines
    assert calls(1 + 3) in lines
    os.kill(family.workers[1].pid, signal.SIGCONT)
    assert calls(6) in family.scrape(0)


def test_what_one_counted_until_its_end_stays_though_nobody_asked(family: Family):
    family.workers.pop(2).communicate()
    assert calls(6) in family.scrape(0)


async def test_a_successor_takes_over_while_its_predecessor_ends():
    with tempfile.TemporaryDirectory() as folder:
        old, new, asked = (
            Siblings(Path(folder), index, 2, Metrics(), lambda: None) for index in (1, 1, 0)
        )
        await old.start()
        await asked.start()
        await new.start()
        await old.stop()
        await old.stop()
        assert b'tollbridge_worker_up{worker="1"} 1.0' in await asked.exposition()
        together = await asyncio.gather(asked.exposition(), new.exposition())
        assert all(b'tollbridge_worker_up{worker="0"} 1.0' in text for text in together)
        await new.stop()
        await asked.stop()
