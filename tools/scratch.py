"""Prints the folder for the suite's files: one in memory where there is room for them, else TMPDIR.

Hundreds of databases are made and thrown away; a disk that has to be waited for made up half of the
suite's time. Nothing is proved by it: no test cuts the power, and a killed process loses nothing
that it wrote. Programs are started from there too, so a folder that forbids this does not do.
"""

import os
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 -- pytest and tempfile make private folders in it
ROOM = 4 * 2**30
"""Bytes that have to be free; the suite has used a quarter of it at most."""


def scratch(memory: Path = MEMORY, room: int = ROOM) -> Path:
    """Return the folder."""
    usual = Path(tempfile.gettempdir())
    if "TMPDIR" in os.environ or not os.access(memory, os.W_OK | os.X_OK):
        return usual
    at = os.statvfs(memory)
    fits = at.f_bavail * at.f_frsize >= room
    return memory if fits and not at.f_flag & os.ST_NOEXEC else usual


if __name__ == "__main__":
    print(scratch())
