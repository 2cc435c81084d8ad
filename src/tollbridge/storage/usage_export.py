"""Owns usage as it leaves the house: the columns, their order and meaning, and the way to the rows.

Names and order are a promise (docs/export.md): a new column goes to the end. Reads only, each chunk
in a transaction of its own, so that an export of any length is in nobody's way. Must not know files.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any, NamedTuple

from sqlalchemy import any_, literal, select, union
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.storage.ledger_tables import usage, usage_feed
from tollbridge.storage.metadata import TID
from tollbridge.storage.query_tables import call_index
from tollbridge.storage.rollup_marks import first_tid
from tollbridge.storage.unit_of_work import reading

CHUNK = 1000
"""How many rows one transaction reads at most; SQLite takes so many parameters in any version."""


class Form(Enum):
    """How a value is to be written."""

    TEXT = auto()
    INT = auto()
    BOOL = auto()
    MONEY = auto()  # stored in nano-dollars, written in dollars
    TIME = auto()  # stored in milliseconds since 1970, written in UTC


class Field(NamedTuple):
    """A column of an export, and the column of `usage` that it shows."""

    name: str
    form: Form
    column: str


def _same(form: Form, *names: str) -> list[Field]:
    return [Field(name, form, name) for name in names]


def _tokens(*names: str) -> list[Field]:
    return [Field(f"{name}_tokens", Form.INT, name) for name in names]


def _dollars(*names: str) -> list[Field]:
    return [Field(f"{name}_usd", Form.MONEY, name) for name in names]


FIELDS: tuple[Field, ...] = (
    *_same(Form.TEXT, "tid"),
    Field("started_at", Form.TIME, "at_ms"),
    *_same(Form.INT, "user_id", "key_id"),
    *_same(Form.TEXT, "key_name"),
    *_same(Form.INT, "wallet_id", "channel_id"),
    *_same(Form.TEXT, "channel_name"),
    *_same(Form.INT, "account_id"),
    *_same(Form.TEXT, "model_asked", "model_sent", "model_answered", "surface", "platform"),
    *_same(Form.BOOL, "stream"),
    *_same(Form.INT, "status"),
    *_same(Form.TEXT, "error_kind", "end_state", "flags", "service_tier"),
    *_tokens("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning"),
    *_tokens("audio_input", "audio_output", "image_input", "image_output"),
    *_same(Form.TEXT, "items"),
    *_same(Form.INT, "price_id", "multiplier_num", "multiplier_den"),
    *_same(Form.TEXT, "factors"),
    *_dollars("charge", "reversed", "list_cost", "own_cost", "loss", "held"),
    *_same(Form.INT, "first_token_ms", "total_ms"),
    *_same(Form.TEXT, "client", "attempts"),
)
"""The columns of every export, in their order."""

NULLABLE = frozenset(field.name for field in FIELDS if usage.c[field.column].nullable)
"""Names of the columns that may have no value."""

Row = Sequence[Any]
"""The stored values of a call in the order of FIELDS."""

_COLUMNS = [usage.c[field.column] for field in FIELDS]


def moment(at_ms: int) -> str:
    """Return milliseconds since 1970 as text: ISO 8601, UTC, always with milliseconds."""
    whole = f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}"
    return f"{whole}.{at_ms % 1000:03d}Z"


async def usage_chunks(
    engine: AsyncEngine, from_ms: int, to_ms: int, user_id: int | None = None, chunk: int = CHUNK
) -> AsyncIterator[Sequence[Row]]:
    """Yield the calls that began from `from_ms` on and before `to_ms`, in the order of their tids.

    Every row that stands when its chunk is read comes exactly once, whatever is written meanwhile.
    A call that is settled only after its place has been passed is not among them.
    """
    # No tid is equal to these: each has a digit 7 after its milliseconds.
    after, end = first_tid(from_ms), first_tid(to_ms)
    while True:
        async with reading(engine) as connection:
            if user_id is None:
                tids = await _next_tids(connection, after, end, chunk)
            else:
                tids = await _next_of_user(connection, user_id, after, end, chunk)
            rows = await rows_of(connection, tids)
        if rows:
            yield rows
        if len(tids) < chunk:
            return
        after = tids[-1]


async def rows_of(connection: AsyncConnection, tids: Sequence[str]) -> Sequence[Any]:
    """Return the rows of calls, at most CHUNK of them, in the order of their tids.

    A tid without a row is left out.
    """
    if connection.dialect.name == "postgresql":
        # One parameter, whatever the number of tids: one statement for the database to know.
        among = usage.c.tid == any_(literal(list(tids), postgresql.ARRAY(TID)))
    else:
        among = usage.c.tid.in_(tids)
    query = select(*_COLUMNS).where(among).order_by(usage.c.tid)
    return (await connection.execute(query)).all()


async def _next_tids(
    connection: AsyncConnection, after: str, end: str, chunk: int
) -> Sequence[str]:
    query = select(usage.c.tid).where(usage.c.tid > after, usage.c.tid < end)
    return (await connection.execute(query.order_by(usage.c.tid).limit(chunk))).scalars().all()


async def _next_of_user(
    connection: AsyncConnection, user_id: int, after: str, end: str, chunk: int
) -> Sequence[str]:
    """Return a user's next tids: from the index, and from the feed what is not in there yet."""
    index, feed = call_index.c, usage_feed.c
    indexed = select(index.tid).where(index.user_id == user_id, index.tid > after, index.tid < end)
    first = indexed.order_by(index.tid).limit(chunk).subquery()
    waiting = select(usage.c.tid).join(usage_feed, feed.tid == usage.c.tid)
    waiting = waiting.where(usage.c.user_id == user_id, feed.tid > after, feed.tid < end)
    both = union(select(first.c.tid), waiting).subquery()
    query = select(both.c.tid).order_by(both.c.tid).limit(chunk)
    return (await connection.execute(query)).scalars().all()
