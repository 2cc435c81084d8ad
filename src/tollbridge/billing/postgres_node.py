"""Owns the life of one process's books on PostgreSQL: its epoch, its beat, its writer, its end.

A node that stalled and was declared dead goes on under a new epoch; a database that was restored
from a backup ends the process (money.md, "Death and time" and "Engines").
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable

import asyncpg

from tollbridge.billing.census import Census
from tollbridge.billing.ledger import Gauges, Ledger
from tollbridge.billing.reclaimer import reclaim_orphans
from tollbridge.core.clock import new_id
from tollbridge.core.settings import Settings
from tollbridge.core.telemetry import get_logger
from tollbridge.notify.kinds import Kind
from tollbridge.storage import ledger_nodes
from tollbridge.storage.ledger_postgres import PostgresBook, connect
from tollbridge.storage.postgres_commit import PostgresCommit
from tollbridge.storage.postgres_errors import DATABASE_TROUBLE

_log = get_logger(__name__)
_LEAVE_S = 5.0
_AGAIN_S = 0.5


class PostgresNode:
    """One node. `open` it inside the loop, `stop` it at the end."""

    def __init__(
        self, url: str, settings: Settings, alarm: Callable[[Kind, str, str], None]
    ) -> None:
        """Keep books at `url`; `alarm` tells operators of a kind of trouble, whose and what."""
        self._url = url
        self._alarm = alarm
        self._settings = settings
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._census = Census(settings.node_dead_s, settings.node_beat_s)
        self._over = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._life: asyncio.Task[None] | None = None
        self._incarnation = 0
        self._gauges: Gauges
        self._on_broken: Callable[[str], None]
        self._writer: PostgresCommit
        self.book: PostgresBook
        self.ledger: Ledger

    def claim(self) -> None:
        """Any number of processes may serve from PostgreSQL."""

    async def open(self, gauges: Gauges, on_broken: Callable[[str], None]) -> Ledger:
        """Enter the database under a new epoch and begin to write and to beat.

        Raises asyncpg's errors and OSError when the database cannot be used, LedgerBroken when it
        would not be durable.
        """
        self._gauges, self._on_broken = gauges, on_broken
        connection = await self._connected()
        self._incarnation = await ledger_nodes.incarnation(connection)
        node = (new_id(), 1)
        self.book = PostgresBook(self._url, node, self._incarnation, on_over=self._over.set)
        await self.book.connect()
        await ledger_nodes.enter(connection, node[0], self._name)
        self.ledger = Ledger(
            gauges,
            deadline_s=self._settings.writer_deadline_s,
            grace_s=self._settings.settle_grace_s,
            on_broken=on_broken,
            admits=lambda: True,
        )
        self._writer = PostgresCommit(self.book, self.ledger)
        self._writer.start()
        self.ledger.start(self._writer)
        self._life = asyncio.create_task(self._live(), name="node life")
        self._life.add_done_callback(self._ended)
        return self.ledger

    @property
    def node_id(self) -> int:
        """The row of `node` that this process entered; it keeps it over epochs."""
        return self.book.node[0]

    @property
    def epoch(self) -> int:
        """The epoch that this node writes under."""
        return self.book.node[1]

    @property
    def queued(self) -> int:
        """How many writes wait for a commit (for the gauge)."""
        return self._writer.queued

    @property
    def open_holds(self) -> int:
        """How many holds of this node stand (for the gauge)."""
        return len(self.book.own)

    def oldest_hold_ms(self) -> int | None:
        """When the oldest of them was made; None when there is none."""
        return min((own.at_ms for own in self.book.own.values()), default=None)

    async def stop(self, timeout_s: float) -> bool:
        """Write what is queued and leave; return whether all of it was in time.

        What was not is reclaimed by the others, at once: this epoch is over.
        """
        self.ledger.stop()
        in_time = await self._writer.stop(timeout_s)
        if self._life is not None:
            self._life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._life
        with contextlib.suppress(*DATABASE_TROUBLE):
            async with asyncio.timeout(_LEAVE_S):
                connection = await self._connected()
                await ledger_nodes.leave(connection, self.book.node)
                await connection.close()
        self._drop()
        return in_time

    async def _live(self) -> None:
        """Beat, look after the others, and notice what happened to ourselves."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.node_beat_s):
                    await self._over.wait()
            self._over.clear()
            try:
                await self._beat()
            except DATABASE_TROUBLE as error:
                # The writer tells of an outage; here the next beat tries again.
                _log.debug("beat failed", fault=type(error).__name__)
                self._drop()
                # An epoch that is over calls again at once.
                await asyncio.sleep(min(_AGAIN_S, self._settings.node_beat_s))

    def _ended(self, life: asyncio.Task[None]) -> None:
        """A node that neither beats nor rejoins would refuse every call for ever."""
        if not life.cancelled() and (error := life.exception()) is not None:
            self._on_broken(f"the node's life ended by {type(error).__name__}")

    async def _beat(self) -> None:
        connection = await self._connected()
        incarnation = await ledger_nodes.beat(connection, self.book.node)
        if incarnation is None:
            incarnation = await ledger_nodes.incarnation(connection)
            if incarnation == self._incarnation:
                await self._rejoin(connection)
        if incarnation != self._incarnation:
            self._on_broken("the database was restored from a backup")
            return
        others = await ledger_nodes.others(connection, self.book.node[0])
        for epoch, beat in self._census.look(others, time.monotonic()):
            if await ledger_nodes.mark_dead(connection, epoch, beat):
                _log.warning("a node is dead", node=epoch[0], epoch=epoch[1])
                self._alarm(Kind.NODE_DEAD, str(epoch[0]), f"silent in epoch {epoch[1]}")
        if reclaimed := await reclaim_orphans(connection):
            self._gauges.reclaimed(reclaimed)
            _log.warning("posted the calls of a dead process", calls=reclaimed)

    async def _rejoin(self, connection: asyncpg.Connection) -> None:
        epoch = await ledger_nodes.rejoin(connection, self.book.node, self._name)
        _log.warning("declared dead while stalled, going on", node=epoch[0], epoch=epoch[1])
        self.book.rejoin(epoch)

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._url, application_name="tollbridge-node")
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
