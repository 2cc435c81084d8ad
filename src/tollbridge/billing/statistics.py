"""Owns statistics: what calls came to by day or hour of a named time zone, and whatever groups them.

They are sums of the shared roll-ups, so a call counts in the span in which it began, and its charge
is net of what was given back. Must not know who asks; who may see what is in VIEWS.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core import zones
from tollbridge.core.histogram import percentiles_of
from tollbridge.core.zones import Span, day_of, zone_of
from tollbridge.storage.query_tables import ROLLUP_ITEMS
from tollbridge.storage.rollup_cover import Kept, NotKept, Piece, read_kept
from tollbridge.storage.rollup_marks import FIVE_MINUTES, HOUR
from tollbridge.storage.rollup_reads import NAMED, WHOLE, Parts, Sums, read_names, read_sums

GROUPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "user": "user_id",
        "key": "key_id",
        "channel": "channel_id",
        "model": "model",
        "status": "status_class",
    }
)
"""What figures may be grouped by, and the column it is in."""

DAYS_MAX: Final[Mapping[str, int]] = MappingProxyType({"day": 400, "hour": 62})
"""How many days may be asked for at a time."""

ROWS_MAX: Final = 5_000
"""An answer has at most so many rows: spans times groups."""

_NO_ROWS = "there are more than 5,000 rows; ask for fewer days, or group by less"


class Unanswerable(Exception):
    """A question that cannot be answered: which field of it, and why. Its text quotes no input."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(field)
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: days from `first` on, before `until`, in spans of the zone named `zone`.

    `group` are names of GROUPS, `only` values that their columns must have.
    """

    first: date
    until: date
    by: str
    zone: str
    group: tuple[str, ...]
    only: Mapping[str, int | str]

    def spans(self) -> list[Span]:
        """Return the days or hours that are asked for, in order."""
        walk = zones.days if self.by == "day" else zones.hours
        return list(walk(zone_of(self.zone), self.first, self.until))


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds over `calls`: their sum, and percentiles within 1/32; None without a call.

    `bins` is the histogram they come from: those of several rows, joined by commas, are that of all.
    """

    calls: int
    sum_ms: int
    p50_ms: int | None
    p95_ms: int | None
    bins: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Figures:
    """What the calls of a span and a group came to.

    `group` are the values by the names of GROUPS; `numbers` are counts and nano-dollars by the
    columns of the roll-ups. Success is `answered / counted`, where `counted` are the calls less what
    clients caused; with a zero below there is no rate.
    """

    span: Span
    group: Mapping[str, Any]
    numbers: Mapping[str, int]
    first_token: Latency
    total: Latency

    @property
    def counted(self) -> int:
        """The calls less what clients caused."""
        return self.numbers["calls"] - self.numbers["client_faults"]

    @property
    def items(self) -> dict[str, int]:
        """What was counted besides tokens."""
        return {name: self.numbers[name] for name in ROLLUP_ITEMS}


@dataclass(frozen=True, slots=True)
class Statistics:
    """The answer: rows in order of span and group, none where there was no call.

    `names` are names by id, for each of GROUPS that has any. Calls that had ended and began before
    `complete_until_ms` are in the figures; of later ones some may be missing for a moment.
    """

    question: Question
    rows: Sequence[Figures]
    names: Mapping[str, Mapping[int, str]]
    complete_until_ms: int


def question_of(
    *,
    first: str,
    until: str,
    by: str,
    zone: str,
    group: str,
    only: Mapping[str, int | str],
    groups: Sequence[str] = tuple(GROUPS),
) -> Question:
    """Return the question of its texts; Unanswerable with the field at fault, named as in an address.

    `group` are names with commas between, of `groups` alone.
    """
    if by not in DAYS_MAX:
        raise Unanswerable("by", "must be day or hour")
    try:
        zone_of(zone)
    except ValueError as error:
        raise Unanswerable("zone", str(error)) from None
    start, end = _day("from", first), _day("to", until)
    count = (end - start).days
    if count < 1:
        raise Unanswerable("to", "must be later than from; it is the first day not asked for")
    if count > DAYS_MAX[by]:
        raise Unanswerable("to", f"at most {DAYS_MAX[by]} days by {by} at a time")
    names = tuple(group.split(",")) if group else ()
    if len(set(names)) != len(names) or not set(names) <= set(groups):
        raise Unanswerable("group", f"must be of {','.join(groups)}, each once, with commas")
    return Question(start, end, by, zone, names, {GROUPS[name]: only[name] for name in only})


def _day(field: str, text: str) -> date:
    try:
        return day_of(text)
    except ValueError as error:
        raise Unanswerable(field, str(error)) from None


async def read_statistics(
    connection: AsyncConnection, question: Question, now_ms: int, parts: Parts = WHOLE
) -> Statistics:
    """Return the figures; Unanswerable where so small slots are not kept any more, or for too many rows.

    Of fewer `parts` fewer numbers come back, and no percentiles of histograms that are not in them.
    """
    spans = question.spans()
    kept = await read_kept(connection, now_ms)
    columns = [GROUPS[name] for name in question.group]
    pieces = list(_pieces(kept, spans))
    found = await read_sums(connection, pieces, columns, question.only, ROWS_MAX + 1, parts)
    if len(found) > ROWS_MAX:
        raise Unanswerable("group", _NO_ROWS)
    names = {
        name: await read_names(connection, column, {sums.group[place] for sums in found})
        for place, (name, column) in enumerate(zip(question.group, columns, strict=True))
        if column in NAMED
    }
    # Many percentiles must not keep the calls of this process waiting.
    rows = await asyncio.to_thread(_rows, spans, question.group, found)
    return Statistics(question, rows, names, kept.complete_until_ms)


def _pieces(kept: Kept, spans: Sequence[Span]) -> Iterator[tuple[int, Piece]]:
    for number, span in enumerate(spans):
        try:
            pieces = kept.pieces(span.start_ms, span.end_ms)
        except NotKept as lost:
            raise Unanswerable("from", not_kept_text(lost)) from None
        yield from ((number, piece) for piece in pieces)


def not_kept_text(lost: NotKept) -> str:
    """Return in words from when on a zone's days or hours can be told."""
    since = Span(lost.since_ms, lost.since_ms, 0).day
    words = {HOUR: "hours", FIVE_MINUTES: "five minutes"}[lost.span]
    return (
        f"figures of {words}, which these spans of this zone are made of, are kept from"
        f" {since.isoformat()} on; days of UTC are kept for ever"
    )


def _rows(spans: Sequence[Span], group: Sequence[str], found: Sequence[Sums]) -> list[Figures]:
    return [_figures(spans[sums.bucket], group, sums) for sums in found]


def _figures(span: Span, group: Sequence[str], sums: Sums) -> Figures:
    return Figures(
        span=span,
        group=dict(zip(group, sums.group, strict=True)),
        numbers=sums.numbers,
        first_token=_latency(sums, "first_token_calls", "first_token_sum_ms", "first_token_bins"),
        total=_latency(sums, "calls", "total_sum_ms", "total_bins"),
    )


def _latency(sums: Sums, calls: str, sum_ms: str, bins: str) -> Latency:
    text = sums.bins.get(bins, "")
    p50, p95 = percentiles_of(text, (50, 95))
    return Latency(sums.numbers.get(calls, 0), sums.numbers.get(sum_ms, 0), p50, p95, text)
