"""Proof with real processes: a worker that dies is replaced, none is left behind, no call is lost."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT


class Supervised:
    """A supervisor with its workers, and what they noted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, workers: int = 2, **environ: str) -> "Supervised":
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.services.supervised", str(self.folder), str(workers)],
                cwd=ROOT,
                stderr=log,
                env={**os.environ, **environ},
            )
        return self

    def ready(self) -> "Supervised":
        self.until(lambda: self.events("ready") or self.process.poll() is not None)
        assert self.events("ready"), self.log
        return self

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def events(self, kind: str) -> list[list[str]]:
        file = self.folder / "events"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.split(" ", 2)[1:] for line in lines if line.split(" ")[0] == kind]

    def workers(self, index: int) -> list[int]:
        return [int(pid) for number, pid in self.events("worker") if int(number) == index]

    def ask(self) -> int:
        """Connect anew and return the pid of the worker that answers."""
        with socket.create_connection(("127.0.0.1", int(self.events("ready")[0][0]))) as asked:
            return int(asked.makefile().readline())

    def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            time.sleep(0.01)

    def until_answered_by(self, pids: set[int]) -> None:
        seen: set[int] = set()
        while not pids <= seen:
            seen.add(self.ask())

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(60)


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    """Return one that is not started yet; whatever it left behind is found and ended."""
    made = Supervised(tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()
    made.until(lambda: not any(alive(int(pid)) for _, pid in made.events("worker")))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that nobody waited for yet is dead all the same.
    return ") Z " not in Path(f"/proc/{pid}/stat").read_text()


def test_all_workers_answer_and_end_in_order(supervised: Supervised):
    supervised.start(3).ready()
    pids = {supervised.workers(index)[0] for index in range(3)}
    supervised.until_answered_by(pids)
    assert len(supervised.events("ready")) == 1
    supervised.signal(signal.SIGTERM)
    assert supervised.wait() == 0
    assert {int(pid) for _, pid in supervised.events("ended")} == pids
    assert "worker_ended" not in supervised.log


def test_a_dead_worker_is_replaced_and_no_connection_is_refused(supervised: Supervised):
    supervised.start().ready()
    first = supervised.workers(1)[0]
    os.kill(first, signal.SIGKILL)
    while len(supervised.workers(1)) < 2:
        supervised.ask()
    supervised.until_answered_by({supervised.workers(1)[1], supervised.workers(0)[0]})
    assert f'"pid": {first}, "status": -9' in supervised.log
    supervised.signal(signal.SIGINT)
    assert supervised.wait() == 0


def test_workers_that_go_on_dying_are_tried_again_while_the_others_serve(supervised: Supervised):
    supervised.start().ready()
    (supervised.folder / "crash").touch()
    os.kill(supervised.workers(1)[0], signal.SIGKILL)
    supervised.until(lambda: len(supervised.workers(1)) >= 6)
    # Its socket is closed by now, so that the other is given every call.
    assert {supervised.ask() for _ in range(50)} == {supervised.workers(0)[0]}
    (supervised.folder / "crash").unlink()
    supervised.until(lambda: supervised.ask() == supervised.workers(1)[-1])


def test_a_renewal_replaces_one_after_the_other_and_loses_no_call(supervised: Supervised):
    supervised.start().ready()
    old = {supervised.ask() for _ in range(50)}
    supervised.signal(signal.SIGHUP)
    while len(supervised.events("ended")) < 2:
        supervised.ask()
    assert {int(pid) for _, pid in supervised.events("ended")} >= old
    assert not old & {supervised.ask() for _ in range(50)}
    supervised.signal(signal.SIGHUP)
    while len(supervised.events("ended")) < 4:
        supervised.ask()
    assert len(supervised.workers(0)) == len(supervised.workers(1)) == 3


def test_a_renewal_that_cannot_start_leaves_what_serves(supervised: Supervised):
    supervised.start().ready()
    (supervised.folder / "fail").write_text("the database cannot be used: away")
    supervised.signal(signal.SIGHUP)
    supervised.until(lambda: "renewal_given_up" in supervised.log)
    assert "the database cannot be used: away" in supervised.log
    supervised.until_answered_by({supervised.workers(0)[0], supervised.workers(1)[0]})
    assert supervised.events("ended") == []


def test_workers_end_when_their_parent_is_killed(supervised: Supervised):
    supervised.start().ready()
    supervised.signal(signal.SIGKILL)
    supervised.wait()
    supervised.until(lambda: len(supervised.events("ended")) == 2)


def test_one_that_cannot_start_says_why_once(supervised: Supervised):
    (supervised.folder / "fail").write_text("the database cannot be used: no such host")
    assert supervised.start(3).wait() == 1
    assert supervised.events("failed") == [["the", "database cannot be used: no such host"]]
    assert len(supervised.events("worker")) == 1


def test_workers_that_crash_at_the_start_are_given_up(supervised: Supervised):
    (supervised.folder / "crash").touch()
    assert supervised.start().wait() == 1
    assert supervised.events("failed") == [
        ["a", "worker ended with status 7 before it could serve"]
    ]
    assert len(supervised.workers(0)) == 3
    assert supervised.workers(1) == []


def test_a_worker_that_does_not_end_is_killed(supervised: Supervised):
    (supervised.folder / "deaf").touch()
    supervised.start().ready()
    supervised.signal(signal.SIGTERM)
    assert supervised.wait() == 0
    assert supervised.events("ended") == []
    assert "workers_killed" in supervised.log


def test_the_service_manager_is_told(supervised: Supervised):
    address = f"\0tollbridge-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(address)
        told.settimeout(60)
        supervised.start(NOTIFY_SOCKET="@" + address[1:])
        assert told.recv(100) == b"READY=1"
        supervised.signal(signal.SIGTERM)
        assert told.recv(100) == b"STOPPING=1"
    assert supervised.wait() == 0
