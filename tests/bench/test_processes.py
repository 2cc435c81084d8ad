"""Children are pinned, measured and ended; /proc says what the kernel counted."""

import os
import sys
from pathlib import Path

import pytest

from bench.disk import fdatasync_ns
from bench.processes import Child, ChildFailed, free_port, pinned, tree, wait_until_up

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
        assert child.rss_mb() > 1
        assert child.process.pid in tree(os.getpid())
    finally:
        child.stop()
    assert child.process.returncode is not None
    assert child.process.pid not in tree(os.getpid())


def test_a_child_that_ends_says_why(tmp_path: Path) -> None:
    child = Child("brief", [sys.executable, "-c", "raise SystemExit('because')"], tmp_path, None)
    with pytest.raises(ChildFailed, match="because"):
        wait_until_up(child, f"http://127.0.0.1:{free_port()}/", 20)
    assert child.process.returncode == 1


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
