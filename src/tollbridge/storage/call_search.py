"""Owns the search for calls in `call_index`, newest first, and the reading of their usage rows.

Every search is a walk of one index that ends after SPAN rows at the latest, however rare what is
looked for: it says then where to go on. Where several indexes lead to what is wanted, one that comes
to its end within SPAN is taken, so that what is rare by any of them is found at once. Must not know
who asks, nor what is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, RowMapping, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.outcomes import Ended
from tollbridge.storage.endings import ended_so
from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.query_tables import call_index
from tollbridge.storage.tables import accounts

SPAN = 10_000
"""A search looks at no more rows than these."""

_RANDOM_HEX = 20
_AT_ONCE = 1_000
_IN_USAGE = ("account_id", "error_kind", "ended")
# By what an index begins: the first of these that is wanted leads the walk, unless another is short.
_LEADS = (("key_id",), ("user_id", "model"), ("user_id",), ("channel_id",), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """Which calls, by what needs no id: None is any. Times are milliseconds since 1970, `until_ms` excluded."""

    model: str | None = None
    status_class: int | None = None
    """The first digit of the status."""
    from_ms: int | None = None
    until_ms: int | None = None
    min_charge: int | None = None
    """The least charge, in nano-dollars."""
    error_kind: str | None = None
    """This and what follows are looked at in usage rows."""
    ended: Ended | None = None

    def by(self, **ids: int | None) -> "Wanted":
        """Return the search for these calls of somebody or something; `ids` are fields of Wanted."""
        narrowed: dict[str, Any] = {name: getattr(self, name) for name in Narrowed.__slots__}
        return Wanted(**(narrowed | ids))


@dataclass(frozen=True, slots=True)
class Wanted(Narrowed):
    """Which calls, all narrowed down that can be: None is any."""

    user_id: int | None = None
    key_id: int | None = None
    channel_id: int | None = None
    account_id: int | None = None
    """The account that answered last; looked at in usage rows."""


@dataclass(frozen=True, slots=True)
class Found:
    """Usage rows with `account_name`, newest first; `on` is where to go on, None at the end."""

    rows: Sequence[RowMapping]
    on: str | None


async def find_calls(
    connection: AsyncConnection,
    wanted: Wanted,
    *,
    limit: int,
    after: str | None,
    before: str | None = None,
    span: int = SPAN,
) -> Found:
    """Return up to `limit` calls older than the tid `after`; or, with `before`, newer than that one.

    Those next to it, the newest first both ways. There may be fewer, or none, and `on` all the
    same: then `span` rows were looked at.
    """
    await keep_to_indexes(connection)
    place = _Place(after, before)
    lead = await _lead(connection, wanted, place, span)
    if not _rest(wanted, lead):
        span = limit + 1
    walked = _walk(wanted, lead, place, span)
    looked_at = _given(wanted, _IN_USAGE)
    most = span if looked_at else limit + 1
    found = _picked(walked, wanted, lead, newer=place.newer, limit=most)
    tids: list[str] = list((await connection.execute(found)).scalars())
    if looked_at:
        tids = await _looked_at(connection, tids, wanted, limit + 1)
    on = tids[limit - 1] if len(tids) > limit else await _end(connection, walked, place, span)
    return Found(await _rows(connection, tids[:limit]), on)


async def keep_to_indexes(connection: AsyncConnection) -> None:
    """Have PostgreSQL walk, for the rest of the transaction, whatever it thinks of a young month.

    It would read and sort whole partitions until their statistics say how large they have become.
    """
    if connection.dialect.name == "postgresql":
        ways = ("enable_seqscan", "enable_bitmapscan")
        await connection.execute(select(*(func.set_config(way, "off", True) for way in ways)))


def walks(
    wanted: Wanted, *, after: str | None = None, before: str | None = None, span: int = SPAN
) -> list[Select[Any]]:
    """Return every walk that a search for this may take: the newest `span` rows of an index each."""
    place = _Place(after, before)
    return [_walk(wanted, lead, place, span) for lead in _leads(wanted)]


class _Place(NamedTuple):
    """Where in time a search begins, and which way it goes."""

    after: str | None
    before: str | None

    @property
    def newer(self) -> bool:
        return self.before is not None


def _walk(wanted: Wanted, lead: Sequence[str], place: _Place, span: int) -> Select[Any]:
    tid, places = call_index.c.tid, _places(wanted, lead)
    if place.after is not None:
        places.append(tid < place.after)
    if place.before is not None:
        places.append(tid > place.before)
    if wanted.from_ms is not None:
        places.append(tid >= _first_tid(wanted.from_ms))
    if wanted.until_ms is not None:
        places.append(tid < _first_tid(wanted.until_ms))
    order = tid.asc() if place.newer else tid.desc()
    return select(call_index).where(*places).order_by(order).limit(span)


def _picked(
    walked: Select[Any], wanted: Wanted, lead: Sequence[str], *, newer: bool, limit: int
) -> Select[Any]:
    """Return the first tids of a walk that are wanted in every other way, too."""
    rows = walked.subquery("walked")
    places = [
        rows.c[name] == getattr(wanted, name) for name in _rest(wanted, lead) if name in rows.c
    ]
    if wanted.status_class is not None:
        lowest = wanted.status_class * 100
        places.append(rows.c.status.between(lowest, lowest + 99))
    if wanted.min_charge is not None:
        places.append(rows.c.charge >= wanted.min_charge)
    order = rows.c.tid.asc() if newer else rows.c.tid.desc()
    return select(rows.c.tid).where(*places).order_by(order).limit(limit)


async def _looked_at(
    connection: AsyncConnection, tids: Sequence[str], wanted: Wanted, limit: int
) -> list[str]:
    """Return the first of these calls whose usage rows are wanted, too.

    Many at once by their tids: in a join PostgreSQL would choose among all months for each of them.
    """
    found: list[str] = []
    for at in range(0, len(tids), _AT_ONCE):
        some = tids[at : at + _AT_ONCE]
        there = set((await connection.execute(look_up(wanted, some))).scalars())
        found += [tid for tid in some if tid in there]
        if len(found) >= limit:
            break
    return found[:limit]


def look_up(wanted: Wanted, tids: Sequence[str]) -> Select[Any]:
    """Return the question which of these calls have a usage row that is wanted."""
    given = _given(wanted, ("account_id", "error_kind"))
    places = [usage.c[name] == getattr(wanted, name) for name in given]
    if wanted.ended is not None:
        places.append(ended_so(wanted.ended))
    return select(usage.c.tid).where(usage.c.tid.in_(tids), *places)


async def _lead(
    connection: AsyncConnection, wanted: Wanted, place: _Place, span: int
) -> Sequence[str]:
    """Return what leads the walk: of several ways the first that ends within the span, if any does."""
    leads = _leads(wanted)
    if len(leads) > 1:
        for lead in leads:
            rows = _walk(wanted, lead, place, span).with_only_columns(call_index.c.tid).subquery()
            counted = select(func.count()).select_from(rows)
            if (await connection.execute(counted)).scalar_one() < span:
                return lead
    return leads[0]


def _leads(wanted: Wanted) -> list[Sequence[str]]:
    """Return what may lead; never a way that has all rows of another one."""
    leads: list[Sequence[str]] = []
    for lead in _LEADS:
        whole = len(_given(wanted, lead)) == len(lead)
        if whole and not any(set(lead) <= set(other) for other in leads):
            leads.append(lead)
    if wanted.key_id is not None:
        # A key has one user.
        leads = [lead for lead in leads if tuple(lead) != ("user_id",)]
    return leads


def _rest(wanted: Wanted, lead: Sequence[str]) -> list[str]:
    """Return what is wanted besides what the index leads to: that takes a look at each row."""
    names = (
        "user_id", "key_id", "channel_id", "model", "status_class", "min_charge", *_IN_USAGE,
    )  # fmt: skip
    return _given(wanted, [name for name in names if name not in lead])


def _given(wanted: Wanted, names: Sequence[str]) -> list[str]:
    return [name for name in names if getattr(wanted, name) is not None]


def _places(wanted: Wanted, names: Sequence[str]) -> list[ColumnElement[bool]]:
    return [call_index.c[name] == getattr(wanted, name) for name in names]


def _first_tid(at_ms: int) -> str:
    return f"{at_ms:012x}" + "0" * _RANDOM_HEX


async def _end(
    connection: AsyncConnection, walked: Select[Any], place: _Place, span: int
) -> str | None:
    """Return the last tid of a walk that was cut off, None where the index ended."""
    tids = walked.with_only_columns(call_index.c.tid).subquery("walked").c.tid
    last = func.max(tids) if place.newer else func.min(tids)
    count, end = (await connection.execute(select(func.count(), last))).one()
    return str(end) if count == span else None


async def _rows(connection: AsyncConnection, tids: Sequence[str]) -> Sequence[RowMapping]:
    query = (
        select(usage, accounts.c.name.label("account_name"))
        .outerjoin(accounts, accounts.c.id == usage.c.account_id)
        .where(usage.c.tid.in_(tids))
        .order_by(usage.c.tid.desc())
    )
    return (await connection.execute(query)).mappings().all() if tids else []
