"""Owns views of roll-ups: the same sums of hours and days by fewer columns, made of a slot's rows.

A question over many hours is answered by the smallest view that has all columns it needs, from few
rows that lie side by side. A slot's view rows are written together with its rows, so both say the
same. Must not know which slots are behind, nor who asks. Why so: docs/decisions/0042.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Table, bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.histogram import SEPARATOR, counts_of, text_of
from tollbridge.storage.ledger_items import INT64_MAX
from tollbridge.storage.query_tables import (
    ROLLUP_BINS,
    ROLLUP_GROUP,
    rollup,
    rollup_view,
    rollup_view_floor,
)
from tollbridge.storage.rollup_marks import DAY, HOUR, Slot
from tollbridge.storage.rollup_sums import COLUMNS, KEY, Row
from tollbridge.storage.upsert import upsert

SPANS_OF_VIEWS: Final = (DAY, HOUR)
"""Spans that views have; all five minutes of a question are few."""

EVERYBODY: Final = 0
"""The user of views that are over all users."""


class View(NamedTuple):
    """Which columns of ROLLUP_GROUP the rows of a view are told apart by."""

    number: int
    columns: frozenset[str]

    @property
    def by_user(self) -> bool:
        """Whether its rows are one user's each."""
        return "user_id" in self.columns


_BY_USER = View(1, frozenset({"user_id", "status_class"}))
_BY_KEY = View(2, frozenset({"user_id", "key_id", "status_class"}))
_BY_MODEL = View(3, frozenset({"user_id", "model", "status_class"}))
_CHANNELS = View(4, frozenset({"channel_id", "status_class"}))
_CHANNEL_MODELS = View(5, frozenset({"channel_id", "model", "status_class"}))
# The smaller ones first.
VIEWS: Final = (_BY_USER, _CHANNELS, _BY_KEY, _CHANNEL_MODELS, _BY_MODEL)

# What each view is made from: the slot's own rows, or another view's.
_SOURCES: Final = (
    (_BY_KEY, None),
    (_BY_USER, _BY_KEY),
    (_BY_MODEL, None),
    (_CHANNEL_MODELS, None),
    (_CHANNELS, _CHANNEL_MODELS),
)
_NOTHING: Final[Mapping[str, int | str]] = {
    name: "" if name == "model" else EVERYBODY for name in ROLLUP_GROUP
}
_NAMES: Final = {
    rollup.name: ("span", "start_ms", *COLUMNS),
    rollup_view.name: ("span", "start_ms", "view", *COLUMNS),
}
_KEYS: Final = {rollup.name: 2 + KEY, rollup_view.name: 3 + KEY}
_NUMBERS_END = len(COLUMNS) - len(ROLLUP_BINS)
_USERS_AT_ONCE = 1000


class Edit(NamedTuple):
    """One row that is to be written, or removed: from `span` and `start_ms` on as in _NAMES."""

    table: Table
    row: Row
    gone: bool


def view_for(group: Iterable[str], only: Collection[str]) -> View | None:
    """Return the smallest view that can answer for these columns, None where no one can.

    Rows of one user are found only where a user is asked for.
    """
    needed = {*group, *only}
    for view in VIEWS:
        if needed <= view.columns and view.by_user == ("user_id" in only):
            return view
    return None


def views_of(rows: Sequence[Row]) -> list[Row]:
    """Return the view rows of a slot with these rows: the number of the view, then as in COLUMNS."""
    made: dict[int, list[Row]] = {}
    for view, source in _SOURCES:
        made[view.number] = list(_grouped(view, rows if source is None else made[source.number]))
    return [(number, *row) for number in sorted(made) for row in made[number]]


def _grouped(view: View, rows: Iterable[Row]) -> Iterator[Row]:
    kept = [(name in view.columns, _NOTHING[name]) for name in ROLLUP_GROUP]
    groups: dict[Row, list[Row]] = defaultdict(list)
    for row in rows:
        key = tuple(
            value if keep else none for value, (keep, none) in zip(row[:KEY], kept, strict=True)
        )
        groups[key].append(row)
    for key, members in groups.items():
        yield key + (members[0][KEY:] if len(members) == 1 else _sum(members))


def _sum(rows: Sequence[Row]) -> Row:
    columns = list(zip(*rows, strict=True))
    # What fits no column stays at the largest that it can hold, as in the rows themselves.
    numbers = (min(sum(column), INT64_MAX) for column in columns[KEY:_NUMBERS_END])
    bins = (
        text_of(counts_of(SEPARATOR.join(filter(None, column))))
        for column in columns[_NUMBERS_END:]
    )
    return (*numbers, *bins)


async def stored_views(connection: AsyncConnection, slot: Slot, users: Iterable[int]) -> list[Row]:
    """Return the view rows of a slot that are stored of these users, and of everybody."""
    found: list[Row] = []
    wanted = sorted({*users, EVERYBODY})
    query = select(*(rollup_view.c[name] for name in ("view", *COLUMNS))).where(
        rollup_view.c.view.in_([view.number for view in VIEWS]),
        rollup_view.c.user_id.in_(bindparam("users", expanding=True)),
        rollup_view.c.span == slot.span,
        rollup_view.c.start_ms == slot.start_ms,
    )
    for at in range(0, len(wanted), _USERS_AT_ONCE):
        some = {"users": wanted[at : at + _USERS_AT_ONCE]}
        found += [tuple(row) for row in await connection.execute(query, some)]
    return found


async def edits_of_views(
    connection: AsyncConnection, slot: Slot, before: Sequence[Row], made: Sequence[Row]
) -> tuple[list[Edit], list[Edit]]:
    """Return which view rows of a slot are to be removed and which written, as its rows become `made`.

    Those removed must go before or with the slot's own rows, by whose users they are found.
    """
    if slot.span not in SPANS_OF_VIEWS:
        return [], []
    users = {row[0] for rows in (before, made) for row in rows}
    # Many groups must not keep the calls of this process waiting.
    views = await asyncio.to_thread(views_of, made)
    return differences(rollup_view, slot, await stored_views(connection, slot, users), views)


def differences(
    table: Table, slot: Slot, before: Iterable[Row], made: Iterable[Row]
) -> tuple[list[Edit], list[Edit]]:
    """Return which rows of a slot are to be removed and which written, so that `made` are stored."""
    end = _KEYS[table.name] - len(slot)
    old = {row[:end]: row for row in before}
    new = {row[:end]: row for row in made}
    gone = [Edit(table, (*slot, *key), gone=True) for key in old if key not in new]
    rows = [
        Edit(table, (*slot, *row), gone=False) for key, row in new.items() if old.get(key) != row
    ]
    return gone, rows


async def apply(connection: AsyncConnection, edits: Iterable[Edit]) -> None:
    """Remove and write rows."""
    parts: dict[tuple[str, bool], list[Edit]] = defaultdict(list)
    for edit in edits:
        parts[edit.table.name, edit.gone].append(edit)
    for (_, gone), some in parts.items():
        await (_remove if gone else _put)(connection, some[0].table, [edit.row for edit in some])


async def _remove(connection: AsyncConnection, table: Table, keys: Sequence[Row]) -> None:
    names = _NAMES[table.name][: _KEYS[table.name]]
    which = [{f"its_{name}": value for name, value in zip(names, key, strict=True)} for key in keys]
    same = (table.c[name] == bindparam(f"its_{name}") for name in names)
    await connection.execute(delete(table).where(*same), which)


async def _put(connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    names, end = _NAMES[table.name], _KEYS[table.name]
    query = upsert(connection, table)
    query = query.on_conflict_do_update(
        index_elements=list(names[:end]),
        set_={name: query.excluded[name] for name in names[end:]},
    )
    await connection.execute(query, [dict(zip(names, row, strict=True)) for row in rows])


async def remove_views_before(connection: AsyncConnection, span: int, upto_ms: int) -> None:
    """Remove the view rows of slots whose own rows are about to be removed, by whose users they are."""
    users = select(rollup.c.user_id).where(rollup.c.span == span, rollup.c.start_ms < upto_ms)
    for view in VIEWS:
        whose = (
            rollup_view.c.user_id.in_(users) if view.by_user else rollup_view.c.user_id == EVERYBODY
        )
        which = (rollup_view.c.view == view.number, whose, rollup_view.c.span == span)
        await connection.execute(
            delete(rollup_view).where(*which, rollup_view.c.start_ms < upto_ms)
        )


async def view_floors(connection: AsyncConnection) -> dict[int, int]:
    """Return from when on all slots of a span have their view rows; no entry while none has."""
    query = select(rollup_view_floor.c.span, rollup_view_floor.c.start_ms)
    return dict((await connection.execute(query)).all())
