"""Owns quick starts of `tollbridge` commands: processes forked off one that has loaded the program.

A command's work is the same as when a shell starts it: its own process, environment, standard
streams and exit status. What it saves is loading a thousand modules anew for each of the suite's
hundreds of gateways. A gateway with several workers starts them the same way.

Must not know what the commands do. Where starting itself is looked at, start a real interpreter.
"""

import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from multiprocessing.connection import wait
from pathlib import Path
from types import ModuleType

COMMAND = (sys.executable, "-m", "tollbridge.cli")
_LOADED = [
    *("tollbridge.cli.main", "tollbridge.app", "tollbridge.api.apply", "tollbridge.billing.verify"),
    *("aiosqlite", "alembic.command", "asyncpg", "uvicorn.loops.uvloop", "uvicorn.lifespan.off"),
    *("sqlalchemy.dialects.sqlite.aiosqlite", "sqlalchemy.dialects.postgresql.asyncpg"),
    *("tollbridge.storage.backup", "tollbridge.storage.restore", "tollbridge.migrations"),
]
_RUN_S = 120.0
_PR_SET_PDEATHSIG = 1
_NURSERY = multiprocessing.get_context("forkserver")
_NURSERY.set_forkserver_preload(_LOADED)
# The library looks at all children when it starts one, and a status can be fetched only once.
_ONE_AT_A_TIME = threading.Lock()


class Child:
    """A process of the nursery, with what tests use of subprocess.Popen's interface."""

    def __init__(
        self, words: tuple[str, ...], environ: Mapping[str, str], out: Path, err: Path | None = None
    ) -> None:
        """Run `tollbridge WORDS`; both streams are appended to `out` when there is no `err`."""
        given = (words, dict(environ), os.fspath(out), os.fspath(err or out))
        self._process = _NURSERY.Process(target=_be, args=given, daemon=True)
        with _ONE_AT_A_TIME, _nameless():
            self._process.start()
        self.pid = self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        """The exit status, minus the signal that ended it; None while it runs."""
        return self.poll()

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""
        with _ONE_AT_A_TIME:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status; subprocess.TimeoutExpired after `timeout` seconds."""
        wait([self._process.sentinel], timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired("tollbridge", timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


def start(
    words: tuple[str, ...], environ: Mapping[str, str], log: Path
) -> Child | subprocess.Popen[bytes]:
    """Start `tollbridge WORDS`, whose streams are appended to `log`.

    An environment that is about the interpreter gets an interpreter of its own.
    """
    if _about_python(environ) == _about_python(os.environ):
        return Child(words, environ, log)
    with log.open("ab") as out:
        return subprocess.Popen(
            [*COMMAND, *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environ
        )


def run(words: tuple[str, ...], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `tollbridge WORDS` to its end; subprocess.TimeoutExpired after two minutes."""
    if _about_python(environ) != _about_python(os.environ):
        return subprocess.run(
            [*COMMAND, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environ,
            check=False,
            timeout=_RUN_S,
        )
    with tempfile.TemporaryDirectory(prefix="nursery-") as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        child = Child(words, environ, out, err)
        try:
            status = child.wait(_RUN_S)
        finally:
            child.kill()
        return subprocess.CompletedProcess(words, status, out.read_text(), err.read_text())


@contextlib.contextmanager
def _nameless() -> Iterator[None]:
    """Hide what runs the suite: a child would import it first, as `__mp_main__`."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _about_python(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith("PYTHON")}


def _be(words: tuple[str, ...], environ: dict[str, str], out: str, err: str) -> None:
    """Become the command: here the child begins."""
    # The nursery ends with the suite's process, however that ends.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.environ.clear()
    os.environ.update(environ)
    for number, path in ((1, out), (2, err)):
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(target, number)
        os.close(target)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)
    # What the nursery loaded lives for ever: no use in walking it at the first collection.
    gc.freeze()
    from tollbridge.cli.main import main

    main(args=list(words), prog_name="tollbridge")
