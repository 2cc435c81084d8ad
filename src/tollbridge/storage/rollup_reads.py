"""Owns the reading of roll-ups: what the calls of some slots came to, by whatever they are grouped.

The database adds up; one row a group comes back. The smallest view that has what is asked for is
read in place of the roll-ups. Must not know what the slots stand for.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Table,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from tollbridge.core.histogram import SEPARATOR
from tollbridge.storage.query_tables import (
    ROLLUP_BINS,
    ROLLUP_COUNTS,
    ROLLUP_ITEMS,
    ROLLUP_SUMS,
    rollup,
    rollup_view,
)
from tollbridge.storage.rollup_cover import Piece
from tollbridge.storage.rollup_marks import SPANS
from tollbridge.storage.rollup_views import (
    EVERYBODY,
    SPANS_OF_VIEWS,
    View,
    view_floors,
    view_for,
)
from tollbridge.storage.tables import api_keys, channels, users

NUMBERS: Final = (*ROLLUP_COUNTS, *ROLLUP_SUMS, *ROLLUP_ITEMS)

_HALF = 32
_LOW = (1 << _HALF) - 1
_MONEY = ("calls", "charge")
# What is given of a piece.
_FIELDS = {
    "bucket": Integer,
    "span": Integer,
    "start_ms": BigInteger,
    "end_ms": BigInteger,
    "user_id": BigInteger,
    "view": Integer,
}


Columns = ReadOnlyColumnCollection[str, Any]


class Parts(NamedTuple):
    """What of the rows is added up: some of NUMBERS, and of ROLLUP_BINS. Half of it takes half the time."""

    numbers: Sequence[str] = NUMBERS
    bins: Sequence[str] = ROLLUP_BINS


WHOLE: Final = Parts()


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the rows of pieces: grouped by what, which of them, what of each, what in all."""

    group: tuple[str, ...]
    only: Mapping[str, int | str]
    names: Sequence[str]
    values: Callable[[Columns], Sequence[ColumnElement[Any]]]


@dataclass(frozen=True, slots=True)
class Sums:
    """What the calls of a bucket and a group came to. Counts and nano-dollars, never too large.

    `group` are the values of the columns that were asked for, in their order; `bins` the texts of
    the histograms (core/histogram.py), by name. There is what the parts had that were asked for.
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
    parts: Parts = WHOLE,
) -> list[Sums]:
    """Return the sums of pieces, by their buckets and columns of ROLLUP_GROUP; up to `most` rows.

    `only` are values that columns of ROLLUP_GROUP must have. In order of bucket and group.
    """
    names = (
        *(f"{half}_{name}" for name in parts.numbers for half in ("high", "low")),
        *parts.bins,
    )

    def values(rows: Columns) -> list[ColumnElement[Any]]:
        of: list[ColumnElement[Any]] = [
            half for name in parts.numbers for half in _halves(rows[name])
        ]
        of += [func.aggregate_strings(rows[name], SEPARATOR) for name in parts.bins]
        return [value.label(name) for value, name in zip(of, names, strict=True)]

    asked = Asked(tuple(group), only, (*parts.numbers, *parts.bins), values)
    found = await _found(connection, pieces, asked, most)
    width = 1 + len(group)
    return [_sums(parts, row[:width], row[width:]) for row in found]


async def read_charges(
    connection: AsyncConnection,
    pieces: Iterable[tuple[int, Piece]],
    group: Sequence[str],
    only: Mapping[str, int | str],
) -> list[tuple[int, tuple[Any, ...], int, int]]:
    """Return bucket, group, number of calls and net charge, which is all that a statement needs."""
    found = await read_numbers(connection, pieces, group, only, _MONEY)
    return [(bucket, which, calls, charge) for bucket, which, (calls, charge) in found]


async def read_numbers(
    connection: AsyncConnection,
    pieces: Iterable[tuple[int, Piece]],
    group: Sequence[str],
    only: Mapping[str, int | str],
    names: Sequence[str],
) -> list[tuple[int, tuple[Any, ...], tuple[int, ...]]]:
    """Return bucket, group and the sums of some of NUMBERS alone: no histograms are put together."""

    def values(rows: Columns) -> list[ColumnElement[Any]]:
        return [half for name in names for half in _halves(rows[name])]

    found = await _found(connection, pieces, Asked(tuple(group), only, names, values), None)
    width = 1 + len(group)
    return [
        (row[0], row[1:width], tuple(map(_whole, row[width::2], row[width + 1 :: 2])))
        for row in found
    ]


async def _found(
    connection: AsyncConnection,
    pieces: Iterable[tuple[int, Piece]],
    asked: Asked,
    most: int | None,
) -> list[tuple[Any, ...]]:
    wanted = list(pieces)
    view = await _view_of(connection, wanted, asked)
    rest = [one for one in wanted if view is None or one[1].span not in SPANS_OF_VIEWS]
    viewed = [one for one in wanted if view and one[1].span in SPANS_OF_VIEWS]
    if _by_slot(connection.dialect.name, asked.only):
        rest = await _slots(connection, rest)
    await keep_to_indexes(connection)
    query = sums_query(connection.dialect.name, asked, view)
    if most is not None:
        query = query.limit(most)
    given = {"pieces": given_pieces(rest, asked)}
    if view is not None:
        given["viewed"] = given_pieces(viewed, asked, view)
    return [tuple(row) for row in await connection.execute(query, given)]


async def _view_of(
    connection: AsyncConnection, pieces: Iterable[tuple[int, Piece]], asked: Asked
) -> View | None:
    """Return the view that has all that is asked for; None too while it does not reach back so far."""
    view = view_for(asked.group, asked.only)
    if view is None:
        return None
    floors = await view_floors(connection)
    there = all(
        piece.span in floors and piece.start_ms >= floors[piece.span]
        for _, piece in pieces
        if piece.span in SPANS_OF_VIEWS
    )
    return view if there else None


def given_pieces(
    pieces: Iterable[tuple[int, Piece]], asked: Asked, view: View | None = None
) -> str:
    """Return pieces as a parameter of the question: JSON of lists of _FIELDS.

    Whose rows they are stands in each of them, so that no database begins with the rows of a user.
    """
    whose = (asked.only.get("user_id", EVERYBODY), view.number if view else 0)
    return json.dumps([(bucket, *piece, *whose) for bucket, piece in pieces])


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

    Without statistics of a young table it would read all of it.
    """
    if connection.dialect.name == "postgresql":
        others = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")
        await connection.execute(select(*(func.set_config(one, "off", True) for one in others)))


def sums_query(dialect: str, asked: Asked, view: View | None) -> Select[Any]:
    """Return the question, for pieces as `given_pieces` writes them.

    Those in the parameter `pieces` are read from the roll-ups, those in `viewed` from the view. On
    SQLite, with a user asked for, each of `pieces` is a single slot.
    """
    piece, single = _pieces(dialect, "pieces"), _by_slot(dialect, asked.only)
    mine = rollup.c.user_id == piece.c.user_id if "user_id" in asked.only else true()
    parts = [_rows(asked, rollup, piece, mine, by_slot=single)]
    if view is not None:
        piece = _pieces(dialect, "viewed")
        mine = (rollup_view.c.view == piece.c.view) & (rollup_view.c.user_id == piece.c.user_id)
        parts.append(_rows(asked, rollup_view, piece, mine, by_slot=False))
    part = (union_all(*parts) if view else parts[0]).subquery("part")
    which: list[ColumnElement[Any]] = [part.c.bucket, *(part.c[name] for name in asked.group)]
    places: list[ColumnElement[Any]] = [
        literal_column(str(place + 1)) for place in range(len(which))
    ]
    return select(*which, *asked.values(part.c)).group_by(*which).order_by(*places)


def _rows(
    asked: Asked,
    table: Table,
    piece: CTE,
    mine: ColumnElement[bool],
    *,
    by_slot: bool,
) -> Select[Any]:
    """Return the rows of pieces, with their buckets and all that is asked of them."""
    if by_slot:
        when = table.c.start_ms == piece.c.start_ms
    else:
        when = (table.c.start_ms >= piece.c.start_ms) & (table.c.start_ms < piece.c.end_ms)
    mine &= (table.c.span == piece.c.span) & when
    for name, value in asked.only.items():
        if name != "user_id":
            mine &= table.c[name] == value
    names = dict.fromkeys((*asked.group, *asked.names))
    shown = (piece.c.bucket, *(table.c[name] for name in names))
    return select(*shown).select_from(piece.join(table, mine))


def _pieces(dialect: str, name: str) -> CTE:
    """Return the pieces of a parameter as a table: one parameter, however many they are."""
    if dialect == "postgresql":
        given = func.jsonb_array_elements(cast(bindparam(name), JSONB))
        one = given.table_valued(column("value", JSONB), name=f"given_{name}")
        parts = [one.c.value[place].astext for place in range(len(_FIELDS))]
    else:
        one = func.json_each(bindparam(name)).table_valued("value", name=f"given_{name}")
        parts = [func.json_extract(one.c.value, f"$[{place}]") for place in range(len(_FIELDS))]
    shown = [
        cast(part, kind).label(name)
        for part, (name, kind) in zip(parts, _FIELDS.items(), strict=True)
    ]
    return select(*shown).cte(f"piece_{name}").prefix_with("MATERIALIZED", dialect="postgresql")


def _halves(of: ColumnElement[int]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Sum the halves of a number: SQLite refuses a sum of whole ones that does not fit."""
    return (
        cast(func.sum(of.bitwise_rshift(literal_column(str(_HALF)))), BigInteger),
        cast(func.sum(of.bitwise_and(literal_column(str(_LOW)))), BigInteger),
    )


def _whole(high: int, low: int) -> int:
    return (high << _HALF) + low


def _sums(parts: Parts, which: Sequence[Any], values: Sequence[Any]) -> Sums:
    end = 2 * len(parts.numbers)
    wholes = map(_whole, values[:end:2], values[1:end:2])
    return Sums(
        bucket=which[0],
        group=tuple(which[1:]),
        numbers=dict(zip(parts.numbers, wholes, strict=True)),
        bins=dict(zip(parts.bins, (text or "" for text in values[end:]), strict=True)),
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
