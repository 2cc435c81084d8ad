"""Owns what the tests of the ledger's loop side share: gauges that note, a node on a real file."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

from tollbridge.billing.node import SqliteNode
from tollbridge.core.settings import Settings

PATIENCE_S = 30


class Gauges:
    """Notes what the ledger reports."""

    def __init__(self):
        self.refused = 0
        self.losses = []
        self.late = 0
        self.posted = 0
        self.lags = []
        self.batches = []

    def hold_refused(self):
        """Count a refusal."""
        self.refused += 1

    def operator_loss(self, nano):
        """Note a loss."""
        self.losses.append(nano)

    def late_settle(self):
        """Count a late settle."""
        self.late += 1

    def reclaimed(self, calls):
        """Count calls of the dead."""
        self.posted += calls

    def settled(self, seconds):
        """Note a lag."""
        self.lags.append(seconds)

    def committed(self, batch, seconds):
        """Note a batch."""
        self.batches.append(batch)


def settings_of(path: Path, **values) -> Settings:
    """Return settings for a file, with next to no demands on the disk."""
    given = {
        "database": f"sqlite:///{path}",
        "min_free_disk_bytes": 0,
        "reserve_file_bytes": 4096,
        **values,
    }
    return Settings(**given)


class Running:
    """A started node; `ledger` is its door."""

    def __init__(self, path, connection_class=sqlite3.Connection, **values):
        self.gauges = Gauges()
        self.reasons = []
        self.node = SqliteNode(path, settings_of(path, **values))
        self.ledger = self.node.start(
            self.gauges, self.reasons.append, connection_class=connection_class
        )
        self.connection = self.node.book._connection


@contextlib.asynccontextmanager
async def running(path, connection_class=sqlite3.Connection, **values):
    """Yield a node that is stopped at the end."""
    node = Running(path, connection_class, **values)
    try:
        yield node
    finally:
        node.ledger.stop()
        assert await node.node.stop(PATIENCE_S)


@contextlib.contextmanager
def locked(path):
    """Keep every other writer out of a file."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


async def until(condition):
    """Wait for a condition; fails when it does not come."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def soon(future):
    """Await a future, with patience for a busy machine."""
    return await asyncio.wait_for(future, PATIENCE_S)
