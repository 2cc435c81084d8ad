"""Owns the disk under the books: how much is free, the reserve file, the lock for life.

Knows nothing of what is written there (money.md, "Engines").
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path


class DatabaseInUse(Exception):
    """Another process serves from this database file."""


class DatabaseLock:
    """The exclusive right to make and end holds in one SQLite file, held until the process ends."""

    def __init__(self, database: Path) -> None:
        # The file itself, so that two names for one database share one lock.
        file = database.resolve()
        self._path = file.with_name(file.name + ".lock")
        self._fd = -1

    def take(self) -> None:
        """Take the lock or raise DatabaseInUse; it is enough to have it once.

        The kernel frees it however the process ends.
        """
        if self._fd >= 0:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            raise DatabaseInUse(
                f"another tollbridge serves from {self._path.name.removesuffix('.lock')}:"
                " one process a SQLite file; stop it first, or use PostgreSQL for many"
            ) from error
        self._fd = fd

    def release(self) -> None:
        """Let go of the lock; harmless when it was never taken."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Reserve:
    """Disk space kept back, to be given up when the disk is full so that running calls settle."""

    def __init__(self, database: Path, size_bytes: int, min_free_bytes: int) -> None:
        self._path = database.with_name(database.name + ".reserve")
        self._size = size_bytes
        self._min_free = min_free_bytes

    def keep(self) -> None:
        """Make the reserve file when it is missing and there is room for it."""
        try:
            if self._path.exists() and self._path.stat().st_size == self._size:
                return
            if self.free_bytes() < self._size + self._min_free:
                return
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
        except OSError:
            self.give_up()

    def give_up(self) -> None:
        """Delete the reserve file: its blocks are free at once."""
        # Where it cannot be deleted there is no more to give; the caller waits for room anyway.
        with suppress(OSError):
            self._path.unlink()

    def free_bytes(self) -> int:
        """Return the bytes that an ordinary user may still write on this disk."""
        stats = os.statvfs(self._path.parent)
        return stats.f_bavail * stats.f_frsize

    @property
    def admits(self) -> bool:
        """Whether there is room enough for new calls; not on a disk that does not say."""
        try:
            return self.free_bytes() >= self._min_free
        except OSError:
            return False
