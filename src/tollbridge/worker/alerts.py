"""Owns the checks that raise and close alerts, one process of all at a time (docs/alerts.md).

Each check says what is so now: it raises what is wrong and closes what is not wrong any more, in
one transaction. Must not know how operators are told.
"""

import asyncio
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.billing.losses import Loss, losses_after
from tollbridge.billing.verify import verify
from tollbridge.core.clock import first_id, now_ms
from tollbridge.core.money import format_usd
from tollbridge.core.settings import Settings
from tollbridge.notify.kinds import Kind, of_wallet
from tollbridge.notify.operators import Operators
from tollbridge.storage.alerts import list_alerts
from tollbridge.storage.marks import read_mark, set_mark
from tollbridge.storage.queue import dead_jobs
from tollbridge.storage.unit_of_work import working
from tollbridge.worker.schedule import Periodic

_EVERY_S = 60.0
_BOOKS_DEADLINE_S = 900.0
_DEAD_MAX = 1000
_OPEN_MAX = 100_000
_DAY_MS = 86_400_000
# Every line of the journal is committed long before it is so old, whichever node wrote it.
_SETTLED_MS = 60_000
_MARK = "operator_loss"
_DISK = "database"


def _unseen(_count: int) -> None:
    """Show a figure to nobody."""


class Checks:
    """The periodic checks of a site. `on_dead` and `on_imbalance` take the figures for gauges."""

    def __init__(
        self,
        engine: AsyncEngine,
        operators: Operators,
        settings: Settings,
        *,
        on_dead: Callable[[int], None] = _unseen,
        on_imbalance: Callable[[int], None] = _unseen,
    ) -> None:
        self._engine = engine
        self._operators = operators
        self._audit_every_s = settings.audit_every_s
        self._disk_alert_bytes = settings.disk_alert_bytes
        self._folder = None if settings.sqlite_path is None else settings.sqlite_path.parent
        self._on_dead = on_dead
        self._on_imbalance = on_imbalance

    def periodic(self) -> list[Periodic]:
        """Return the checks as periodic jobs."""
        return [
            Periodic("alerts_sweep", _EVERY_S, self.sweep),
            Periodic("alerts_jobs", _EVERY_S, self.jobs),
            Periodic("alerts_disk", _EVERY_S, self.disk),
            Periodic("alerts_losses", _EVERY_S, self.losses),
            Periodic("alerts_books", self._audit_every_s, self.books, _BOOKS_DEADLINE_S),
        ]

    async def sweep(self) -> None:
        """Close what has been quiet for long, and tell what has come up since the last telling."""
        async with working(self._engine) as connection:
            await self._operators.sweep(connection, now_ms())

    async def jobs(self) -> None:
        """Alert of jobs that were given up, by kind."""
        async with working(self._engine) as connection:
            dead = await dead_jobs(connection, _DEAD_MAX)
            by_kind = defaultdict(list)
            for job in dead:
                by_kind[job.kind].append(job)
            for kind, given_up in sorted(by_kind.items()):
                last = given_up[0]
                detail = (
                    f"{len(given_up)} given up; the last is job {last.id}"
                    f" after {last.attempts} attempts: {last.error}"
                )
                await self._raise(connection, Kind.DEAD_JOBS, kind, detail)
            await self._operators.close_others(connection, Kind.DEAD_JOBS, by_kind, now_ms())
        self._on_dead(len(dead))

    async def disk(self) -> None:
        """Alert of a disk that fills up under a SQLite file; over when a quarter more is free.

        PostgreSQL's disk is another machine's: nothing can be known of it here.
        """
        if self._folder is None:
            return
        free = await asyncio.to_thread(_free_bytes, self._folder)
        if free < self._disk_alert_bytes:
            detail = (
                f"{free} bytes are free under the database, fewer than {self._disk_alert_bytes}"
            )
            async with working(self._engine) as connection:
                await self._raise(connection, Kind.DISK_LOW, _DISK, detail)
        elif free >= self._disk_alert_bytes + self._disk_alert_bytes // 4:
            async with working(self._engine) as connection:
                await self._operators.close_alert(connection, Kind.DISK_LOW, _DISK, now_ms())

    async def books(self) -> None:
        """Alert of each invariant of the books that does not hold."""
        by_invariant = defaultdict(list)
        for finding in await verify(self._engine):
            if finding.fatal:
                by_invariant[finding.invariant].append(finding.sentence)
        async with working(self._engine) as connection:
            for invariant, sentences in sorted(by_invariant.items()):
                detail = (
                    f"{len(sentences)} found, amounts in nano-dollars; the first: {sentences[0]}"
                )
                await self._raise(connection, Kind.IMBALANCE, invariant, detail)
            await self._operators.close_others(connection, Kind.IMBALANCE, by_invariant, now_ms())
        self._on_imbalance(sum(map(len, by_invariant.values())))

    async def losses(self) -> bool:
        """Alert of cost that no wallet covered, unless the ledger has said so itself at the time.

        Goes on in the journal where the last look ended, in the same transaction as its alerts.
        """
        async with working(self._engine) as connection:
            mark = await read_mark(connection, _MARK)
            at_ms = now_ms()
            # What is older than a day is no news, wherever the mark stands.
            after = max(mark, first_id(at_ms - _DAY_MS))
            piece = await losses_after(connection, after, at_ms - _SETTLED_MS)
            if piece.losses:
                known = await _last_raised(connection)
                for loss in piece.losses:
                    await self._lost(connection, loss, known)
            if piece.upto != mark:
                await set_mark(connection, _MARK, piece.upto)
        return piece.more

    async def _lost(self, connection: AsyncConnection, loss: Loss, known: dict[str, int]) -> None:
        subject = of_wallet(loss.wallet_id)
        if loss.last_ms <= known.get(subject, 0):
            return
        calls = "one call" if loss.calls == 1 else f"{loss.calls} calls"
        detail = f"${format_usd(loss.amount)} in {calls}"
        await self._operators.raise_alert(
            connection, Kind.OPERATOR_LOSS, subject, detail, loss.last_ms, count=loss.calls
        )

    async def _raise(
        self, connection: AsyncConnection, kind: Kind, subject: str, detail: str
    ) -> None:
        await self._operators.raise_alert(connection, kind, subject, detail, now_ms())


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


async def _last_raised(connection: AsyncConnection) -> dict[str, int]:
    """Return when losses were last raised that are alerted now, by subject."""
    rows = await list_alerts(connection, most=_OPEN_MAX)
    return {row.subject: row.last_ms for row in rows if row.kind == Kind.OPERATOR_LOSS}
