"""Owns the lists of what the worker does: every periodic job and every kind of queued job.

To add one, add a line here; what it does stands in a file of its own.
"""

from collections.abc import Callable, Mapping
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.money import parse_usd
from tollbridge.core.settings import Settings
from tollbridge.notify.operators import Operators
from tollbridge.notify.outbox import Outbox
from tollbridge.storage.upkeep import extend_partitions, forget_dead_nodes
from tollbridge.worker.alerts import Checks
from tollbridge.worker.consumer import Handler
from tollbridge.worker.gauges import Gauges, Uncounted
from tollbridge.worker.lots import EVERY_S as LOTS_EVERY_S
from tollbridge.worker.lots import Lots
from tollbridge.worker.people import EVERY_S as PEOPLE_EVERY_S
from tollbridge.worker.people import People
from tollbridge.worker.retention import Retention
from tollbridge.worker.rollups import Rollups
from tollbridge.worker.schedule import Periodic
from tollbridge.worker.sink import Sink, SinkCheck
from tollbridge.worker.usage_index import UsageIndex
from tollbridge.worker.user_alerts import EVERY_S as USER_ALERTS_EVERY_S
from tollbridge.worker.user_alerts import UserAlerts

_DAY_S = 86_400
_HOUR_S = 3600
_DAY_MS = 86_400_000


def periodic_jobs(
    engine: AsyncEngine, settings: Settings, gauges: Gauges | None = None
) -> list[Periodic]:
    """Return the periodic jobs of this version; SettingsError when alerts cannot be sent so."""
    gauges = gauges or Uncounted()
    index = UsageIndex(engine, gauges, sink=bool(settings.sink_url))
    sink = Sink.of(engine, settings)
    operators = Operators.of(settings)
    told = UserAlerts(engine, parse_usd(settings.low_balance_usd))
    checks = Checks(
        engine,
        operators,
        settings,
        on_dead=gauges.jobs_dead,
        on_imbalance=gauges.imbalance,
    )
    return [
        # A short deadline makes a short lease: another process goes on soon after a crash.
        Periodic("call_index", 1.0, index.run, deadline_s=5.0),
        # What a slot waits for its turn comes on top (storage/rollup_marks.py): 20 s in all.
        Periodic("rollups", 10.0, Rollups(engine).run, deadline_s=20.0),
        Periodic("lots", LOTS_EVERY_S, Lots(engine).run, deadline_s=20.0),
        Periodic("partitions", _DAY_S, partial(extend_partitions, engine)),
        Periodic(
            "retention", _HOUR_S, Retention(engine, settings.usage_keep_days).run, deadline_s=20.0
        ),
        Periodic("people", PEOPLE_EVERY_S, People(engine).run),
        Periodic("nodes", _HOUR_S, partial(_forget_nodes, engine)),
        *([sink.periodic()] if sink else []),
        SinkCheck(engine, operators, settings).periodic(),
        Periodic("user_alerts", USER_ALERTS_EVERY_S, told.run, deadline_s=20.0),
        *checks.periodic(),
    ]


def handlers(
    settings: Settings, site_url: Callable[[], str] | None = None
) -> Mapping[str, Handler]:
    """Return who does which kind of queued job; SettingsError as above.

    `site_url` is where people reach this site, known in a process that serves it (`Mailer.of`).
    """
    return Outbox.of(settings, site_url).handlers()


async def _forget_nodes(engine: AsyncEngine) -> None:
    await forget_dead_nodes(engine, _DAY_MS)
