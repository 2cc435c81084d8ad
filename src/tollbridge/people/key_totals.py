"""Owns what a user's keys did lately: calls and spending from the roll-ups, last use from the index.

Two queries for all keys, however many calls there were. Must not know how they are shown.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.clock import tid_ms
from tollbridge.storage.query_tables import call_index
from tollbridge.storage.rollup_cover import read_kept
from tollbridge.storage.rollup_marks import DAY
from tollbridge.storage.rollup_reads import read_charges
from tollbridge.storage.tables import api_keys

DAYS: Final = 30
"""Over so many days of UTC, today among them, totals are made."""

_DAY_MS = DAY * 1000


@dataclass(frozen=True, slots=True)
class KeyTotals:
    """Calls and net charge (nano-dollars) of the last DAYS days; `last_ms` is None before any call."""

    calls: int = 0
    charge: int = 0
    last_ms: int | None = None


async def read_totals(
    connection: AsyncConnection, user_id: int, at_ms: int, key_id: int | None = None
) -> dict[int, KeyTotals]:
    """Return the totals of each key of a user, or of one of them, by its id; not of deleted ones."""
    kept = await read_kept(connection, at_ms)
    until_ms = at_ms // _DAY_MS * _DAY_MS + _DAY_MS
    pieces = kept.pieces(until_ms - DAYS * _DAY_MS, until_ms)
    whose: dict[str, int | str] = {"user_id": user_id}
    if key_id is not None:
        whose["key_id"] = key_id
    charges = await read_charges(connection, [(0, one) for one in pieces], ("key_id",), whose)
    sums = {group[0]: (calls, charge) for _, group, calls, charge in charges}
    last = await _last_calls(connection, user_id, key_id)
    return {
        one: KeyTotals(*sums.get(one, (0, 0)), tid_ms(tid) if tid else None)
        for one, tid in last.items()
    }


async def last_call(connection: AsyncConnection, key_id: int) -> str | None:
    """Return the tid of the last call of a key that is in the index, which is a second behind."""
    calls = call_index.c
    query = select(calls.tid).where(calls.key_id == key_id).order_by(calls.tid.desc()).limit(1)
    tid: str | None = (await connection.execute(query)).scalar_one_or_none()
    return tid


async def _last_calls(
    connection: AsyncConnection, user_id: int, key_id: int | None
) -> dict[int, str | None]:
    calls = call_index.c
    last = (
        select(calls.tid)
        .where(calls.key_id == api_keys.c.id)
        .order_by(calls.tid.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = select(api_keys.c.id, last)
    query = query.where(api_keys.c.user_id == user_id, api_keys.c.deleted_ms.is_(None))
    if key_id is not None:
        query = query.where(api_keys.c.id == key_id)
    return {row[0]: row[1] for row in await connection.execute(query)}
