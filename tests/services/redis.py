"""Owns a throw-away Redis or Valkey server for tests. Must not know what the tests store in it.

It lives in a folder of its own, listens on a free loopback port, keeps nothing on disk, and ends
with the process that started it, even when that is killed.
"""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.services.ports import free_port
from tests.services.postgres import _die_with_parent

_ATTEMPTS = 5
_START_TIMEOUT_S = 60
_PROGRAMS = ("valkey-server", "redis-server")


class NotInstalledError(Exception):
    """Neither valkey-server nor redis-server is on this machine."""


class NotStartedError(Exception):
    """The program is there but does not serve; the text holds the end of its log."""


def program() -> str:
    """Return the path of the server program; NotInstalledError."""
    found = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if found is None:
        raise NotInstalledError("neither valkey-server nor redis-server is installed")
    return found


class Server:
    """One server; `start` and `stop` it as often as a test likes, at last `remove` it."""

    def __init__(self) -> None:
        self._program = program()
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self.port = 0

    @property
    def url(self) -> str:
        """The URL of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Serve, at the same port as before if there was one; NotStartedError."""
        again = self.port
        for _ in range(_ATTEMPTS):
            self.port = again or free_port()
            if self._serve():
                return
        self.port = again
        raise NotStartedError(self._log.read_text()[-2000:])

    def stop(self) -> None:
        """End the server at once; everything in it is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it take connections but answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        """End the server and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, *words: str) -> str:
        """Send one command and return the raw first 64 KiB of its answer."""
        command = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.sendall(command.encode())
            return connection.recv(65_536).decode()

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def _serve(self) -> bool:
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "unixsocket": str(self.folder / "socket"),
            "dir": str(self.folder),
            "save": "",
            "appendonly": "no",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [self._program, *options],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - no threads are about at this moment
            )
        deadline = time.monotonic() + _START_TIMEOUT_S
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                if self.ask("PING").startswith("+PONG"):
                    return True
            except OSError:
                time.sleep(0.01)
        self.stop()
        return False
