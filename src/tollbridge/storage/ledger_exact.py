"""Owns the slow and exact way of writing money on PostgreSQL: locks first, then item after item.

One transaction: the epoch, the purses by id, the holds; what is decided there is `Batch`, the same
as on SQLite. For what one statement cannot decide: refusals, costs above a hold, late settles,
items whose first answer was lost, and the holds of the dead (money.md, "Engines").
"""

from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg

from tollbridge.core.clock import now_ms
from tollbridge.storage.ledger_batch import Batch, Billed, OpenHold, owners, reclaimed
from tollbridge.storage.ledger_items import (
    TID,
    USAGE_COLUMNS,
    Figures,
    Hold,
    HoldResult,
    Item,
    LedgerBroken,
    Look,
    Record,
    Return,
    Settle,
    Update,
)
from tollbridge.storage.ledger_plan import Own

_GONE = HoldResult(ok=False, short=None)
_EPOCH = "SELECT 1 FROM node WHERE id = $1 AND epoch = $2 AND NOT dead FOR SHARE"
_INCARNATION = "SELECT incarnation FROM ledger"
_PURSES_OF = (
    "SELECT wallet_id, key_purse_id, other_purse_id FROM hold WHERE tid = ANY($1::bpchar[])"
)
_LOCK_PURSES = (
    "SELECT id, available, held FROM purse WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE"
)
_LOCK_HOLDS = (
    "SELECT tid, wallet_id, key_purse_id, other_purse_id, amount, covered, at_ms, bill,"
    " node_id, epoch FROM hold WHERE tid = ANY($1::bpchar[]) ORDER BY tid FOR UPDATE"
)
_BILLED = "SELECT tid, charge, loss, end_state, flags, reversed FROM usage WHERE tid = ANY($1::bpchar[]) FOR UPDATE"
_INSERT_HOLD = (
    "INSERT INTO hold (tid, wallet_id, key_purse_id, other_purse_id, amount, covered, node_id,"
    " epoch, at_ms, bill) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
)
_UPDATE_HOLD = "UPDATE hold SET amount = $1, covered = $2, bill = $3 WHERE tid = $4"
_DELETE_HOLDS = "DELETE FROM hold WHERE tid = ANY($1::bpchar[])"
_DELETE_USAGE = "DELETE FROM usage WHERE tid = ANY($1::bpchar[])"
_INSERT_USAGE = (
    f"INSERT INTO usage ({', '.join(USAGE_COLUMNS)})"
    f" VALUES ({', '.join(f'${at + 1}' for at in range(len(USAGE_COLUMNS)))})"
)
_RETURN_USAGE = (
    "UPDATE usage SET charge = reversed, loss = 0, status = 503, error_kind = 'database_down',"
    " end_state = 'withheld' WHERE tid = ANY($1::bpchar[])"
)
_FEED = "INSERT INTO usage_feed (tid) SELECT unnest($1::text[])"
_INSERT_LINE = (
    "INSERT INTO journal (id, at_ms, debit, credit, amount, kind, ref)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7)"
)
_UPDATE_PURSE = "UPDATE purse SET available = $1, held = $2 WHERE id = $3"


class Written:
    """What one exact transaction came to: answers, purses after it, and holds made or ended."""

    __slots__ = ("answers", "holds", "purses")

    def __init__(self) -> None:
        self.answers: list[tuple[Item, Any]] = []
        self.purses: dict[int, Figures] = {}
        self.holds: dict[str, Own | None] = {}


async def write(
    connection: asyncpg.Connection,
    node: tuple[int, int],
    incarnation: int,
    items: Sequence[Item],
) -> Written:
    """Do all items in one transaction for the node (id, epoch).

    Raises LedgerBroken when the database is another than the node began with; asyncpg's errors
    otherwise, and then nothing was done unless the connection was lost.
    """
    async with connection.transaction():
        if await connection.fetchval(_INCARNATION) != incarnation:
            raise LedgerBroken("the database was restored from a backup")
        alive = await connection.fetchval(_EPOCH, *node) is not None
        found = await _Found.read(connection, items)
        refused = [item for item in items if _out_of_time(item, found, node, alive=alive)]
        decided = await _decide(
            connection, node, found, [one for one in items if one not in refused]
        )
    decided.answers += [(item, _GONE) for item in refused]
    return decided


async def reap(connection: asyncpg.Connection, settles: Sequence[Settle]) -> Written:
    """Post the holds of dead epochs; a hold that is gone by now was somebody else's to end."""
    async with connection.transaction():
        found = await _Found.read(connection, settles)
        standing = [settle for settle in settles if settle.tid in found.holds]
        return await _decide(connection, (0, 0), found, standing)


class _Found:
    """What stands in the books of a batch, locked."""

    def __init__(self) -> None:
        self.purses: dict[int, Figures] = {}
        self.holds: dict[str, OpenHold] = {}
        self.epochs: dict[str, tuple[int, int]] = {}
        self.billed: dict[str, Billed] = {}

    @classmethod
    async def read(cls, connection: asyncpg.Connection, items: Iterable[Item]) -> "_Found":
        found = cls()
        tids, purses = _named(items)
        for row in await connection.fetch(_PURSES_OF, tids):
            purses.update(purse for purse in row if purse is not None)
        for row in await connection.fetch(_LOCK_PURSES, sorted(purses)):
            found.purses[row[0]] = Figures(row[1], row[2])
        for row in await connection.fetch(_LOCK_HOLDS, tids):
            tid, *three, amount, covered, at_ms, bill, node_id, epoch = row
            found.holds[tid] = OpenHold(tid, owners(three), amount, covered, at_ms, bill)
            found.epochs[tid] = (node_id, epoch)
        for tid, charge, loss, state, flags, back in await connection.fetch(_BILLED, tids):
            found.billed[tid] = Billed(charge, loss, reclaimed(state, flags), back)
        return found

    def figures(self, purse: int) -> Figures:
        # A purse that is not there has no money; nothing can be held in it.
        return self.purses.get(purse) or Figures(0, 0)


def _named(items: Iterable[Item]) -> tuple[list[str], set[int]]:
    tids: set[str] = set()
    purses: set[int] = set()
    for item in items:
        if isinstance(item, Hold | Settle | Return | Look):
            purses.update(item.purses)
        if isinstance(item, Hold | Update | Settle | Return):
            tids.add(item.tid)
        elif isinstance(item, Record):
            tids.add(item.row[TID])
    return sorted(tids), purses


def _out_of_time(item: Item, found: _Found, node: tuple[int, int], *, alive: bool) -> bool:
    """Say whether an item asks for more in the name of an epoch that is over.

    A hold that stands under an earlier epoch is about to be reaped: nobody may rely on it.
    """
    if isinstance(item, Hold | Update):
        return not alive or found.epochs.get(item.tid, node) != node
    return False


async def _decide(
    connection: asyncpg.Connection,
    node: tuple[int, int],
    found: _Found,
    items: Sequence[Item],
) -> Written:
    batch = Batch(found.figures, found.holds, found.billed.get)
    written = Written()
    for item in items:
        if isinstance(item, Record) and item.resent and item.row[TID] in found.billed:
            written.answers.append((item, None))
        else:
            written.answers.append((item, batch.take(item)))
    await _write(connection, node, batch)
    written.purses = batch.purses
    # One that stands already may be of a wish whose first answer was lost.
    standing = [hold for tid, hold in found.holds.items() if found.epochs[tid] == node]
    for hold in (*standing, *batch.made.values(), *batch.changed.values()):
        written.holds[hold.tid] = Own(hold.purses, hold.amount, hold.at_ms)
    # Whatever a settle found: no hold of its call stands after it. One whose first answer was lost
    # finds the hold gone already, and the mirror has to learn of it here.
    written.holds.update({item.tid: None for item in items if isinstance(item, Settle)})
    return written


async def _write(connection: asyncpg.Connection, node: tuple[int, int], batch: Batch) -> None:
    many, run = connection.executemany, connection.execute
    stamp = now_ms()
    if batch.made:
        await many(_INSERT_HOLD, [hold.row(node) for hold in batch.made.values()])
    if batch.changed:
        await many(_UPDATE_HOLD, [hold.changes() for hold in batch.changed.values()])
    if batch.ended:
        await run(_DELETE_HOLDS, batch.ended)
    if batch.amended:
        await run(_DELETE_USAGE, [row[TID] for row in batch.amended])
    if rows := batch.usage + batch.amended:
        await many(_INSERT_USAGE, rows)
    if batch.journal:
        await many(_INSERT_LINE, [line.row(stamp) for line in batch.journal])
    if batch.returned:
        await run(_RETURN_USAGE, batch.returned)
    if fed := [*(row[TID] for row in rows), *batch.returned]:
        await run(_FEED, fed)
    if batch.purses:
        await many(
            _UPDATE_PURSE,
            [(now.available, now.held, purse) for purse, now in sorted(batch.purses.items())],
        )
