"""Owns what a slot comes to: made from usage rows, or from the smaller slots within it.

The database adds up and only one row a group passes through Python. Must not know which slots are
behind, nor where the result goes.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    String,
    Text,
    case,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.histogram import SEPARATOR, bin_sql, counts_of, text_of
from tollbridge.core.outcomes import Ended
from tollbridge.protocols.usage import TOKEN_BUCKETS
from tollbridge.storage.endings import ended_so
from tollbridge.storage.ledger_items import INT64_MAX
from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.query_tables import (
    ROLLUP_BINS,
    ROLLUP_COUNTS,
    ROLLUP_GROUP,
    ROLLUP_ITEMS,
    ROLLUP_SUMS,
    rollup,
)
from tollbridge.storage.rollup_marks import Slot, first_tid

COLUMNS = (*ROLLUP_GROUP, *ROLLUP_COUNTS, *ROLLUP_SUMS, *ROLLUP_ITEMS, *ROLLUP_BINS)
"""The columns of a group's row, in its order."""

KEY = len(ROLLUP_GROUP)
"""How many of them name the group."""

Row = tuple[Any, ...]

_SUMMED = (
    *(usage.c[name] for name in (*TOKEN_BUCKETS, "reasoning")),
    # What staff gave back was not earned.
    usage.c.charge - usage.c.reversed,
    *(usage.c[name] for name in ("list_cost", "own_cost", "loss")),
    usage.c.first_token_ms,
    usage.c.total_ms,
)
_ITEM_NAMES = ("request", "web_search", "second", "character")
_IMAGE = 3
_HUNDRED = 100
_NO_STATUS = 9
_LINE = "\n"
_HALF = 32
_LOW_HALF = (1 << _HALF) - 1
# Folding many groups must not keep the calls of this process waiting.
_AT_ONCE = 200


async def from_usage(connection: AsyncConnection, slot: Slot) -> list[Row]:
    """Return a slot's rows, made from the usage rows of its calls."""
    mine = (usage.c.tid >= first_tid(slot.start_ms)) & (usage.c.tid < first_tid(slot.end_ms))
    return await _folded(connection, _OF_USAGE.where(mine), _counted_items)


async def from_smaller(connection: AsyncConnection, slot: Slot, span: int) -> list[Row]:
    """Return a slot's rows, made from the rows of the smaller slots of a span within it."""
    mine = (rollup.c.span == span) & (rollup.c.start_ms >= slot.start_ms)
    query = _OF_ROLLUP.where(mine & (rollup.c.start_ms < slot.end_ms))
    return await _folded(connection, query, _joined)


async def stored(connection: AsyncConnection, slot: Slot) -> list[Row]:
    """Return a slot's rows as they are stored."""
    query = select(*(rollup.c[name] for name in COLUMNS))
    query = query.where(rollup.c.span == slot.span, rollup.c.start_ms == slot.start_ms)
    return [tuple(row) for row in await connection.execute(query)]


def _halves(columns: Sequence[ColumnElement[int]]) -> Iterator[ColumnElement[int]]:
    """Sum the halves of each number: SQLite refuses a sum of whole ones that does not fit."""
    for column in columns:
        yield cast(func.sum(column.bitwise_rshift(literal_column(str(_HALF)))), BigInteger)
        yield cast(func.sum(column.bitwise_and(literal_column(str(_LOW_HALF)))), BigInteger)


def _ones(of: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((of, 1), else_=0))


def _bins(name: str) -> ColumnElement[str]:
    return _texts(cast(literal_column(bin_sql(f"usage.{name}"), String), Text))


def _texts(column: ColumnElement[str], separator: str = SEPARATOR) -> ColumnElement[str]:
    return func.aggregate_strings(column, separator)


def _of_usage() -> Select[Any]:
    group = (
        usage.c.user_id,
        usage.c.key_id,
        usage.c.channel_id,
        usage.c.model_asked,
        case(
            (
                usage.c.status.between(_HUNDRED, _HUNDRED * _NO_STATUS - 1),
                usage.c.status // _HUNDRED,
            ),
            else_=_NO_STATUS,
        ),
    )
    return select(
        *(column.label(name) for column, name in zip(group, ROLLUP_GROUP, strict=True)),
        func.count(),
        _ones(ended_so(Ended.ANSWERED)),
        _ones(ended_so(Ended.CLIENT)),
        func.count(usage.c.first_token_ms),
        *_halves(_SUMMED),
        _bins("first_token_ms"),
        _bins("total_ms"),
        _texts(usage.c["items"], _LINE),
    ).group_by(*(literal_column(str(place + 1)) for place in range(KEY)))


def _of_rollup() -> Select[Any]:
    return select(
        *(rollup.c[name] for name in ROLLUP_GROUP),
        *(cast(func.sum(rollup.c[name]), BigInteger) for name in ROLLUP_COUNTS),
        *_halves([rollup.c[name] for name in ROLLUP_SUMS]),
        *(_texts(rollup.c[name]) for name in ROLLUP_BINS),
        *_halves([rollup.c[name] for name in ROLLUP_ITEMS]),
    ).group_by(*(rollup.c[name] for name in ROLLUP_GROUP))


_OF_USAGE = _of_usage()
_OF_ROLLUP = _of_rollup()
_COUNTS_END = KEY + len(ROLLUP_COUNTS)
_SUMS_END = _COUNTS_END + 2 * len(ROLLUP_SUMS)
_BINS_END = _SUMS_END + len(ROLLUP_BINS)


async def _folded(
    connection: AsyncConnection, query: Select[Any], items: Callable[[Sequence[Any]], Row]
) -> list[Row]:
    found = (await connection.execute(query)).all()
    rows: list[Row] = []
    for at in range(0, len(found), _AT_ONCE):
        rows += [_fold(row, items) for row in found[at : at + _AT_ONCE]]
        await asyncio.sleep(0)
    return rows


def _fold(row: Sequence[Any], items: Callable[[Sequence[Any]], Row]) -> Row:
    return (
        *row[:_COUNTS_END],
        *_joined(row[_COUNTS_END:_SUMS_END]),
        *items(row[_BINS_END:]),
        *(text_of(counts_of(text or "")) for text in row[_SUMS_END:_BINS_END]),
    )


def _joined(halves: Sequence[Any]) -> Row:
    """Put sums of halves together; what no column can hold stays at the largest that it can."""
    pairs = zip(halves[::2], halves[1::2], strict=True)
    return tuple(min(((high or 0) << _HALF) + (low or 0), INT64_MAX) for high, low in pairs)


def _counted_items(texts: Sequence[Any]) -> Row:
    """Add up the JSON of what calls counted besides tokens; what is none of it counts nothing."""
    totals = [0] * len(ROLLUP_ITEMS)
    if texts[0]:
        for text, times in Counter(texts[0].split(_LINE)).items():
            for place, count in enumerate(_items_of(text)):
                totals[place] += count * times
    return tuple(min(total, INT64_MAX) for total in totals)


def _items_of(text: str) -> list[int]:
    try:
        items = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        return []
    counts = [_count(items.get(name)) for name in _ITEM_NAMES]
    images = items.get("images")
    shaped = (
        [one for one in images if isinstance(one, list) and len(one) == _IMAGE]
        if isinstance(images, list)
        else []
    )
    return [*counts, sum(_count(one[-1]) for one in shaped)]


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
