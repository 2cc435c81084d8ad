"""Owns the end of work that does not end by itself. Must not know what the work is."""

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any, TypeVar

from tollbridge.core.telemetry import get_logger

_T = TypeVar("_T")
_GRACE_S = 5.0
_log = get_logger(__name__)


class DeadlinePassed(Exception):
    """The work took longer than it may and was cancelled."""


async def within(
    work: Coroutine[Any, Any, _T], deadline_s: float, name: str, *, grace_s: float = _GRACE_S
) -> _T:
    """Return what `work` returns, or cancel it after `deadline_s` and raise DeadlinePassed.

    Work that does not even end when cancelled is left behind after `grace_s`: it stops nobody.
    """
    task = asyncio.create_task(work, name=name)
    try:
        await asyncio.wait({task}, timeout=deadline_s)
    finally:
        late = not task.done()
        if late:
            await _cancel(task, name, grace_s)
    if late:
        # A statement that was cut short keeps SQLite's write lock for as long as its cursor lives, and
        # that lives in the dead task's traceback: the money writer must not wait for a collection.
        del task, work
        gc.collect()
        raise DeadlinePassed(name)
    return task.result()


async def _cancel(task: "asyncio.Task[Any]", name: str, grace_s: float) -> None:
    # Whatever it still raises comes too late to matter.
    task.add_done_callback(_retrieve)
    task.cancel()
    await asyncio.wait({task}, timeout=grace_s)
    if not task.done():
        _log.error("work_does_not_end", work=name)


def _retrieve(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled():
        task.exception()
