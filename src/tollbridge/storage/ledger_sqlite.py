"""Owns the money statements on SQLite: one transaction a batch of items. Used by billing alone.

Runs in the writer's thread on one plain connection; the process is the only one that makes or
ends holds (a lock file sees to that), others only change purses by relative amounts. So open
holds are mirrored here and purses are cached until `PRAGMA data_version` says somebody wrote.
The arithmetic is `Batch`; this file turns what a batch decided into statements.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tollbridge.core.clock import now_ms
from tollbridge.storage.ledger_batch import Batch, Billed, OpenHold, owners, reclaimed
from tollbridge.storage.ledger_items import (
    TID,
    USAGE_COLUMNS,
    Figures,
    Item,
    LedgerBroken,
    Look,
)

_CACHED_PURSES_MAX = 50_000
_INSERT_HOLD = (
    "INSERT INTO hold (tid, wallet_id, key_purse_id, other_purse_id, amount, covered, node_id,"
    " epoch, at_ms, bill) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_UPDATE_HOLD = "UPDATE hold SET amount = ?, covered = ?, bill = ? WHERE tid = ?"
_DELETE_HOLD = "DELETE FROM hold WHERE tid = ?"
_UPDATE_PURSE = "UPDATE purse SET available = ?, held = ? WHERE id = ?"
_INSERT_USAGE = (
    f"INSERT INTO usage ({', '.join(USAGE_COLUMNS)}) VALUES ({', '.join('?' * len(USAGE_COLUMNS))})"
)
_DELETE_USAGE = "DELETE FROM usage WHERE tid = ?"
_FEED = "INSERT INTO usage_feed (tid) VALUES (?)"
_INSERT_JOURNAL = (
    "INSERT INTO journal (id, at_ms, debit, credit, amount, currency, kind, ref)"
    " VALUES (?, ?, ?, ?, ?, 'USD', ?, ?)"
)
_RETURN_USAGE = (
    "UPDATE usage SET charge = reversed, loss = 0, status = 503, error_kind = 'database_down',"
    " end_state = 'withheld' WHERE tid = ?"
)


def connect(path: Path, connection_class: type[sqlite3.Connection]) -> sqlite3.Connection:
    """Open the money connection: WAL, and an fsync for every commit, read back to be sure.

    Raises LedgerBroken when the database does not take the settings.
    """
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, factory=connection_class, timeout=5.0
    )
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    connection.execute("PRAGMA synchronous = FULL")
    level = connection.execute("PRAGMA synchronous").fetchone()[0]
    if mode != "wal" or level != 2:  # 2 is FULL
        raise LedgerBroken(f"SQLite refused WAL with synchronous FULL (has {mode}, {level})")
    connection.execute("PRAGMA wal_autocheckpoint = 2000")
    return connection


class SqliteBook:
    """The books of one node in one SQLite file."""

    def __init__(
        self,
        path: Path,
        node_id: int,
        *,
        connection_class: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> None:
        self._connection = connect(path, connection_class)
        self._node = (node_id, 0)
        self._purses: dict[int, Figures] = {}
        self._open: dict[str, OpenHold] = {}
        self._data_version = -1

    @property
    def epoch(self) -> int:
        """The epoch that this process writes under."""
        return self._node[1]

    @property
    def open_holds(self) -> int:
        """How many holds stand (for the gauge)."""
        return len(self._open)

    def oldest_hold_ms(self) -> int | None:
        """When the oldest open hold was made; None when there is none."""
        return min((hold.at_ms for hold in list(self._open.values())), default=None)

    def apply(self, items: Sequence[Item]) -> tuple[list[Any], dict[int, Figures]]:
        """Do all items in one durable transaction; return their results and the purses touched.

        Raises sqlite3.Error (nothing was done) or LedgerBroken (unknown whether it was done).
        """
        try:
            if all(type(item) is Look for item in items):
                results, batch = self._decide(items)
            else:
                self._connection.execute("BEGIN IMMEDIATE")
                results, batch = self._decide(items)
                self._write(batch)
                self._connection.execute("COMMIT")
        except BaseException as error:
            self._purses.clear()
            if _leaves_doubt(error):
                raise LedgerBroken("the disk failed under the books") from error
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self._keep(batch)
        return results, batch.purses

    def _decide(self, items: Sequence[Item]) -> tuple[list[Any], Batch]:
        self._refresh()
        batch = self._batch()
        return [batch.take(item) for item in items], batch

    def _batch(self) -> Batch:
        return Batch(self._purse, self._open, self._billed)

    def close(self) -> None:
        """Close the connection; the file is complete without any further step."""
        self._connection.close()

    def adopt(self) -> list[OpenHold]:
        """Take over every hold that stands in the file, whoever made it, and return them.

        For the start of a node: what stands then belongs to a process that is gone.
        """
        rows = self._connection.execute(
            "SELECT tid, wallet_id, key_purse_id, other_purse_id, amount, covered, at_ms, bill"
            " FROM hold"
        )
        for tid, *three, amount, covered, at_ms, bill in rows:
            self._open[tid] = OpenHold(tid, owners(three), amount, covered, at_ms, bill)
        return list(self._open.values())

    def begin_epoch(self, name: str) -> int:
        """Enter this node under `name` with a new epoch and return the epoch."""
        node_id = self._node[0]
        self._connection.execute(
            "INSERT INTO node (id, name, epoch, beat, dead) VALUES (?, ?, 1, ?, 0)"
            " ON CONFLICT (id) DO UPDATE SET epoch = epoch + 1, beat = excluded.beat, dead = 0",
            (node_id, name, now_ms()),
        )
        row = self._connection.execute("SELECT epoch FROM node WHERE id = ?", (node_id,)).fetchone()
        self._node = (node_id, row[0])
        return int(row[0])

    def _refresh(self) -> None:
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._data_version or len(self._purses) > _CACHED_PURSES_MAX:
            self._purses.clear()
            self._data_version = version

    def _purse(self, purse_id: int) -> Figures:
        figures = self._purses.get(purse_id)
        if figures is None:
            row = self._connection.execute(
                "SELECT available, held FROM purse WHERE id = ?", (purse_id,)
            ).fetchone()
            # A purse that is not there has no money; nothing can be held in it.
            figures = Figures(*row) if row else Figures(0, 0)
            self._purses[purse_id] = figures
        return figures

    def _billed(self, tid: str) -> Billed | None:
        row = self._connection.execute(
            "SELECT charge, loss, end_state, flags, reversed FROM usage WHERE tid = ?", (tid,)
        ).fetchone()
        return Billed(row[0], row[1], reclaimed(row[2], row[3]), row[4]) if row else None

    def _write(self, batch: Batch) -> None:
        many = self._connection.executemany
        stamp = now_ms()
        if batch.made:
            many(_INSERT_HOLD, [hold.row(self._node) for hold in batch.made.values()])
        if batch.changed:
            many(_UPDATE_HOLD, [hold.changes() for hold in batch.changed.values()])
        if batch.ended:
            deleted = many(_DELETE_HOLD, [(tid,) for tid in batch.ended]).rowcount
            if deleted != len(batch.ended):
                raise LedgerBroken("a hold of this node has gone from the books")
        if batch.amended:
            many(_DELETE_USAGE, [(row[TID],) for row in batch.amended])
        if rows := batch.usage + batch.amended:
            many(_INSERT_USAGE, rows)
            many(_FEED, [(row[TID],) for row in rows])
        if batch.journal:
            many(_INSERT_JOURNAL, [line.row(stamp) for line in batch.journal])
        if batch.returned:
            many(_RETURN_USAGE, [(tid,) for tid in batch.returned])
            many(_FEED, [(tid,) for tid in batch.returned])
        if batch.purses:
            many(
                _UPDATE_PURSE,
                [(now.available, now.held, purse) for purse, now in batch.purses.items()],
            )

    def _keep(self, batch: Batch) -> None:
        """Take over what is now durable into the mirror."""
        self._purses.update(batch.purses)
        self._open.update(batch.made)
        self._open.update(batch.changed)
        for tid in batch.ended:
            del self._open[tid]


def _leaves_doubt(error: BaseException) -> bool:
    """After an I/O error or with a corrupt file nobody knows what is on the disk."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in (
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
    )
