"""Owns a throw-away PostgreSQL to measure on: its own programs, a folder that is thrown away.

All that durability rests on is as the server has it by default (fsync and synchronous_commit are
on). It must not know what is stored in it.
"""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import asyncpg

from bench.processes import Child, ChildFailed, Owner, free_port, wait_until

_UP_S = 60
_PROGRAMS = ("initdb", "postgres")
_VERSIONS = Path("/usr/lib/postgresql")
_OTHERS = ("PG", "LC_")


class PostgresMissing(RuntimeError):
    """There is no PostgreSQL that could be started here; the text says what is missing."""


class Postgres:
    """One server on a core of its own, until `stop`; `child` has its CPU time."""

    def __init__(self, folder: Path, core: int | None) -> None:
        """Make a cluster in `folder` and serve it; PostgresMissing or ChildFailed."""
        programs = program_folder()
        owner = Owner(unprivileged_user(), _environment())
        home = folder / "postgresql"
        home.mkdir(mode=0o700)
        if owner.user is not None:
            # The user has to pass through the folder above, and may not read what else is there.
            folder.chmod(0o711)
            shutil.chown(home, owner.user)
        self.version = _said(programs / "postgres", "--version").split()[2]
        _make_cluster(programs, home, owner)
        self.port = free_port()
        options = ["listen_addresses=127.0.0.1", f"port={self.port}"]
        options.append(f"unix_socket_directories={home}")
        words = [word for option in options for word in ("-c", option)]
        command = [str(programs / "postgres"), "-D", str(home / "data"), *words]
        self.child = Child("postgres", command, home, core, owner=owner)
        wait_until(self.child, self._answers, _UP_S)

    def database(self, name: str) -> str:
        """Make an empty database and return its URL."""
        asyncio.run(self._execute(f'CREATE DATABASE "{name}"'))
        return self._url(name)

    def stop(self) -> None:
        """End the server; connections that are still open are cut."""
        self.child.stop(signal.SIGINT)

    def _answers(self) -> bool:
        with suppress(OSError, asyncpg.PostgresError):
            # The driver waits long for a port at which nobody listens yet.
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            asyncio.run(self._execute("SELECT 1"))
            return True
        return False

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self._url("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _url(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"


def program_folder(versions: Path = _VERSIONS) -> Path:
    """Return the folder of the server's programs, the newest version's; PostgresMissing."""
    installed = sorted(versions.glob("*/bin"), key=_version_of, reverse=True)
    on_path = shutil.which("postgres")
    for folder in [*installed, *([Path(on_path).resolve().parent] if on_path else [])]:
        if all((folder / name).is_file() for name in _PROGRAMS):
            return folder
    raise PostgresMissing("PostgreSQL's initdb and postgres are not installed")


def unprivileged_user() -> str | None:
    """Return who runs the server: nobody else (None) unless we are root, whom it refuses."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise PostgresMissing("PostgreSQL refuses root, and there is no user postgres or nobody")


def _version_of(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.parent.name.split(".") if part.isdigit())


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OTHERS)}
    return {**kept, "LC_ALL": "C"}


def _make_cluster(programs: Path, home: Path, owner: Owner) -> None:
    words = ("-D", home / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
    made = subprocess.run(
        [programs / "initdb", *words],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        **owner.arguments(),
    )
    if made.returncode:
        raise ChildFailed(f"initdb: {made.stderr.strip()}")


def _said(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
