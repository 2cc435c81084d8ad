"""Owns what somebody's calls of some days came to, as the overview shows it: two questions a page.

By day of the visitor's zone and by model or key; the groups that cost most have a colour of their
own, all others share one. Amounts are nano-dollars. Must not know templates.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.billing.statistics import (
    GROUPS,
    Figures,
    Latency,
    Question,
    Statistics,
    Unanswerable,
    read_statistics,
)
from tollbridge.console.tokens import tokens_in, tokens_out
from tollbridge.core.histogram import SEPARATOR, percentiles_of
from tollbridge.core.zones import Span, day_at, zone_of
from tollbridge.protocols.usage import TOKEN_BUCKETS
from tollbridge.storage.rollup_reads import Parts
from tollbridge.web.charts import OTHER

_PERCENTS: Final = (50, 95)
_NUMBERS: Final = Parts(("calls", "answered", "client_faults", *TOKEN_BUCKETS, "charge"), ())
_TIMES: Final = Parts(("first_token_calls",), ("first_token_bins",))
# Days of other zones are made of hours: over so many days that would take too long.
_ZONED_DAYS_MAX: Final = 31
_UTC: Final = "UTC"


@dataclass(frozen=True, slots=True)
class Sum:
    """What some calls came to. `failed` are those that neither were answered nor the client's fault."""

    calls: int = 0
    failed: int = 0
    client_faults: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    charge: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """A model or key: its colour, its sum, and what it cost on each day."""

    name: str
    colour: int
    sum: Sum
    charges: Sequence[int]


@dataclass(frozen=True, slots=True)
class Cell:
    """A model or key on one day."""

    day: str
    name: str
    sum: Sum


@dataclass(frozen=True, slots=True)
class Spend:
    """The days (dates, the last is today), what they came to, and the times to the first token.

    `zone` is where the days are days: UTC for many days, and where no smaller figures are kept.
    `together` says that there were too many groups to tell apart. `first_token` has milliseconds by
    percentile, `by_day` the same for each day.
    """

    days: Sequence[str]
    zone: str
    by: str
    together: bool
    total: Sum
    today: Sum
    groups: Sequence[Group]
    cells: Sequence[Cell]
    first_token: tuple[int | None, int | None]
    by_day: Sequence[tuple[int | None, int | None]]
    complete_until_ms: int


async def read_spend(
    connection: AsyncConnection, user_id: int, count: int, by: str, zone: str, now_ms: int
) -> Spend:
    """Return what the last `count` days came to, today included; `by` is model or key."""
    found, together = await _found(connection, user_id, count, by, zone, now_ms)
    # Times are shown of all groups together: there are far fewer histograms of these.
    whole = replace(found.question, group=())
    times = await read_statistics(connection, whole, now_ms, _TIMES)
    return _spend(found, times, by, together=together)


async def _found(
    connection: AsyncConnection, user_id: int, count: int, by: str, zone: str, now_ms: int
) -> tuple[Statistics, bool]:
    """Ask for all of it; for less where that cannot be answered."""
    group: tuple[str, ...] = (by,)
    zone = zone if count <= _ZONED_DAYS_MAX else _UTC
    for _ in range(2):
        question = _question(user_id, count, group, zone, now_ms)
        try:
            return await read_statistics(connection, question, now_ms, _NUMBERS), not group
        except Unanswerable as error:
            if error.field == "group":
                group = ()
            else:
                zone = _UTC
    question = _question(user_id, count, (), _UTC, now_ms)
    return await read_statistics(connection, question, now_ms, _NUMBERS), True


def _question(user_id: int, count: int, group: tuple[str, ...], zone: str, now_ms: int) -> Question:
    until = day_at(zone_of(zone), now_ms) + timedelta(days=1)
    first = until - timedelta(days=count)
    return Question(first, until, "day", zone, group, {GROUPS["user"]: user_id})


def _spend(found: Statistics, times: Statistics, by: str, *, together: bool) -> Spend:
    # A span works its day out anew whenever it is asked.
    days = {span: span.day.isoformat() for span in found.question.spans()}
    today = next(reversed(days))
    speed = {row.span: row.first_token for row in times.rows}
    return Spend(
        days=list(days.values()),
        zone=found.question.zone,
        by=by,
        together=together,
        total=_sum(found.rows),
        today=_sum(row for row in found.rows if row.span == today),
        groups=_groups(found, days),
        cells=[Cell(days[row.span], _name(row, found), _sum([row])) for row in found.rows],
        first_token=_percentiles(speed.values()),
        by_day=[
            (speed[span].p50_ms, speed[span].p95_ms) if span in speed else (None, None)
            for span in days
        ],
        complete_until_ms=found.complete_until_ms,
    )


def _sum(rows: Iterable[Figures]) -> Sum:
    numbers: dict[str, int] = defaultdict(int)
    for row in rows:
        for name, value in row.numbers.items():
            numbers[name] += value
    return Sum(
        calls=numbers["calls"],
        failed=numbers["calls"] - numbers["client_faults"] - numbers["answered"],
        client_faults=numbers["client_faults"],
        tokens_in=tokens_in(numbers),
        tokens_out=tokens_out(numbers),
        charge=numbers["charge"],
    )


def _groups(found: Statistics, days: Iterable[Span]) -> list[Group]:
    """Return the groups, those that cost most first."""
    rows: dict[Any, list[Figures]] = defaultdict(list)
    for row in found.rows:
        rows[tuple(row.group.values())].append(row)
    sums = {which: _sum(its) for which, its in rows.items()}
    order = sorted(rows, key=lambda which: (-sums[which].charge, -sums[which].calls, which))
    return [
        Group(
            _name(rows[which][0], found),
            min(place, OTHER),
            sums[which],
            list(_charges(rows[which], days)),
        )
        for place, which in enumerate(order)
    ]


def _charges(rows: Sequence[Figures], days: Iterable[Span]) -> Iterator[int]:
    by_day = {row.span: row.numbers["charge"] for row in rows}
    yield from (by_day.get(day, 0) for day in days)


def _name(row: Figures, found: Statistics) -> str:
    for group, value in row.group.items():
        return found.names.get(group, {}).get(value) or str(value)
    return ""


def _percentiles(times: Iterable[Latency]) -> tuple[int | None, int | None]:
    p50, p95 = percentiles_of(SEPARATOR.join(one.bins for one in times if one.bins), _PERCENTS)
    return p50, p95
