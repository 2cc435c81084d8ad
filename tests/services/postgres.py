"""Owns a throw-away PostgreSQL server for tests. Must not know what the tests store in it.

It lives in a folder of its own, listens on a free loopback port, and ends with the process that
started it, even when that is killed. Nothing is synced to disk: speed, not survival, matters here.
"""

import contextlib
import ctypes
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.services.ports import free_port

START_TIMEOUT_S = 60
_ATTEMPTS = 5
_PR_SET_PDEATHSIG = 1
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "autovacuum": "off",
    "log_min_messages": "warning",
}


class NotInstalledError(Exception):
    """No PostgreSQL server programs on this machine."""


class NotStartedError(Exception):
    """The server's programs are there but it does not start; the text holds the end of its log."""


def program_folder() -> Path:
    """Return the folder of initdb, postgres and psql (newest version); NotInstalledError."""
    versioned = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(versioned, key=lambda folder: float(folder.parent.name), reverse=True)
    on_path = shutil.which("postgres")
    folders = [*newest, *([Path(on_path).resolve().parent] if on_path else [])]
    for folder in folders:
        if all((folder / name).is_file() for name in ("initdb", "postgres", "psql")):
            return folder
    raise NotInstalledError("PostgreSQL's initdb, postgres and psql are not installed")


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root; None when we are not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise NotStartedError("running as root, and there is neither a user postgres nor nobody")


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


class Server:
    """One running server; `start` it, take databases from it, `stop` it."""

    def __init__(self) -> None:
        self._programs = program_folder()
        self._user = _unprivileged_user()
        self._process: subprocess.Popen[bytes] | None = None
        self._shell: subprocess.Popen[str] | None = None
        self._databases = 0
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self.port = 0

    def start(self) -> None:
        """Make the cluster and serve; NotStartedError with the server's own words."""
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                  "--locale=C", "--no-sync", user=self._user)  # fmt: skip
        for _ in range(_ATTEMPTS):
            self.port = free_port()
            if self._serve():
                return
        raise NotStartedError(self._log.read_text()[-2000:])

    def stop(self) -> None:
        """End the server (open connections are cut) and remove its folder."""
        if self._shell is not None:
            self._shell.communicate()
            self._shell = None
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def database(self, template: str = "") -> Iterator[str]:
        """Yield the URL of a fresh database that is dropped afterwards.

        It is empty, or a copy of the database of this server whose URL is `template`.
        """
        self._databases += 1
        name = f"test_{self._databases}"
        # A copy of its files: quicker than by way of the log.
        like = f" TEMPLATE {template.rpartition('/')[2]} STRATEGY FILE_COPY" if template else ""
        self._say(f"CREATE DATABASE {name}{like}")
        try:
            yield f"postgresql://postgres@127.0.0.1:{self.port}/{name}"
        finally:
            self._say(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str, database: str = "postgres") -> str:
        """Run one statement and return its rows as plain text."""
        return self._run("psql", *self._to(database), "-v", "ON_ERROR_STOP=1", "-c", statement)

    def _say(self, statement: str) -> None:
        """Run one statement in the shell that stays open: a psql for each is most of the work."""
        if self._shell is None:
            self._shell = subprocess.Popen(
                [self._programs / "psql", *self._to("postgres")],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        stdin, stdout = self._shell.stdin, self._shell.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{statement};\n\\echo :ERROR :LAST_ERROR_MESSAGE\n")
        stdin.flush()
        if not (said := stdout.readline()).startswith("false"):
            raise NotStartedError(f"{statement}: {said}")

    def _to(self, database: str) -> tuple[str, ...]:
        return ("-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres",
                "-d", database)  # fmt: skip

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    @property
    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not re.match("PG|LC_", name)}
        return {**kept, "LC_ALL": "C"}

    def _run(self, program: str, *arguments: str, user: str | None = None) -> str:
        # Only the server needs a user of its own. To start a program as one copies the page tables
        # of the suite's process first.
        done = subprocess.run(
            [self._programs / program, *arguments],
            cwd=self.folder,
            env=self._environment,
            user=user,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NotStartedError(f"{program}: {done.stderr[-2000:]}")
        return done.stdout.strip()

    def _serve(self) -> bool:
        settings = {**_SETTINGS, "port": str(self.port), "unix_socket_directories": self.folder}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, *options],
                cwd=self.folder,
                env=self._environment,
                user=self._user,
                group=None if self._user is None else pwd.getpwnam(self._user).pw_gid,
                extra_groups=None if self._user is None else [],
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - no threads are about at this moment
            )
        return self._answers(self._process)

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + START_TIMEOUT_S
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(NotStartedError):
                return self.execute("SELECT 1") == "1"
            time.sleep(0.05)
        if process.poll() is None:
            process.kill()
            process.wait()
        self._process = None
        return False
