"""Owns the benchmark's child processes: start on one core, CPU time, memory, end.

Linux only: reads /proc. It ends only what it started, by handle.
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

_PROC = Path("/proc")
_STOP_S = 15
_POLL_S = 0.05
_TAIL_LINES = 15
_KB = 1_024


class ChildFailed(RuntimeError):
    """A child did not come up, or ended by itself; the text has the end of its output."""


class Child:
    """One process started by the benchmark, with its descendants' CPU time and memory."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        core: int | None,
        *,
        talks: bool = False,
        log: Path | None = None,
    ) -> None:
        """Start the command in `folder`, pinned to a core; what it prints goes to a file in `log`.

        A child that `talks` is spoken with by lines over its standard input and output.
        """
        self.name = name
        self._log = (log or folder) / f"{name}.log"
        end = subprocess.PIPE if talks else None
        with self._log.open("wb") as out, pinned(core):
            self.process = subprocess.Popen(
                list(command),
                cwd=folder,
                stdin=end or subprocess.DEVNULL,
                stdout=end or out,
                stderr=out,
                start_new_session=True,
            )

    def line(self) -> bytes:
        """Read one line of the child's output; ChildFailed when it has ended."""
        out = self.process.stdout
        line = out.readline() if out is not None else b""
        if not line:
            raise ChildFailed(f"{self.name} ended: {self.tail()}")
        return line

    def say(self, line: bytes) -> None:
        """Write one line to the child's input."""
        if self.process.stdin is not None:
            self.process.stdin.write(line + b"\n")
            self.process.stdin.flush()

    def tail(self) -> str:
        """Return the last lines of the child's errors."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])

    def cpu_ns(self) -> int:
        """Return the CPU time in ns that the child's living processes and threads have used."""
        return sum(map(process_cpu_ns, tree(self.process.pid)))

    def rss_mb(self) -> float:
        """Return the resident memory of the child and its descendants in MB (2**20 bytes)."""
        return sum(map(_rss_kb, tree(self.process.pid))) / _KB

    def stop(self) -> None:
        """End the child: politely, then by force after some seconds."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.terminate()
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Run on one core, so that a child started meanwhile has all its threads there."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def two_cores() -> tuple[int | None, int | None]:
    """Return a core for what is measured and another for the load; no pinning with one core."""
    cores = sorted(os.sched_getaffinity(0))
    return (cores[0], cores[1]) if len(cores) > 1 else (None, None)


def tree(pid: int) -> list[int]:
    """Return a process and all its living descendants."""
    parents = {int(entry.name): _parent(entry) for entry in _PROC.iterdir() if entry.name.isdigit()}
    found = [pid]
    for one in found:
        found.extend(child for child, parent in parents.items() if parent == one)
    return found


def process_cpu_ns(pid: int) -> int:
    """Return the CPU time in ns of a process's living threads, from the scheduler's own count."""
    threads = (_PROC / str(pid) / "task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads)


def free_port() -> int:
    """Return a port on 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_up(child: Child, url: str, seconds: float) -> None:
    """Wait until the URL answers 200; else end the child and raise ChildFailed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if child.process.poll() is not None:
            break
        try:
            with urlopen(url, timeout=1) as reply:
                if reply.status == 200:
                    return
        except (URLError, OSError):
            pass
        time.sleep(_POLL_S)
    child.stop()
    raise ChildFailed(f"{child.name} did not come up within {seconds:.0f} s:\n{child.tail()}")


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _rss_kb(pid: int) -> int:
    status = (_PROC / str(pid) / "status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
