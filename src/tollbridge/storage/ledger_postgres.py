"""Owns the money connection to PostgreSQL and the books of one node on it. Used by billing alone.

One connection, one batch at a time: the quick way is one statement for the whole batch, the exact
way is for what that leaves over. It keeps a mirror of this node's own holds, which nobody else
changes while its epoch lives.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from tollbridge.core.clock import now_ms
from tollbridge.storage import ledger_exact
from tollbridge.storage.ledger_items import Figures, Item, LedgerBroken, Look
from tollbridge.storage.ledger_plan import Own, Plan
from tollbridge.storage.ledger_statement import APPLY
from tollbridge.storage.postgres_errors import DATABASE_TROUBLE

CONNECT_S = 5.0
# The server gives up before we do, so that a statement seldom outlives the connection it came by.
_STATEMENT_S = 12.0
_SERVER = {
    "application_name": "tollbridge-ledger",
    "synchronous_commit": "on",
    "statement_timeout": "10000",
    # A process that is stopped inside a transaction must not keep purses locked.
    "idle_in_transaction_session_timeout": "5000",
    # One plan, by keys: sizes of batches and of tables change all the time.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "jit": "off",
}
_LOOK = "SELECT id, available, held FROM purse WHERE id = ANY($1::bigint[])"
_PREPARATION = (
    "SELECT current_setting('synchronous_commit'), pid, backend_start FROM pg_stat_activity"
    " WHERE pid = pg_backend_pid()"
)
# The number may be somebody else's by now; the moment it began is not.
_END_BACKEND = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2"
)

Answers = list[tuple[Item, Any]]


async def connect(url: str, **settings: str) -> asyncpg.Connection:
    """Open a connection with the settings that money needs; asyncpg's errors and OSError."""
    return await asyncpg.connect(
        url, timeout=CONNECT_S, command_timeout=_STATEMENT_S, server_settings=_SERVER | settings
    )


class PostgresBook:
    """The books of one node. `own` are its open holds by tid."""

    def __init__(
        self,
        url: str,
        node: tuple[int, int],
        incarnation: int,
        *,
        on_over: Callable[[], None] = lambda: None,
    ) -> None:
        """Write for `node` (id, epoch); `on_over` is called when its epoch turns out to be over."""
        self._url = url
        self._on_over = on_over
        self._connection: asyncpg.Connection | None = None
        self._apply: Any = None
        self._backend: tuple[int, datetime] | None = None
        self.node = node
        self.incarnation = incarnation
        self.own: dict[str, Own] = {}
        # Holds of this node's earlier epochs that may still stand: never to be thought new.
        self._earlier: set[str] = set()

    @property
    def connected(self) -> bool:
        """Whether there is a connection that is not known to be dead."""
        return self._connection is not None and not self._connection.is_closed()

    async def connect(self) -> None:
        """Open the connection, anew after trouble; LedgerBroken when it would not be durable.

        A statement of the old connection may still wait for a lock: it is ended first.
        """
        self.drop()
        connection = await connect(self._url)
        try:
            durable, *backend = await connection.fetchrow(_PREPARATION)
            if durable == "off":
                raise LedgerBroken("PostgreSQL has synchronous_commit off")
            if self._backend is not None:
                with contextlib.suppress(asyncpg.PostgresError):
                    await connection.fetchval(_END_BACKEND, *self._backend)
            self._apply = await connection.prepare(APPLY)
        except BaseException:
            connection.terminate()
            raise
        self._connection, self._backend = connection, (backend[0], backend[1])

    def drop(self) -> None:
        """Let go of a connection that is of no more use, at once."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        """Close the connection in order."""
        if self._connection is not None:
            with contextlib.suppress(*DATABASE_TROUBLE):
                await asyncio.wait_for(self._connection.close(), CONNECT_S)
            self.drop()

    def rejoin(self, node: tuple[int, int]) -> None:
        """Go on under a new epoch: the holds of the old one are for others to end."""
        self.node = node
        self._earlier.update(self.own)
        self.own.clear()

    async def quick(self, items: Sequence[Item]) -> tuple[Answers, dict[int, Figures], list[Item]]:
        """Do what one statement can; return answers, purses after it, and what is left to do."""
        answers = await self._look([item for item in items if isinstance(item, Look)])
        plan = Plan([item for item in items if not isinstance(item, Look)], self.own, self._earlier)
        if plan.empty:
            decided, _ = plan.answers((), {})
            return answers + decided, {}, sorted(plan.left, key=items.index)
        row = await self._apply.fetchrow(*plan.arguments(self.node, now_ms()))
        alive, refused, _, ids, available, held = row
        if not alive:
            self._on_over()
            return answers, {}, [item for item in items if not isinstance(item, Look)]
        purses = {
            purse: Figures(*figures)
            for purse, *figures in zip(ids or (), available or (), held or (), strict=True)
        }
        decided, changes = plan.answers(refused, purses)
        self._keep(changes)
        return answers + decided, purses, sorted(plan.left, key=items.index)

    async def exact(self, items: Sequence[Item]) -> tuple[Answers, dict[int, Figures]]:
        """Do items one after the other under locks; all of them or none.

        Raises LedgerBroken when the database was restored from a backup meanwhile.
        """
        assert self._connection is not None
        written = await ledger_exact.write(self._connection, self.node, self.incarnation, items)
        self._keep(written.holds)
        return written.answers, written.purses

    def _keep(self, changes: dict[str, Own | None]) -> None:
        own = self.own
        for tid, hold in changes.items():
            if hold is None:
                own.pop(tid, None)
                self._earlier.discard(tid)
            else:
                own[tid] = hold

    async def _look(self, looks: Sequence[Look]) -> Answers:
        if not looks:
            return []
        assert self._connection is not None
        wanted = sorted({purse for look in looks for purse in look.purses})
        rows = await self._connection.fetch(_LOOK, wanted)
        figures = {row[0]: Figures(row[1], row[2]) for row in rows}
        nothing = Figures(0, 0)
        return [
            (look, {purse: figures.get(purse, nothing) for purse in look.purses}) for look in looks
        ]
