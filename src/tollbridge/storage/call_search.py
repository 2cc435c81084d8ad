"""Owns the search for calls in `call_index`, newest first, and the reading of their usage rows.

Every search is a walk of one index that ends after SPAN rows at the latest, however rare what is
looked for: it says then where to go on. Must not know who asks, nor what is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.query_tables import call_index
from tollbridge.storage.tables import accounts

SPAN = 10_000
"""A search looks at no more rows than these."""

_RANDOM_HEX = 20
# By what an index begins: the first of these that is wanted leads the walk.
_LEADS = (("key_id",), ("user_id", "model"), ("user_id",), ("channel_id",), ())


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls: None is any. Times are milliseconds since 1970; `until_ms` itself is not wanted."""

    user_id: int | None = None
    key_id: int | None = None
    channel_id: int | None = None
    model: str | None = None
    status_class: int | None = None
    """The first digit of the status."""
    from_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Usage rows with `account_name`, newest first; `on` is where to go on, None at the end."""

    rows: Sequence[RowMapping]
    on: str | None


async def find_calls(
    connection: AsyncConnection, wanted: Wanted, *, limit: int, after: str | None, span: int = SPAN
) -> Found:
    """Return up to `limit` calls older than the tid `after`.

    There may be fewer, or none, and `on` all the same: then `span` rows were looked at.
    """
    if not _rest(wanted):
        span = limit + 1
    await keep_to_indexes(connection)
    walked = walk(wanted, after=after, span=span)
    found = picked(walked, wanted, limit=limit + 1)
    tids: list[str] = list((await connection.execute(found)).scalars())
    on = tids[limit - 1] if len(tids) > limit else await _end(connection, walked, span)
    return Found(await _rows(connection, tids[:limit]), on)


async def keep_to_indexes(connection: AsyncConnection) -> None:
    """Have PostgreSQL walk, for the rest of the transaction, whatever it thinks of a young month.

    It would read and sort whole partitions until their statistics say how large they have become.
    """
    if connection.dialect.name == "postgresql":
        ways = ("enable_seqscan", "enable_bitmapscan")
        await connection.execute(select(*(func.set_config(way, "off", True) for way in ways)))


def walk(wanted: Wanted, *, after: str | None, span: int) -> Select[Any]:
    """Return the newest `span` rows of the index that leads to what is wanted."""
    tid, places = call_index.c.tid, _places(wanted, _lead(wanted))
    if after is not None:
        places.append(tid < after)
    if wanted.from_ms is not None:
        places.append(tid >= _first_tid(wanted.from_ms))
    if wanted.until_ms is not None:
        places.append(tid < _first_tid(wanted.until_ms))
    return select(call_index).where(*places).order_by(tid.desc()).limit(span)


def picked(walked: Select[Any], wanted: Wanted, *, limit: int) -> Select[Any]:
    """Return the first tids of a walk that are wanted in every other way, too."""
    rows = walked.subquery("walked")
    rest = _rest(wanted)
    places = [rows.c[name] == getattr(wanted, name) for name in rest if name != "status_class"]
    if wanted.status_class is not None:
        lowest = wanted.status_class * 100
        places.append(rows.c.status.between(lowest, lowest + 99))
    return select(rows.c.tid).where(*places).order_by(rows.c.tid.desc()).limit(limit)


def _lead(wanted: Wanted) -> tuple[str, ...]:
    return next(lead for lead in _LEADS if len(_given(wanted, lead)) == len(lead))


def _rest(wanted: Wanted) -> list[str]:
    """Return what is wanted besides what the index leads to: that takes a look at each row."""
    names = ("user_id", "channel_id", "model", "status_class")
    return _given(wanted, [name for name in names if name not in _lead(wanted)])


def _given(wanted: Wanted, names: Sequence[str]) -> list[str]:
    return [name for name in names if getattr(wanted, name) is not None]


def _places(wanted: Wanted, names: Sequence[str]) -> list[ColumnElement[bool]]:
    return [call_index.c[name] == getattr(wanted, name) for name in names]


def _first_tid(at_ms: int) -> str:
    return f"{at_ms:012x}" + "0" * _RANDOM_HEX


async def _end(connection: AsyncConnection, walked: Select[Any], span: int) -> str | None:
    """Return the last tid of a walk that was cut off, None where the index ended."""
    rows = walked.subquery("walked")
    counted = select(func.count(), func.min(rows.c.tid))
    count, last = (await connection.execute(counted)).one()
    return str(last) if count == span else None


async def _rows(connection: AsyncConnection, tids: Sequence[str]) -> Sequence[RowMapping]:
    query = (
        select(usage, accounts.c.name.label("account_name"))
        .outerjoin(accounts, accounts.c.id == usage.c.account_id)
        .where(usage.c.tid.in_(tids))
        .order_by(usage.c.tid.desc())
    )
    return (await connection.execute(query)).mappings().all() if tids else []
