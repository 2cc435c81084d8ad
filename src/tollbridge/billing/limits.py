"""Owns the purse behind a key's spending limit: what the key may still spend.

A limit is not money: it has no journal. Running calls hold and spend from the purse, so a changed
limit is a relative change under the row's lock.
"""

from typing import Any

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.clock import new_id
from tollbridge.storage.ledger_tables import purse
from tollbridge.storage.user_alerts import LIMIT_KINDS, forget_marks


async def open_limit(connection: AsyncConnection, key_id: int, limit: int) -> int:
    """Create the limit purse of a key with `limit` nano-dollars to spend; return its id."""
    purse_id = new_id()
    await connection.execute(
        insert(purse).values(
            id=purse_id, kind="key_limit", owner_id=key_id, period_start=0, available=limit, held=0
        )
    )
    return purse_id


async def move_limit(connection: AsyncConnection, purse_id: int, by: int) -> int:
    """Change what is left of a limit by `by` nano-dollars; return what could not be taken.

    What calls hold stays, so a lowered limit stops there; the caller keeps what was not taken and
    gives it back first when the limit rises again.
    """
    available, held = await _locked(connection, purse_id)
    moved = max(by, held - available)
    await connection.execute(
        update(purse).where(purse.c.id == purse_id).values(available=purse.c.available + moved)
    )
    return moved - by


async def restart_limit(connection: AsyncConnection, purse_id: int, limit: int) -> int:
    """Let a limit that was off begin afresh; return what of it running calls exceed."""
    available, _ = await _locked(connection, purse_id)
    return await move_limit(connection, purse_id, limit - available)


async def limit_changes(
    connection: AsyncConnection, key: RowMapping, limit: int | None
) -> dict[str, Any]:
    """Move a key's purse to another limit, None is none; return the key's columns that follow.

    What was spent of a limit counts in the next one, unless there was none in between. The caller
    keeps others from changing the key's row meanwhile.
    """
    if limit == key["limit_nano"]:
        return {}
    # A limit begins anew when it is raised or was away, and so does what is told of it.
    if limit is None or limit > (key["limit_nano"] or 0):
        await forget_marks(connection, key["user_id"], key["id"], LIMIT_KINDS)
    if limit is None:
        return {"limit_nano": None, "limit_excess_nano": 0}
    purse_id = key["limit_purse_id"]
    if purse_id is None:
        purse_id = await open_limit(connection, key["id"], limit)
        return {"limit_nano": limit, "limit_purse_id": purse_id}
    if key["limit_nano"] is None:
        excess = await restart_limit(connection, purse_id, limit)
    else:
        by = limit - key["limit_nano"] - key["limit_excess_nano"]
        excess = await move_limit(connection, purse_id, by)
    return {"limit_nano": limit, "limit_excess_nano": excess}


async def _locked(connection: AsyncConnection, purse_id: int) -> tuple[int, int]:
    """Read a purse and keep others from changing it until the transaction ends."""
    query = select(purse.c.available, purse.c.held).where(purse.c.id == purse_id).with_for_update()
    row = (await connection.execute(query)).one()
    return row.available, row.held
