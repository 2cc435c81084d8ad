"""Owns one fact about the machine: how long fdatasync takes where the database lies."""

import os
import time
from pathlib import Path

_BLOCK = b"\0" * 4_096


def fdatasync_ns(folder: Path, times: int) -> list[int]:
    """Append a block and sync it, `times` times; return each one's time in ns."""
    file = folder / "fdatasync.probe"
    handle = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        return [_one(handle) for _ in range(times)]
    finally:
        os.close(handle)
        file.unlink()


def _one(handle: int) -> int:
    began = time.perf_counter_ns()
    os.write(handle, _BLOCK)
    os.fdatasync(handle)
    return time.perf_counter_ns() - began
