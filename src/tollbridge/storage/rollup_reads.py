"""Owns the reading of roll-ups: what the calls of some slots came to, by whatever they are grouped.

The database adds up; one row a group comes back. Must not know what the slots stand for.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.histogram import SEPARATOR
from tollbridge.storage.query_tables import (
    ROLLUP_BINS,
    ROLLUP_COUNTS,
    ROLLUP_ITEMS,
    ROLLUP_SUMS,
    rollup,
)
from tollbridge.storage.rollup_cover import Piece
from tollbridge.storage.rollup_marks import SPANS
from tollbridge.storage.tables import api_keys, channels, users

NUMBERS: Final = (*ROLLUP_COUNTS, *ROLLUP_SUMS, *ROLLUP_ITEMS)

_HALF = 32
_LOW = (1 << _HALF) - 1
_MONEY = ("calls", "charge")


@dataclass(frozen=True, slots=True)
class Sums:
    """What the calls of a bucket and a group came to. Counts and nano-dollars, never too large.

    `group` are the values of the columns that were asked for, in their order; `bins` the texts of
    the histograms (core/histogram.py), by name.
    """

    bucket: int
    group: tuple[Any, ...]
    numbers: Mapping[str, int]
    bins: Mapping[str, str]


async def read_sums(
    connection: AsyncConnection,
    pieces: Iterable[tuple[int, Piece]],
    group: Sequence[str],
    only: Mapping[str, int | str],
    most: int,
) -> list[Sums]:
    """Return the sums of pieces, by their buckets and columns of ROLLUP_GROUP; up to `most` rows.

    `only` are values that columns of ROLLUP_GROUP must have. In order of bucket and group.
    """
    names = (*(f"{part}_{name}" for name in NUMBERS for part in ("high", "low")), *ROLLUP_BINS)
    values: tuple[ColumnElement[Any], ...] = (
        *(half for name in NUMBERS for half in _halves(rollup.c[name])),
        *(func.aggregate_strings(rollup.c[name], SEPARATOR) for name in ROLLUP_BINS),
    )
    labelled = [value.label(name) for value, name in zip(values, names, strict=True)]
    found = await _asked(connection, pieces, group, only, labelled, most)
    width = 1 + len(group)
    return [_sums(row[:width], row[width:]) for row in found]


async def read_charges(
    connection: AsyncConnection,
    pieces: Iterable[tuple[int, Piece]],
    group: Sequence[str],
    only: Mapping[str, int | str],
) -> list[tuple[int, tuple[Any, ...], int, int]]:
    """Return bucket, group, number of calls and net charge, which is all that a statement needs."""
    halves = [half for name in _MONEY for half in _halves(rollup.c[name])]
    found = await _asked(connection, pieces, group, only, halves, None)
    rows = []
    for row in found:
        *which, calls_high, calls_low, high, low = row
        calls, charge = _whole(calls_high, calls_low), _whole(high, low)
        rows.append((which[0], tuple(which[1:]), calls, charge))
    return rows


async def _asked(
    connection: AsyncConnection,
    pieces: Iterable[tuple[int, Piece]],
    group: Sequence[str],
    only: Mapping[str, int | str],
    values: Sequence[ColumnElement[Any]],
    most: int | None,
) -> list[tuple[Any, ...]]:
    if _by_slot(connection.dialect.name, only):
        pieces = await _slots(connection, pieces)
    given = json.dumps([(bucket, *piece) for bucket, piece in pieces])
    await keep_to_indexes(connection)
    query = sums_query(connection.dialect.name, group, only, values)
    if most is not None:
        query = query.limit(most)
    found = await connection.execute(query, {"pieces": given})
    return [tuple(row) for row in found]


def _by_slot(dialect: str, only: Mapping[str, int | str]) -> bool:
    """Tell whether single slots are asked for: SQLite would read everybody's rows of a longer piece."""
    return dialect == "sqlite" and "user_id" in only


async def _slots(
    connection: AsyncConnection, pieces: Iterable[tuple[int, Piece]]
) -> list[tuple[int, Piece]]:
    """Cut pieces into single slots, none before the first that there is.

    A user's rows of one slot lie side by side; between those of two slots lie everybody else's.
    """
    begin = [
        select(func.min(rollup.c.start_ms)).where(rollup.c.span == span).scalar_subquery()
        for span in SPANS
    ]
    begins = (await connection.execute(select(*begin))).one()
    first = {span: at for span, at in zip(SPANS, begins, strict=True) if at is not None}
    return [
        (bucket, Piece(span, at_ms, at_ms + span * 1000))
        for bucket, (span, start_ms, end_ms) in pieces
        for at_ms in range(max(start_ms, first.get(span, end_ms)), end_ms, span * 1000)
    ]


async def keep_to_indexes(connection: AsyncConnection) -> None:
    """Have PostgreSQL look pieces up one by one, to the end of the transaction.

    Without statistics of a young table it would read all of it; and compiling so many sums takes it
    a hundred times as long as adding them up.
    """
    if connection.dialect.name == "postgresql":
        others = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit")
        await connection.execute(select(*(func.set_config(one, "off", True) for one in others)))


def sums_query(
    dialect: str,
    group: Sequence[str],
    only: Mapping[str, int | str],
    values: Sequence[ColumnElement[Any]],
) -> Select[Any]:
    """Return the question, for the pieces in the parameter `pieces`: JSON of [bucket, *Piece]s.

    On SQLite, with a user among `only`, each piece is a single slot.
    """
    piece = _pieces(dialect)
    mine = rollup.c.span == piece.c.span
    if _by_slot(dialect, only):
        mine &= rollup.c.start_ms == piece.c.start_ms
    else:
        mine &= rollup.c.start_ms >= piece.c.start_ms
        mine &= rollup.c.start_ms < piece.c.end_ms
    for name, value in only.items():
        mine &= rollup.c[name] == value
    which = (piece.c.bucket, *(rollup.c[name] for name in group))
    places: list[ColumnElement[Any]] = [
        literal_column(str(place + 1)) for place in range(len(which))
    ]
    query = select(*which, *values).select_from(piece.join(rollup, mine))
    return query.group_by(*which).order_by(*places)


def _pieces(dialect: str) -> Any:
    """Return the given pieces as a table: one parameter, however many they are."""
    fields = ("bucket", "span", "start_ms", "end_ms")
    if dialect == "postgresql":
        given = func.jsonb_array_elements(cast(bindparam("pieces"), JSONB))
        one = given.table_valued(column("value", JSONB), name="given")
        parts = [one.c.value[place].astext for place in range(len(fields))]
    else:
        one = func.json_each(bindparam("pieces")).table_valued("value", name="given")
        parts = [func.json_extract(one.c.value, f"$[{place}]") for place in range(len(fields))]
    types = (Integer, Integer, BigInteger, BigInteger)
    shown = [
        cast(part, kind).label(name) for part, kind, name in zip(parts, types, fields, strict=True)
    ]
    return select(*shown).cte("piece").prefix_with("MATERIALIZED", dialect="postgresql")


def _halves(of: ColumnElement[int]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Sum the halves of a number: SQLite refuses a sum of whole ones that does not fit."""
    return (
        cast(func.sum(of.bitwise_rshift(literal_column(str(_HALF)))), BigInteger),
        cast(func.sum(of.bitwise_and(literal_column(str(_LOW)))), BigInteger),
    )


def _whole(high: int, low: int) -> int:
    return (high << _HALF) + low


def _sums(which: Sequence[Any], values: Sequence[Any]) -> Sums:
    end = 2 * len(NUMBERS)
    wholes = map(_whole, values[:end:2], values[1:end:2])
    return Sums(
        bucket=which[0],
        group=tuple(which[1:]),
        numbers=dict(zip(NUMBERS, wholes, strict=True)),
        bins=dict(zip(ROLLUP_BINS, (text or "" for text in values[end:]), strict=True)),
    )


_NAMES = {
    "user_id": (users.c.id, users.c.email),
    "key_id": (api_keys.c.id, api_keys.c.name),
    "channel_id": (channels.c.id, channels.c.name),
}
NAMED: Final = frozenset(_NAMES)
"""Columns whose values are ids of things that have names."""

_AT_ONCE = 500


async def read_names(connection: AsyncConnection, name: str, ids: Iterable[int]) -> dict[int, str]:
    """Return the names of users (their address), keys or channels that are still there."""
    number, text = _NAMES[name]
    wanted = sorted(set(ids))
    found: dict[int, str] = {}
    for at in range(0, len(wanted), _AT_ONCE):
        query = select(number, text).where(number.in_(wanted[at : at + _AT_ONCE]))
        found |= {row[0]: row[1] for row in await connection.execute(query)}
    return found
