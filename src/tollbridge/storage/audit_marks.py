"""Owns how far the books were proved, and what each ledger account came to there.

One row of `audit_mark` says where the closed region ends, `audit_sum` what its journal lines come
to. Both are only a shortcut: without them the next proof looks at everything and makes them anew.
Must not know what is proved.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.core.clock import first_id, id_ms, new_id
from tollbridge.storage.ledger_tables import hold, journal
from tollbridge.storage.query_tables import audit_mark, audit_sum
from tollbridge.storage.unit_of_work import working
from tollbridge.storage.upsert import upsert

MARGIN_MS = 3_600_000
"""How old a row must be before it may be closed (docs/decisions/0018-audit.md)."""

_NAME = "books"
# SQLite has one writer, and calls are waiting for it: a chunk takes it for some milliseconds.
_AT_ONCE = 5_000
_TID_TAIL = "0" * 20


class Marks(msgspec.Struct, frozen=True):
    """The closed region: journal lines before `line` and calls before `tid`, all before `since_ms`.

    Proved last at `at_ms`, and in full, so without trust in earlier marks, at `full_ms`.
    """

    line: int
    tid: str
    since_ms: int
    at_ms: int
    full_ms: int


class Kept(NamedTuple):
    """What is stored: the marks, None while there are none, their spelling, and the sums."""

    marks: Marks | None
    stored: str | None
    sums: Mapping[str, int]


async def read_marks(connection: AsyncConnection) -> Kept:
    """Return what earlier proofs left, to be read in the transaction that proves further."""
    query = select(audit_mark.c.value).where(audit_mark.c.name == _NAME)
    stored = (await connection.execute(query)).scalar_one_or_none()
    rows = await connection.execute(select(audit_sum.c.account, audit_sum.c.total))
    return Kept(_decode(stored), stored, dict(rows.all()))


def _decode(stored: str | None) -> Marks | None:
    """Read marks; what is no marks (a change of them that was cut off, say) counts as none."""
    try:
        return msgspec.json.decode(stored or "", type=Marks)
    except msgspec.DecodeError:
        return None


async def next_marks(
    connection: AsyncConnection, at_ms: int, margin_ms: int, before: Marks | None
) -> Marks:
    """Return what may be closed at `at_ms` once it is proved; `before` None makes a full proof.

    Nothing older than the margin is still being written, except the call of an open hold.
    """
    newest = (await connection.execute(select(func.max(journal.c.id)))).scalar_one()
    holds = select(func.min(hold.c.tid), func.min(hold.c.at_ms))
    oldest_tid, oldest_ms = (await connection.execute(holds)).one()
    # A clock of ours that is ahead of the writers' must not close what they are yet to write.
    open_ms = max(min(at_ms, at_ms if newest is None else id_ms(newest)) - margin_ms, 0)
    line, tid = first_id(open_ms), f"{open_ms:012x}{_TID_TAIL}"
    return Marks(
        line if before is None else max(line, before.line),
        tid if oldest_tid is None else min(tid, oldest_tid),
        open_ms if oldest_ms is None else min(open_ms, oldest_ms),
        at_ms,
        at_ms if before is None else before.full_ms,
    )


async def keep_marks(
    engine: AsyncEngine,
    kept: Kept,
    marks: Marks,
    sums: Mapping[str, int],
    *,
    at_once: int = _AT_ONCE,
) -> bool:
    """Replace what is stored, unless somebody else did so since `kept` was read; tell if it was done.

    In short transactions of `at_once` sums. Between the first and the last of them there are no marks, so whoever
    reads then, or finds what a killed process left, proves everything.
    """
    changes: list[tuple[str, int | None]] = [
        (account, total) for account, total in sums.items() if kept.sums.get(account) != total
    ]
    changes += [(account, None) for account in kept.sums if account not in sums]
    starts = range(0, max(len(changes), 1), at_once)
    expected, moving = kept.stored, f"moving {new_id()}"
    for at in starts:
        value = msgspec.json.encode(marks).decode() if at == starts[-1] else moving
        async with working(engine) as connection:
            if not await _swap(connection, expected, value):
                return False
            await _write(connection, changes[at : at + at_once])
        expected = value
    return True


async def _swap(connection: AsyncConnection, expected: str | None, value: str) -> bool:
    if expected is None:
        line = upsert(connection, audit_mark).values(name=_NAME, value=value)
        done = await connection.execute(line.on_conflict_do_nothing(index_elements=["name"]))
    else:
        done = await connection.execute(
            update(audit_mark)
            .where(audit_mark.c.name == _NAME, audit_mark.c.value == expected)
            .values(value=value)
        )
    return bool(done.rowcount)


async def _write(connection: AsyncConnection, changes: list[tuple[str, int | None]]) -> None:
    gone = [{"gone": account} for account, total in changes if total is None]
    totals = [{"account": name, "total": total} for name, total in changes if total is not None]
    if gone:
        await connection.execute(
            delete(audit_sum).where(audit_sum.c.account == bindparam("gone")), gone
        )
    if totals:
        line = upsert(connection, audit_sum)
        await connection.execute(
            line.on_conflict_do_update(
                index_elements=["account"], set_={"total": line.excluded.total}
            ),
            totals,
        )
