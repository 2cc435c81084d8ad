"""Owns the lists of what the worker does: every periodic job and every kind of queued job.

To add one, add a line here; what it does stands in a file of its own.
"""

from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.settings import Settings
from tollbridge.storage.upkeep import extend_partitions, forget_dead_nodes
from tollbridge.worker.consumer import Handler
from tollbridge.worker.gauges import Gauges, Uncounted
from tollbridge.worker.schedule import Periodic
from tollbridge.worker.usage_index import UsageIndex

_DAY_S = 86_400
_HOUR_S = 3600
_DAY_MS = 86_400_000


def periodic_jobs(
    engine: AsyncEngine,
    settings: Settings,  # noqa: ARG001 -- jobs with a rhythm of the operator's choice come here
    gauges: Gauges | None = None,
) -> list[Periodic]:
    """Return the periodic jobs of this version."""
    index = UsageIndex(engine, gauges or Uncounted())
    return [
        # A short deadline makes a short lease: another process goes on soon after a crash.
        Periodic("call_index", 1.0, index.run, deadline_s=5.0),
        Periodic("partitions", _DAY_S, partial(extend_partitions, engine)),
        Periodic("nodes", _HOUR_S, partial(_forget_nodes, engine)),
    ]


def handlers(
    engine: AsyncEngine,  # noqa: ARG001 -- handlers are bound to it here
    settings: Settings,  # noqa: ARG001
) -> dict[str, Handler]:
    """Return who does which kind of queued job."""
    return {}


async def _forget_nodes(engine: AsyncEngine) -> None:
    await forget_dead_nodes(engine, _DAY_MS)
