"""Owns the parent of several server processes: it starts, watches, restarts and ends them.

It serves nothing itself and holds no thread, loop or connection, so that it can fork at any time.
The first worker starts alone: what it makes (schema, key file) the others find.
"""

import gc
import os
import selectors
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from tollbridge.core.settings import Settings
from tollbridge.core.telemetry import get_logger
from tollbridge.supervisor.listeners import bind_again
from tollbridge.supervisor.process import Post, Process, Work
from tollbridge.supervisor.service import tell_service

_log = get_logger(__name__)
_END_S = 35.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a dead worker gets a successor, in seconds.

    The pause doubles from `first_s` to `most_s` and begins anew after `calm_s` of life. From a
    pause of `open_s` on the others get the dead one's new connections meanwhile. Before all were
    ready once, a worker that dies without a word gets `tries` tries. After SIGTERM workers have
    the settings' grace and `end_s` more.
    """

    first_s: float = 0.1
    most_s: float = 10.0
    calm_s: float = 60.0
    open_s: float = 1.0
    tries: int = 3
    end_s: float = _END_S


class StartFailed(Exception):
    """No worker could begin to serve; the text is its own sentence, or its exit status."""


class _Slot:
    """The place of one worker, its socket, and who holds it."""

    def __init__(self, index: int, listener: socket.socket) -> None:
        self.index = index
        self.listener = listener
        self.address = listener.getsockname()
        self.process: Process | None = None
        # In a renewal: the worker serves until its successor does.
        self.successor: Process | None = None
        self.leaving: list[Process] = []
        self.failures = 0
        self.start_at: float | None = None

    @property
    def ready(self) -> bool:
        """Whether its worker takes calls."""
        return self.process is not None and self.process.ready

    @property
    def processes(self) -> list[Process]:
        """Return all of its that live."""
        both = (self.process, self.successor)
        return [*(process for process in both if process is not None), *self.leaving]


def supervise(
    settings: Settings,
    listeners: list[socket.socket],
    serve_one: Callable[[Post], None],
    on_ready: Callable[[], None],
    *,
    sayable: tuple[type[Exception], ...],
    pace: Pace | None = None,
) -> None:
    """Run one worker on each of the `listeners` until SIGTERM or SIGINT; SIGHUP renews them in turn.

    `serve_one` runs in each worker, a fork of this process, and returns when the worker was told to
    end by SIGTERM. Its errors of `sayable` types end the worker with their text. `on_ready` is
    called here once all are ready. The listeners are closed at the end. Raises StartFailed when the
    workers never were ready.
    """
    folder = Path(tempfile.mkdtemp(prefix="tollbridge-"))
    try:
        parent = _Parent(settings, listeners, Work(serve_one, sayable), folder, pace or Pace())
        parent.run(on_ready)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Parent:
    def __init__(
        self,
        settings: Settings,
        listeners: list[socket.socket],
        work: Work,
        folder: Path,
        pace: Pace,
    ) -> None:
        self._slots = [_Slot(index, listener) for index, listener in enumerate(listeners)]
        self._work = work
        self._folder = folder
        self._pace = pace
        self._end_s = settings.shutdown_grace_s + pace.end_s
        self._started = False
        self._rolling: list[_Slot] = []
        self._kill_at: float | None = None
        self._signals: list[int] = []
        self._failure: str | None = None
        self._wake, self._woken = socket.socketpair()

    def run(self, on_ready: Callable[[], None]) -> None:
        """Do all of it, and leave this process's signals as they were."""
        for end in (self._wake, self._woken):
            end.setblocking(False)
        before = {number: signal.getsignal(number) for number in _HANDLED}
        wakeup = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        for number, handler in before.items():
            if number != signal.SIGHUP or handler != signal.SIG_IGN:
                signal.signal(number, self._note)
        try:
            # What workers share with this process stays shared as long as nobody writes to it.
            gc.collect()
            gc.freeze()
            self._start(self._slots[0])
            self._loop(on_ready)
        finally:
            self._kill_all()
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            for open_ in (self._wake, self._woken, *(slot.listener for slot in self._slots)):
                open_.close()
        if self._failure is not None:
            raise StartFailed(self._failure)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)

    def _loop(self, on_ready: Callable[[], None]) -> None:
        while True:
            self._obey()
            for slot in self._slots:
                self._look(slot)
            if self._kill_at is not None:
                if not any(slot.processes for slot in self._slots):
                    return
                if time.monotonic() >= self._kill_at:
                    _log.error("workers_killed", after_s=self._end_s)
                    return
            else:
                self._go_on(on_ready)
            self._sleep()

    def _obey(self) -> None:
        while self._signals:
            number = self._signals.pop(0)
            if number == signal.SIGHUP:
                if self._started and self._kill_at is None:
                    self._rolling = self._rolling or list(self._slots)
            elif number != signal.SIGCHLD:
                self._end(number)

    def _end(self, number: int) -> None:
        """Tell all to end; a second Ctrl-C is told on as one, so that nobody waits for calls."""
        again = self._kill_at is not None
        if not again:
            tell_service("STOPPING=1")
            self._kill_at = time.monotonic() + self._end_s
        told = signal.SIGINT if again and number == signal.SIGINT else signal.SIGTERM
        for slot in self._slots:
            slot.start_at = None
            for process in slot.processes:
                process.send(told)

    def _look(self, slot: _Slot) -> None:
        slot.leaving = [process for process in slot.leaving if not process.look()]
        successor, process = slot.successor, slot.process
        if successor is not None and successor.look():
            slot.successor = None
            self._rolling = []
            _log.error("renewal_given_up", worker=slot.index, **_end_of(successor))
        if process is not None and process.look():
            slot.process, slot.successor = slot.successor, None
            if self._kill_at is None:
                self._bear(slot, process)

    def _bear(self, slot: _Slot, ended: Process) -> None:
        """Decide what follows the unforeseen end of a worker."""
        _log.error("worker_ended", worker=slot.index, **_end_of(ended))
        slot.failures = 1 if ended.age_s >= self._pace.calm_s else slot.failures + 1
        if not self._started and (ended.sentence or slot.failures >= self._pace.tries):
            self._failure = ended.sentence or (
                f"a worker ended with status {ended.status} before it could serve"
            )
            self._end(signal.SIGTERM)
        elif slot.process is None:
            self._put_off(slot)
        elif self._rolling and self._rolling[0] is slot:
            self._rolling.pop(0)

    def _put_off(self, slot: _Slot) -> None:
        pause_s = min(self._pace.first_s * 2 ** (slot.failures - 1), self._pace.most_s)
        slot.start_at = time.monotonic() + pause_s
        if pause_s >= self._pace.open_s:
            slot.listener.close()

    def _go_on(self, on_ready: Callable[[], None]) -> None:
        """Start what is due, and take the next step of a start or of a renewal."""
        now = time.monotonic()
        for slot in self._slots:
            if slot.start_at is not None and now >= slot.start_at:
                self._start(slot)
        if not self._started:
            if self._slots[0].ready:
                for slot in self._slots:
                    if slot.process is None and slot.start_at is None:
                        self._start(slot)
            if all(slot.ready for slot in self._slots):
                self._started = True
                on_ready()
                tell_service("READY=1")
        elif self._rolling:
            self._roll(self._rolling[0])

    def _roll(self, slot: _Slot) -> None:
        if slot.process is None:
            self._rolling.pop(0)  # It gets a new one anyway.
        elif slot.successor is None:
            slot.successor = self._fork(slot)
        elif slot.successor.ready:
            slot.process.send(signal.SIGTERM)
            slot.leaving.append(slot.process)
            slot.process, slot.successor = slot.successor, None
            self._rolling.pop(0)

    def _start(self, slot: _Slot) -> None:
        slot.start_at = None
        if slot.listener.fileno() < 0:
            try:
                slot.listener = bind_again(slot.listener, slot.address)
            except OSError as error:
                _log.error("worker_not_started", worker=slot.index, reason=error.strerror)
                slot.failures += 1
                self._put_off(slot)
                return
        slot.process = self._fork(slot)

    def _fork(self, slot: _Slot) -> Process:
        mine = [self._wake.fileno(), self._woken.fileno()]
        for other in self._slots:
            mine += [number for process in other.processes for number in process.descriptors]
            if other is not slot and other.listener.fileno() >= 0:
                mine.append(other.listener.fileno())
        place = (slot.index, len(self._slots))
        return Process.start(self._work, place, slot.listener, self._folder, mine)

    def _sleep(self) -> None:
        """Wait for a signal, a word of a worker, or the next thing that is due."""
        due = [slot.start_at for slot in self._slots if slot.start_at is not None]
        if self._kill_at is not None:
            due.append(self._kill_at)
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            for slot in self._slots:
                for process in (slot.process, slot.successor):
                    if process is not None and not process.ready:
                        selector.register(process.report, selectors.EVENT_READ)
            selector.select(max(0.0, min(due) - time.monotonic()) if due else None)
        try:
            while self._woken.recv(4096):
                pass
        except BlockingIOError:
            return

    def _kill_all(self) -> None:
        for slot in self._slots:
            for process in slot.processes:
                process.send(signal.SIGKILL)
                os.waitpid(process.pid, 0)


def _end_of(process: Process) -> dict[str, object]:
    return {"pid": process.pid, "status": process.status, "reason": process.sentence}


_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
