"""Owns the benchmark's child processes: start on one core, CPU time, memory, end.

Linux only: reads /proc. It ends only what it started, by handle. A process with descendants is
measured whole; one of them may end at any moment, also between two looks at it.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from pwd import getpwnam
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

_PROC = Path("/proc")
_STOP_S = 15
_POLL_S = 0.05
_TAIL_LINES = 15
_KB = 1_024
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat, counted from behind the name: parent, CPU of children that were waited for.
_PARENT, _CHILDREN = 1, slice(13, 15)
_GONE = (FileNotFoundError, ProcessLookupError)


class ChildFailed(RuntimeError):
    """A child did not come up, or ended by itself; the text has the end of its output."""


@dataclass(frozen=True, slots=True)
class Owner:
    """As whom a child runs: a user's name (None: ours), an environment (None: ours)."""

    user: str | None = None
    environment: Mapping[str, str] | None = None

    def arguments(self) -> dict[str, Any]:
        """Return what subprocess has to be told: a user also leaves all our groups."""
        if self.user is None:
            return {"env": self.environment}
        group = getpwnam(self.user).pw_gid
        return {"env": self.environment, "user": self.user, "group": group, "extra_groups": []}


_OURS = Owner()


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
        owner: Owner = _OURS,
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
                **owner.arguments(),
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

    def said(self, words: str) -> bool:
        """Tell whether the words are in what the child has printed so far."""
        return words in self._log.read_text(errors="replace")

    def cpu_ns(self) -> int:
        """Return the CPU time in ns that the child and its descendants have used, ended ones too."""
        return sum(process_cpu_ns(pid) + ended_cpu_ns(pid) for pid in tree(self.process.pid))

    def rss_mb(self) -> list[float]:
        """Return the resident memory in MB (2**20 bytes) of the child and each descendant."""
        return [_rss_kb(pid) / _KB for pid in tree(self.process.pid)]

    def move(self, cores: Iterable[int]) -> None:
        """Let the child and its descendants run on these cores, from now on."""
        wanted = set(cores)
        for pid in tree(self.process.pid):
            for thread in _threads(pid):
                with suppress(ProcessLookupError):
                    os.sched_setaffinity(int(thread.name), wanted)

    def stop(self, by: signal.Signals = signal.SIGTERM) -> None:
        """End the child: politely, then by force after some seconds."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.send_signal(by)
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
    free = cores()
    return (free[0], free[1]) if len(free) > 1 else (None, None)


def cores() -> list[int]:
    """Return the cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def tree(pid: int) -> list[int]:
    """Return a process and all its living descendants."""
    pids = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    parents = {one: int(_stat(one)[_PARENT]) for one in pids}
    found = [pid]
    for one in found:
        found.extend(child for child, parent in parents.items() if parent == one)
    return found


def process_cpu_ns(pid: int) -> int:
    """Return the CPU time in ns of a process's living threads, from the scheduler's own count."""
    spent = 0
    for thread in _threads(pid):
        with suppress(*_GONE):
            spent += int((thread / "schedstat").read_text().split()[0])
    return spent


def ended_cpu_ns(pid: int) -> int:
    """Return the CPU time in ns of a process's ended children, in the kernel's coarse ticks."""
    return sum(map(int, _stat(pid)[_CHILDREN])) * _TICK_NS


def free_port() -> int:
    """Return a port on 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Tell whether the URL answers 200."""
    try:
        with urlopen(url, timeout=1) as reply:
            return bool(reply.status == 200)
    except (URLError, OSError):
        return False


def wait_until(child: Child, is_up: Callable[[], bool], seconds: float) -> None:
    """Wait until the child is up; else end it and raise ChildFailed."""
    deadline = time.monotonic() + seconds
    up = False
    try:
        while not up and time.monotonic() < deadline and child.process.poll() is None:
            time.sleep(_POLL_S)
            up = is_up()
    finally:
        if not up:
            child.stop()
    if not up:
        raise ChildFailed(f"{child.name} did not come up within {seconds:.0f} s:\n{child.tail()}")


def _threads(pid: int) -> list[Path]:
    with suppress(*_GONE):
        return list((_PROC / str(pid) / "task").iterdir())
    return []


def _stat(pid: int) -> list[str]:
    """Return the fields of a process's state behind its name; all are 0 when it is gone."""
    with suppress(*_GONE):
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return ["0"] * _CHILDREN.stop


def _rss_kb(pid: int) -> int:
    with suppress(*_GONE):
        for line in (_PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0
