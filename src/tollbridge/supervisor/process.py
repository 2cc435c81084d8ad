"""Owns one worker: a fork of this process that serves, and the pipe on which it reports.

Only a process without threads, loops and connections may fork. Must not know when to start another.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tollbridge.core.telemetry import get_logger

_READY = b"+"
_SAID_MAX = 2000
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Post:
    """What a worker is told: which of how many it is, its bound socket, a private folder.

    It calls `ready` once it takes calls.
    """

    index: int
    count: int
    listener: socket.socket
    folder: Path
    ready: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Work:
    """What workers do: `serve` until told to end. Errors of `sayable` types are for the operator."""

    serve: Callable[[Post], None]
    sayable: tuple[type[Exception], ...]


class Process:
    """A worker that was started; it ends by itself when this process does."""

    def __init__(self, pid: int, report: int, alive: int) -> None:
        self.pid = pid
        self.since = time.monotonic()
        self.status: int | None = None
        self.report = report
        self._alive = alive
        self._said = b""

    @classmethod
    def start(
        cls,
        work: Work,
        place: tuple[int, int],
        listener: socket.socket,
        folder: Path,
        mine: Iterable[int],
    ) -> "Process":
        """Fork worker number place[0] of place[1]; `mine` are descriptors that it must not keep."""
        report, reporting = os.pipe()
        ended, alive = os.pipe()
        # No handler of ours may run in the child before it has its own.
        held = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid == 0:
            for descriptor in (report, alive, *mine):
                os.close(descriptor)
            _forget_handlers()
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
            _follow(ended)
            _be_worker(
                work, Post(*place, listener, folder, lambda: _write(reporting, _READY)), reporting
            )
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        os.close(reporting)
        os.close(ended)
        os.set_blocking(report, False)
        return cls(pid, report, alive)

    @property
    def descriptors(self) -> tuple[int, int]:
        """What this process holds of the worker; other workers must not."""
        return self.report, self._alive

    @property
    def ready(self) -> bool:
        """Whether it has said that it takes calls."""
        return self._said.startswith(_READY)

    @property
    def sentence(self) -> str:
        """Why it could not serve, in its own words; may be empty."""
        return self._said.removeprefix(_READY).decode(errors="replace").strip()

    @property
    def age_s(self) -> float:
        """Return how long ago it was started."""
        return time.monotonic() - self.since

    def look(self) -> bool:
        """Take in what it reported; return whether it has ended, which is told once."""
        self._read()
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return False
        self._read()
        self.status = os.waitstatus_to_exitcode(status)
        os.close(self.report)
        os.close(self._alive)
        return True

    def send(self, number: signal.Signals) -> None:
        """Send a signal; one that ended was not looked at yet, so its pid is still its own."""
        if self.status is None:
            os.kill(self.pid, number)

    def _read(self) -> None:
        try:
            while piece := os.read(self.report, _SAID_MAX):
                self._said = (self._said + piece)[:_SAID_MAX]
        except BlockingIOError:
            return


_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD})


def _forget_handlers() -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # A terminal that hangs up is the parent's business, and so is its Ctrl-C.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.environ.pop("NOTIFY_SOCKET", None)


def _follow(ended: int) -> None:
    """End in order when the parent is gone: nobody ever writes, so a read returns at its end."""

    def watch() -> None:
        os.read(ended, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


def _be_worker(work: Work, post: Post, reporting: int) -> None:
    """Serve and end; nothing of the parent's stack may run on, so this never returns."""
    status = 1
    try:
        work.serve(post)
        status = 0
    except work.sayable as error:
        _write(reporting, str(error).encode()[: _SAID_MAX - 1])
    except Exception:  # noqa: BLE001 -- the outermost frame of this process
        _log.critical("worker failed", worker=post.index, exc_info=True)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _write(reporting: int, words: bytes) -> None:
    try:
        os.write(reporting, words)
    except BrokenPipeError:
        # The parent is gone; `_follow` ends this process.
        return
