"""Owns connections that fail as sick disks do, to be given to the books as their connection class."""

import sqlite3


def failure(code: int) -> sqlite3.OperationalError:
    """Return the error that the driver raises for a result code."""
    error = sqlite3.OperationalError("a made-up failure")
    error.sqlite_errorcode = code
    return error


class BrokenDisk(sqlite3.Connection):
    """Fails with an I/O error: `breaks` is "before" or "after" the commit, or "reading"."""

    breaks = ""

    def execute(self, sql, values=()):
        """Run a statement, or fail at the chosen point."""
        if self.breaks == "reading" and sql.startswith("SELECT"):
            raise failure(sqlite3.SQLITE_IOERR_READ)
        if sql == "COMMIT" and self.breaks in {"before", "after"}:
            if self.breaks == "after":
                super().execute(sql)
            raise failure(sqlite3.SQLITE_IOERR_FSYNC)
        return super().execute(sql, values)


class SmallDisk(sqlite3.Connection):
    """Has no room for `pages` more pages; None is plenty. Set it from any thread."""

    def limit(self, more: int | None) -> None:
        """Let the file grow by `more` pages from now on."""
        count = sqlite3.Connection.execute(self, "PRAGMA page_count").fetchone()[0]
        most = 1 << 30 if more is None else count + more
        sqlite3.Connection.execute(self, f"PRAGMA max_page_count = {most}")


class Moody(sqlite3.Connection):
    """Fails to begin with the given result codes, one after the other, then works."""

    codes: tuple[int, ...] = ()

    def execute(self, sql, values=()):
        """Run a statement, or fail."""
        if sql == "BEGIN IMMEDIATE" and self.codes:
            code, *rest = self.codes
            self.codes = tuple(rest)
            raise failure(code)
        return super().execute(sql, values)


class Mortal(sqlite3.Connection):
    """Kills the thread that uses it once `doomed`."""

    doomed = False

    def execute(self, sql, values=()):
        """Run a statement, or die."""
        if self.doomed:
            raise SystemExit
        return super().execute(sql, values)
