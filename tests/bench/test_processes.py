"""Children are pinned, measured and ended; /proc says what the kernel counted."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.disk import fdatasync_ns
from bench.processes import (
    Child,
    ChildFailed,
    Owner,
    answers,
    free_port,
    pinned,
    process_cpu_ns,
    tree,
    wait_until,
)

_BUSY = "import sys\nfor line in sys.stdin:\n sum(range(3_000_000))\n print('done', flush=True)"


def test_a_child_is_measured_and_ended(tmp_path: Path) -> None:
    child = Child("busy", [sys.executable, "-c", _BUSY], tmp_path, None, talks=True)
    try:
        child.say(b"go")
        assert child.line() == b"done\n"
        before = child.cpu_ns()
        child.say(b"go")
        child.line()
        assert child.cpu_ns() - before > 1_000_000
        assert child.rss_mb()[0] > 1
        assert child.process.pid in tree(os.getpid())
    finally:
        child.stop()
    assert child.process.returncode is not None
    assert child.process.pid not in tree(os.getpid())


def test_a_child_that_ends_says_why(tmp_path: Path) -> None:
    child = Child("brief", [sys.executable, "-c", "raise SystemExit('because')"], tmp_path, None)
    with pytest.raises(ChildFailed, match="because"):
        wait_until(child, lambda: answers(f"http://127.0.0.1:{free_port()}/"), 20)
    assert child.process.returncode == 1


_PARENT = """
import os, sys, time
for line in sys.stdin:
    if os.fork() == 0:
        while time.process_time() < 0.1:
            pass
        os._exit(0)
    os.wait()
    print(os.environ["NAME"], flush=True)
    if os.fork() == 0:
        time.sleep(60)
"""


def test_descendants_count_ended_ones_too(tmp_path: Path) -> None:
    owner = Owner(environment={"NAME": "given"})
    command = [sys.executable, "-c", _PARENT]
    child = Child("parent", command, tmp_path, None, talks=True, owner=owner)
    try:
        before = child.cpu_ns()
        child.say(b"go")
        assert child.line() == b"given\n"
        assert child.cpu_ns() - before > 50_000_000
        while len(child.rss_mb()) < 2:
            pass
        core = min(os.sched_getaffinity(0))
        child.move([core])
        assert {frozenset(os.sched_getaffinity(pid)) for pid in tree(child.process.pid)} == {
            frozenset({core})
        }
    finally:
        sleeping = tree(child.process.pid)[1:]
        child.stop()
        for pid in sleeping:
            os.kill(pid, signal.SIGKILL)


def test_a_process_that_is_gone_used_nothing() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert process_cpu_ns(gone.pid) == 0


def test_what_was_said_is_found(tmp_path: Path) -> None:
    child = Child("herald", [sys.executable, "-c", "print('hear ye')"], tmp_path, None)
    child.process.wait()
    assert child.said("hear")
    assert not child.said("silence")


def test_pinning_is_undone() -> None:
    before = os.sched_getaffinity(0)
    with pinned(min(before)):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before
    with pinned(None):
        assert os.sched_getaffinity(0) == before


def test_disk_probe_leaves_nothing(tmp_path: Path) -> None:
    times = fdatasync_ns(tmp_path, 3)
    assert len(times) == 3
    assert min(times) > 0
    assert list(tmp_path.iterdir()) == []
