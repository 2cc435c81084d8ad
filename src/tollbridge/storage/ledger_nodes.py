"""Owns the rows by which nodes know each other on PostgreSQL: epochs, beats, and the holds of the dead.

Used by billing alone. An epoch is (node id, number); once dead it never comes back to life.
"""

from typing import cast

import asyncpg

from tollbridge.storage.ledger_batch import OpenHold, owners

Epoch = tuple[int, int]

ORPHANS_AT_ONCE = 256
# Beats are milliseconds since 1970 for who reads the table; others only see that they change.
_NOW_MS = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_ENTER = f"INSERT INTO node (id, name, epoch, beat, dead) VALUES ($1, $2, 1, {_NOW_MS}, false)"
_BEAT = (
    f"UPDATE node SET beat = GREATEST(beat + 1, {_NOW_MS}) WHERE id = $1 AND epoch = $2 AND NOT dead"
    " RETURNING (SELECT incarnation FROM ledger)"
)
_REJOIN = (
    f"INSERT INTO node (id, name, epoch, beat, dead) VALUES ($1, $2, $3, {_NOW_MS}, false)"
    " ON CONFLICT (id) DO UPDATE SET epoch = node.epoch + 1, beat = excluded.beat, dead = false"
    " RETURNING epoch"
)
_OTHERS = "SELECT id, epoch, beat FROM node WHERE NOT dead AND id <> $1"
_LEAVE = "UPDATE node SET dead = true WHERE id = $1 AND epoch = $2"
_INCARNATION = "SELECT incarnation FROM ledger"
_MARK_DEAD = (
    "UPDATE node SET dead = true WHERE id = $1 AND epoch = $2 AND beat = $3 AND NOT dead"
    " RETURNING 1"
)
_ORPHANS = f"""
    SELECT h.tid, h.wallet_id, h.key_purse_id, h.other_purse_id,
           h.amount, h.covered, h.at_ms, h.bill
    FROM hold h WHERE NOT EXISTS (
      SELECT 1 FROM node n WHERE n.id = h.node_id AND n.epoch = h.epoch AND NOT n.dead
    ) ORDER BY h.tid LIMIT {ORPHANS_AT_ONCE}
"""


async def incarnation(connection: asyncpg.Connection) -> int:
    """Return which life of the database this is: a restored backup begins a new one."""
    return int(await connection.fetchval(_INCARNATION))


async def enter(connection: asyncpg.Connection, node_id: int, name: str) -> None:
    """Enter a new node with epoch 1."""
    await connection.execute(_ENTER, node_id, name)


async def beat(connection: asyncpg.Connection, epoch: Epoch) -> int | None:
    """Show that an epoch lives; return the incarnation, None when the epoch is over."""
    return cast("int | None", await connection.fetchval(_BEAT, *epoch))


async def rejoin(connection: asyncpg.Connection, epoch: Epoch, name: str) -> Epoch:
    """Begin a new epoch of a node whose epoch is over; return it."""
    node_id, number = epoch
    return node_id, int(await connection.fetchval(_REJOIN, node_id, name, number + 1))


async def others(connection: asyncpg.Connection, node_id: int) -> list[tuple[int, int, int]]:
    """Return (id, epoch, beat) of every other node that is not known to be dead."""
    return [tuple(row) for row in await connection.fetch(_OTHERS, node_id)]


async def mark_dead(connection: asyncpg.Connection, epoch: Epoch, last_beat: int) -> bool:
    """Declare an epoch dead unless it has beaten since; return whether it was us who did.

    Its running statement, which holds its row, is waited for: none can follow it.
    """
    return await connection.fetchval(_MARK_DEAD, *epoch, last_beat) is not None


async def leave(connection: asyncpg.Connection, epoch: Epoch) -> None:
    """End our own epoch: whatever it still holds is for the others to post."""
    await connection.execute(_LEAVE, *epoch)


async def orphans(connection: asyncpg.Connection) -> list[OpenHold]:
    """Return holds of epochs that are over, ORPHANS_AT_ONCE at most."""
    found = []
    for row in await connection.fetch(_ORPHANS):
        tid, *purses, amount, covered, at_ms, bill = tuple(row)
        found.append(OpenHold(tid, owners(purses), amount, covered, at_ms, bill))
    return found
